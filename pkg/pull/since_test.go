package pull_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

// firstDay is the day on which the first message of dated arrived.
var firstDay = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)

// dated is a world whose INBOX got a message on each of so many days.
func dated(days int) *world {
	w := newWorld(box(mail.Inbox, letters(days)...))
	messages := w.server.Box(mail.Inbox).Messages
	for i := range messages {
		messages[i].Item.Date = firstDay.AddDate(0, 0, i)
	}
	return w
}

// from asks for the messages from the n-th day on.
func from(n int) func(*pull.Options) {
	return func(o *pull.Options) { o.Since = firstDay.AddDate(0, 0, n).Truncate(24 * time.Hour) }
}

// holds checks how many messages the archive has.
func (w *world) holds(t *testing.T, want int) {
	t.Helper()
	if got := len(w.store.Bodies(mail.Inbox)); got != want {
		t.Errorf("the archive has %d messages, want %d", got, want)
	}
}

// The older messages are neither pulled nor missing, and a mailbox without news
// is passed over, also when the bound moves on with the days.
func TestSinceLeavesOlderMessages(t *testing.T) {
	t.Parallel()
	w := dated(20)
	r := w.mustComplete(t, from(12))
	if m := r.Mailboxes[0]; r.New != 8 || r.Excluded != 12 || m.Server != 20 || m.Archived != 8 || m.Excluded != 12 {
		t.Errorf("got %+v", r)
	}
	for _, days := range []int{12, 13, 15} {
		r = w.mustComplete(t, from(days))
		if m := r.Mailboxes[0]; !m.Unchanged || m.Archived != 8 || m.Excluded != 12 || w.server.Asked != 8 {
			t.Errorf("from day %d: got %+v", days, m)
		}
	}
	w.holds(t, 8)

	w.server.Box(mail.Inbox).Add("Subject: news\r\n\r\n")
	if r = w.mustComplete(t, from(15)); r.New != 1 || r.Excluded != 12 {
		t.Errorf("with news: got %+v", r)
	}
	w.holds(t, 9)
}

// Who asks for older messages, or for all, gets them by the next pass, although
// nothing has changed on the server.
func TestSinceMovedBack(t *testing.T) {
	t.Parallel()
	w := dated(20)
	w.mustComplete(t, from(12))
	if r := w.mustComplete(t, from(5)); r.New != 7 || r.Excluded != 5 {
		t.Errorf("an earlier day: got %+v", r)
	}
	if r := w.mustComplete(t); r.New != 5 || r.Excluded != 0 {
		t.Errorf("no bound: got %+v", r)
	}
	w.check(t, mail.Inbox)
	if r := w.mustComplete(t, from(12)); !r.Mailboxes[0].Unchanged || r.Excluded != 0 {
		t.Errorf("a later day: got %+v", r)
	}
	w.check(t, mail.Inbox)
}

// A server that does not search by date is pulled whole, and the log says so
// once.
func TestSinceWithoutDates(t *testing.T) {
	t.Parallel()
	w := dated(6)
	box("Work", letters(2)...)(w.server)
	w.server.NoDates = true
	var said bytes.Buffer
	r := w.mustComplete(t, from(3), func(o *pull.Options) { o.Log = slog.New(slog.NewTextHandler(&said, nil)) })
	if r.New != 8 || r.Excluded != 0 || strings.Count(said.String(), "since is not kept") != 1 {
		t.Errorf("got %+v, %s", r, said.String())
	}
	if r := w.mustComplete(t, from(3)); !r.Mailboxes[0].Unchanged {
		t.Errorf("again: got %+v", r)
	}
}

// A server that does not search by date for now costs the mailbox, not years of
// mail that nobody asked for; and the pass knows that it asks to wait.
func TestSinceRefusedForNow(t *testing.T) {
	t.Parallel()
	w := dated(6)
	box("Work", letters(2)...)(w.server)
	w.server.Box(mail.Inbox).RefuseDates = &mail.Error{Op: "fake search", Mailbox: mail.Inbox, Scope: mail.ScopeMailbox, Class: mail.ClassThrottled, Err: errors.New("slow down")}
	r, err := w.run(t.Context(), nil, from(3))
	if !mail.AsksToWait(err) || mail.ErrorScope(err) != mail.ScopeMailbox || r.New != 2 {
		t.Errorf("got %+v, %v", r, err)
	}
	w.holds(t, 0)
	w.server.Box(mail.Inbox).RefuseDates = nil
	if r := w.mustComplete(t, from(3)); r.New != 3 || r.Excluded != 3 {
		t.Errorf("then: got %+v", r)
	}
}

// What is older stays in the archive when the server renumbers its mailbox, and
// there is no second copy when it is wanted again.
func TestSinceRenumbered(t *testing.T) {
	t.Parallel()
	w := dated(10)
	w.mustComplete(t)
	inbox := w.server.Box(mail.Inbox)
	inbox.Validity = 8
	for i := range inbox.Messages {
		inbox.Messages[i].UID += 100
	}
	inbox.UIDNext += 100
	if r := w.mustComplete(t, from(6)); r.New != 0 || r.Excluded != 6 || r.Renumbered != 1 {
		t.Errorf("got %+v", r)
	}
	if r := w.mustComplete(t, from(6)); !r.Mailboxes[0].Unchanged {
		t.Errorf("again: got %+v", r)
	}
	if r := w.mustComplete(t); r.New != 0 || r.Excluded != 0 {
		t.Errorf("wanted again: got %+v", r)
	}
	w.check(t, mail.Inbox)
	if known, _ := w.checkpoint.Known(mail.Inbox); known.Matching || known.Seen != 10 {
		t.Errorf("got %+v", known)
	}
}

// With the checkpoint gone, what the archive has is recorded whatever its age:
// a message that a reader deleted does not come again when it is wanted again.
func TestSinceCheckpointLost(t *testing.T) {
	t.Parallel()
	w := dated(10)
	w.mustComplete(t)
	w.checkpoint = mailtest.NewCheckpoint()
	w.store.Change(mail.Inbox, func(files map[mail.Key]mailtest.StoredMessage) {
		for key, m := range files {
			if strings.Contains(m.Body, "body 2") {
				delete(files, key)
			}
		}
	})
	if r := w.mustComplete(t, from(6)); r.New != 0 || r.Excluded != 0 {
		t.Errorf("got %+v", r)
	}
	if r := w.mustComplete(t); r.New != 0 {
		t.Errorf("got %+v", r)
	}
	w.holds(t, 9)
}

// A message in quarantine that nobody wants any more does not have its mailbox
// opened by each pass.
func TestSinceEndsQuarantine(t *testing.T) {
	t.Parallel()
	w := dated(10)
	messages := w.server.Box(mail.Inbox).Messages
	messages[2].Outcome = broken(3, mail.ClassServer)
	if _, err := w.run(t.Context(), nil); err == nil || len(w.checkpoint.Quarantined(mail.Inbox)) != 1 {
		t.Fatalf("got %v", err)
	}
	w.retryAll(t)
	if r := w.mustComplete(t, from(6)); r.Excluded != 1 || len(w.checkpoint.Quarantined(mail.Inbox)) != 0 {
		t.Errorf("got %+v", r)
	}
	if r := w.mustComplete(t, from(6)); !r.Mailboxes[0].Unchanged || r.Excluded != 1 {
		t.Errorf("again: got %+v", r)
	}
	messages[2].Outcome = nil
	if r := w.mustComplete(t); r.New != 1 {
		t.Errorf("wanted again: got %+v", r)
	}
	w.check(t, mail.Inbox)
}
