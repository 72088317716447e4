package pull_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

// broken is the outcome of a message that the server cannot give.
func broken(uid mail.UID, class mail.Class) *mail.Error {
	return &mail.Error{Op: "fake fetch", Mailbox: "INBOX", UID: uid, Scope: mail.ScopeMessage, Class: class, Err: errors.New("no body")}
}

// mustFail makes a pass in which one message fails.
func (w *world) mustFail(t *testing.T) pull.Result {
	t.Helper()
	r, err := w.run(t.Context(), nil)
	if mail.ErrorScope(err) != mail.ScopeMessage || !strings.Contains(mail.ErrorHint(err), "mailpull quarantine") {
		t.Fatalf("got %v with hint %q, want an error of the message that names its quarantine", err, mail.ErrorHint(err))
	}
	if r.Complete || r.Missing != 1 || r.Quarantined != 0 {
		t.Fatalf("got %+v, want one message missing", r)
	}
	return r
}

// mustLeave makes a pass that says nothing, asks for no message and leaves n in
// quarantine.
func (w *world) mustLeave(t *testing.T, n int) pull.Result {
	t.Helper()
	before := w.server.Asked
	r := w.mustComplete(t)
	if r.Quarantined != n || w.server.Asked != before {
		t.Fatalf("%d in quarantine and %d messages asked for, want %d and none: %+v", r.Quarantined, w.server.Asked-before, n, r)
	}
	return r
}

// A message that fails is asked for again after one hour, four, twelve, a day,
// three days, and then each week; in between no pass asks for it or complains.
func TestQuarantineWaits(t *testing.T) {
	t.Parallel()
	for name, poison := range map[string]func(*mailtest.ServerMessage){
		"refused": func(m *mailtest.ServerMessage) { m.Outcome = broken(3, mail.ClassServer) },
		"deadly":  func(m *mailtest.ServerMessage) { m.Deadly = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(box("INBOX", letters(5)...))
				m := &w.server.Box("INBOX").Messages[2]
				poison(m)
				first := time.Now()
				for try, hours := range []int{1, 4, 12, 24, 72, 168, 168, 168} {
					last := time.Now()
					w.mustFail(t)
					next := last.Add(time.Duration(hours) * time.Hour)
					q := w.checkpoint.Quarantined("INBOX")
					if len(q) != 1 || q[0].Tries != try+1 || !q[0].First.Equal(first) || !q[0].Last.Equal(last) || !q[0].Next.Equal(next) {
						t.Fatalf("try %d: got %+v, want the next one at %v", try+1, q, next)
					}
					w.mustLeave(t, 1)
					time.Sleep(time.Until(next) - time.Second) // the bubble's clock, not the wall's
					if r := w.mustLeave(t, 1); !r.Mailboxes[0].Unchanged {
						t.Error("a mailbox without news was opened for a message that is not due")
					}
					time.Sleep(time.Second)
				}
				m.Outcome, m.Deadly = nil, false
				if r := w.mustComplete(t); r.New != 1 || r.Quarantined != 0 || len(w.checkpoint.Quarantined("INBOX")) != 0 {
					t.Errorf("healed: got %+v", r)
				}
				w.check(t, "INBOX")
			})
		})
	}
}

// New mail arrives while another message of its mailbox is in quarantine.
func TestQuarantineDoesNotHoldUpNewMail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(box("INBOX", letters(5)...))
		w.server.Box("INBOX").Messages[0].Outcome = broken(1, mail.ClassProtocol)
		w.mustFail(t)
		w.server.Box("INBOX").Add("late")
		r := w.mustComplete(t)
		want := mail.MailboxResult{Mailbox: "INBOX", Server: 6, Archived: 5, New: 1, Quarantined: 1}
		if r.Mailboxes[0] != want {
			t.Errorf("got %+v, want %+v", r.Mailboxes[0], want)
		}
		want.Unchanged, want.New = true, 0
		if r := w.mustLeave(t, 1); r.Mailboxes[0] != want {
			t.Errorf("got %+v, want %+v", r.Mailboxes[0], want)
		}
	})
}

// What is ignored is not asked for, ever, and counts as in quarantine.
func TestIgnoredIsNeverAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(box("INBOX", letters(5)...))
		w.server.Box("INBOX").Messages[4].Outcome = broken(5, mail.ClassProtocol)
		w.mustFail(t)
		q := w.checkpoint.Quarantined("INBOX")
		q[0].Ignored = true
		if err := w.checkpoint.Quarantine(q); err != nil {
			t.Fatal(err)
		}
		time.Sleep(365 * 24 * time.Hour) // the bubble's clock, not the wall's
		w.mustLeave(t, 1)
		w.server.NoStatus = true
		w.mustLeave(t, 1)

		// Also when the server hides it for once.
		b := w.server.Box("INBOX")
		hidden := b.Messages[4]
		b.Messages = b.Messages[:4]
		w.mustComplete(t)
		b.Messages = append(b.Messages, hidden)
		w.mustLeave(t, 1)
	})
}

// What tells nothing of the message is not held against it.
func TestQuarantineTakesOnlyTheMessagesOwnFailures(t *testing.T) {
	t.Parallel()
	for class, want := range map[mail.Class]int{
		mail.ClassServer: 1, mail.ClassProtocol: 1, mail.ClassTimeout: 1, mail.ClassConnect: 1,
		mail.ClassThrottled: 0, mail.ClassQuota: 0, mail.ClassAuth: 0, mail.ClassDisk: 0, mail.ClassLocal: 0,
	} {
		w := newWorld(box("INBOX", letters(5)...))
		w.server.Box("INBOX").Messages[2].Outcome = broken(3, class)
		passes := 2
		if class == mail.ClassTimeout || class == mail.ClassConnect {
			passes += 2 // it may be the network: asked for again at once, twice
		}
		for range passes {
			if r, err := w.run(t.Context(), nil); (err == nil) != (want == 1 && r.Quarantined == 1) {
				t.Errorf("%s: got %v, %+v", class, err, r)
			}
		}
		if got := len(w.checkpoint.Quarantined("INBOX")); got != want {
			t.Errorf("%s: %d messages are in quarantine, want %d", class, got, want)
		}
		if t.Failed() {
			continue
		}
		w.server.Box("INBOX").Messages[2].Outcome = nil
		if r := w.mustComplete(t); r.New != 1-want {
			t.Errorf("%s: got %d new, want %d", class, r.New, 1-want)
		}
	}
}

// A file that differs is reported once, and again when it is due.
func TestDamagedFileIsQuarantined(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(box("INBOX", letters(5)...))
		w.mustComplete(t)
		w.checkpoint, w.manifest = mailtest.NewCheckpoint(), &mailtest.Manifest{}
		damaged := mail.NewKey("work", mail.Ref{Mailbox: "INBOX", Validity: 7, UID: 3})
		w.store.Change("INBOX", func(files map[mail.Key]mailtest.StoredMessage) {
			files[damaged] = mailtest.StoredMessage{Body: "rotten"}
		})
		for range 2 {
			w.mustFail(t)
			w.mustLeave(t, 1)
			q := w.checkpoint.Quarantined("INBOX")[0]
			if !strings.Contains(q.Reason, "differs from what the server sends") {
				t.Errorf("reason %q", q.Reason)
			}
			time.Sleep(4 * time.Hour) // the bubble's clock, not the wall's
		}
		w.store.Change("INBOX", func(files map[mail.Key]mailtest.StoredMessage) { delete(files, damaged) })
		if r := w.mustComplete(t); r.New != 1 || r.Quarantined != 0 {
			t.Errorf("moved away: got %+v", r)
		}
		w.check(t, "INBOX")
	})
}

// When most files differ it is not single messages that have a fault: each pass
// says so.
func TestManyDamagedFilesAreNoQuietMatter(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(5)...))
	w.mustComplete(t)
	w.checkpoint, w.manifest = mailtest.NewCheckpoint(), &mailtest.Manifest{}
	w.store.Change("INBOX", func(files map[mail.Key]mailtest.StoredMessage) {
		for uid := mail.UID(1); uid <= 4; uid++ {
			files[mail.NewKey("work", mail.Ref{Mailbox: "INBOX", Validity: 7, UID: uid})] = mailtest.StoredMessage{Body: "rewritten"}
		}
	})
	for range 3 {
		if r, err := w.run(t.Context(), nil); err == nil || r.Missing != 4 {
			t.Fatalf("got %v, %+v", err, r)
		}
	}
	if q := w.checkpoint.Quarantined("INBOX"); len(q) > 0 {
		t.Errorf("%d messages are in quarantine", len(q))
	}
}

// A server that refuses message after message is not asked for all of them in
// one pass: memory is bounded, what stands behind them comes in a later one, and
// the other mailboxes come at once.
func TestManyFailuresAreBounded(t *testing.T) {
	t.Parallel()
	const n = 12_000
	w := newWorld(box("INBOX", letters(n+1)...), box("Work", "a", "b"))
	inbox := w.server.Box("INBOX")
	for i := range n {
		inbox.Messages[i].Outcome = broken(inbox.Messages[i].UID, mail.ClassServer)
	}
	r, err := w.run(t.Context(), nil)
	if err == nil || w.server.Asked > n/2+100 || r.New != 2 {
		t.Fatalf("%d messages were asked for, %d came: %v", w.server.Asked, r.New, err)
	}
	w.check(t, "Work")
	for range 5 {
		if _, err = w.run(t.Context(), nil); err == nil {
			break
		}
	}
	if got := w.store.Bodies("INBOX"); len(got) != 1 {
		t.Errorf("%d of INBOX came, want the one behind the others; %v", len(got), err)
	}
}

// A mailbox that has none of what it lists costs itself, and no other one: not
// in the first pass, and not in later ones.
func TestManyFailuresCostNoOtherMailbox(t *testing.T) {
	t.Parallel()
	for name, outcome := range map[string]error{"gone": mail.ErrGone, "refused": broken(0, mail.ClassThrottled)} {
		w := newWorld(box("INBOX", letters(5100)...), box("Work", letters(400)...))
		inbox := w.server.Box("INBOX")
		for i := range inbox.Messages {
			inbox.Messages[i].Outcome = outcome
		}
		for range 2 {
			r, err := w.run(t.Context(), nil)
			if err == nil || !strings.Contains(err.Error(), `"INBOX": too many messages`) {
				t.Errorf("%s: got %v", name, err)
			}
			if m := r.Mailboxes[1]; m.Archived != 400 || m.Err != nil {
				t.Errorf("%s: got %+v", name, m)
			}
		}
		w.check(t, "Work")
	}
}

// What comes of one mailbox does not speak for another one.
func TestManyFailuresAreComparedWithTheirMailbox(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(6000)...), box("Work", letters(6000)...))
	work := w.server.Box("Work")
	for i := range work.Messages {
		work.Messages[i].Outcome = mail.ErrGone
	}
	r, err := w.run(t.Context(), nil)
	if err == nil || r.Mailboxes[0].Archived != 6000 || r.Mailboxes[1].Gone > 5100 {
		t.Errorf("got %+v, %v; want Work given up after about 5000", r.Mailboxes, err)
	}
}

// barren is a server of many mailboxes that does not cost the test any memory.
// have says what comes of a message.
type barren struct {
	boxes, messages int
	have            func(ref mail.Ref) error
}

func (s *barren) Limit() int                                 { return 1 }
func (s *barren) Open(context.Context) (pull.Session, error) { return barrenSession{s}, nil }

type barrenSession struct{ *barren }

func (s barrenSession) Mailboxes(context.Context) ([]mail.Mailbox, error) {
	boxes := make([]mail.Mailbox, s.boxes)
	for i := range boxes {
		boxes[i].Name = mail.MailboxName(fmt.Sprint("box ", i))
	}
	return boxes, nil
}

func (s barrenSession) Select(_ context.Context, box mail.Mailbox) (mail.Refs, mail.Status, error) {
	refs := mail.Refs{Mailbox: box.Name, Validity: 7, UIDs: mail.UIDSet{{Lo: 1, Hi: mail.UID(s.messages)}}}
	return refs, mail.Status{Validity: 7, UIDNext: mail.UID(s.messages + 1), Messages: s.messages}, nil
}

func (s barrenSession) Older(context.Context, time.Time) (mail.UIDSet, error) {
	return nil, mail.ErrNoDates
}

func (s barrenSession) Fetch(_ context.Context, refs mail.Refs, r mail.Receiver) error {
	for ref := range refs.All {
		outcome := s.have(ref)
		if outcome == nil {
			if err := r.Body(ref, 1, strings.NewReader("x")); err != nil {
				return err
			}
		}
		if err := r.Settle(mail.Item{Ref: ref}, outcome); err != nil {
			return err
		}
		if ref.UID%100 == 0 {
			if err := r.Settled(); err != nil {
				return err
			}
		}
	}
	return r.Settled()
}

func (s barrenSession) Close(context.Context) error { return nil }
func (s barrenSession) Abort()                      {}

// refusing is what comes of a message that is refused. Each has an error of its
// own, as the sources make them.
func refusing(ref mail.Ref) error {
	e := broken(ref.UID, mail.ClassServer)
	e.Mailbox = ref.Mailbox
	return e
}

// heapAtDone looks at the heap when every tenth mailbox is done.
type heapAtDone struct {
	pull.Silent
	boxes int
	peak  uint64
}

func (h *heapAtDone) Done(mail.MailboxResult) {
	if h.boxes++; h.boxes%10 == 0 {
		h.peak = max(h.peak, liveHeap())
	}
}

// TestManyFailingMailboxesAreBounded has mailbox after mailbox fail, each too
// little to be given up or each too much. The test is not parallel because it
// looks at everybody's heap.
func TestManyFailingMailboxesAreBounded(t *testing.T) {
	for name, test := range map[string]struct {
		boxes, messages int
		have            func(mail.Ref) error
		limit           int64
	}{
		"gone":     {100, 1000, func(mail.Ref) error { return mail.ErrGone }, 2_000_000},
		"refused":  {100, 1000, refusing, 8_000_000},
		"given up": {20, 6000, refusing, 8_000_000},
	} {
		w := newWorld()
		before, h := liveHeap(), &heapAtDone{}
		r, _ := w.run(t.Context(), nil, func(o *pull.Options) {
			o.Source, o.Observer, o.Batch.Messages = &barren{test.boxes, test.messages, test.have}, h, 512
		})
		if last := r.Mailboxes[len(r.Mailboxes)-1]; len(r.Mailboxes) != test.boxes || last.Gone+last.Missing != test.messages {
			t.Fatalf("%s: %d mailboxes are done, the last is %+v", name, len(r.Mailboxes), last)
		}
		if grown := int64(h.peak) - int64(before); grown > test.limit || h.peak == 0 {
			t.Errorf("%s: %d bytes of memory, at most %d are allowed", name, grown, test.limit)
		}
	}
}

// What is not kept for quarantine counts all the same: more messages failed than
// came, and none is blamed.
func TestFailuresThatAreNotKeptCount(t *testing.T) {
	t.Parallel()
	const failing = 13
	for came, want := range map[int]bool{12_000: false, 13_000: true} {
		w := newWorld()
		_, err := w.run(t.Context(), nil, func(o *pull.Options) {
			o.Batch.Messages = 1000
			o.Source = &barren{boxes: failing + came/1000, messages: 1000, have: func(ref mail.Ref) error {
				if n, _ := strconv.Atoi(string(ref.Mailbox[len("box "):])); n >= failing {
					return nil
				}
				return refusing(ref)
			}}
		})
		blamed := len(w.checkpoint.Quarantined("box 0")) > 0
		if err == nil || blamed != want {
			t.Errorf("%d came: in quarantine %v, want %v; %v", came, blamed, want, err)
		}
	}
}

// What the server does not list any more leaves quarantine, and so does all of
// a mailbox that is made anew.
func TestQuarantineEnds(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*mailtest.ServerBox){
		"deleted":      func(b *mailtest.ServerBox) { b.Messages = slices.Delete(b.Messages, 2, 3) },
		"new validity": func(b *mailtest.ServerBox) { b.Validity++; b.Messages[2].Outcome = nil },
	} {
		w := newWorld(box("INBOX", letters(5)...))
		b := w.server.Box("INBOX")
		b.Messages[2].Outcome = broken(3, mail.ClassProtocol)
		w.mustFail(t)
		w.mustLeave(t, 1)
		change(b)
		b.Add("late")
		if r := w.mustComplete(t); r.Quarantined != 0 || len(w.checkpoint.Quarantined("INBOX")) != 0 {
			t.Errorf("%s: got %+v, %+v", name, r, w.checkpoint.Quarantined("INBOX"))
		}
		w.check(t, "INBOX")
	}
}

// A next try that the clock's jump back has put far away is due at once.
func TestQuarantineOutlivesAWrongClock(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for ahead, want := range map[time.Duration]bool{
		-time.Second: true, 0: true, time.Second: false, 7 * 24 * time.Hour: false,
		7*24*time.Hour + time.Second: true, 50 * 365 * 24 * time.Hour: true,
	} {
		q := mail.Quarantined{Next: now.Add(ahead)}
		if got := q.Due(now); got != want {
			t.Errorf("next try in %v: due %v, want %v", ahead, got, want)
		}
		if q.Ignored = true; q.Due(now) {
			t.Errorf("next try in %v: due although it is ignored", ahead)
		}
	}
}

// With more deadly messages in front than a pass can find, each pass gets
// further, and what stands behind them arrives.
func TestManyDeadlyMessagesLetTheRestThrough(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(120)...))
	b := w.server.Box("INBOX")
	for i := range 100 {
		b.Messages[i].Deadly = true
	}
	for pass := 0; ; pass++ {
		r, err := w.run(t.Context(), nil)
		if err == nil {
			if r.Mailboxes[0].Archived != 20 || r.Quarantined != 100 {
				t.Errorf("got %+v", r.Mailboxes[0])
			}
			return
		}
		if pass > 10 {
			t.Fatalf("pass %d: still %d archived: %v", pass, r.Mailboxes[0].Archived, err)
		}
	}
}

// When nothing at all comes, the messages are not to blame: a mailbox that is
// all in quarantine would be one that nobody misses.
func TestNothingComesIsNotTheMessagesFault(t *testing.T) {
	t.Parallel()
	for name, poison := range map[string]func(*mailtest.Server){
		"all refused": func(s *mailtest.Server) {
			for i := range s.Box("INBOX").Messages {
				s.Box("INBOX").Messages[i].Outcome = broken(mail.UID(i+1), mail.ClassServer)
			}
		},
		"all deadly": func(s *mailtest.Server) {
			for i := range s.Box("INBOX").Messages {
				s.Box("INBOX").Messages[i].Deadly = true
			}
		},
	} {
		w := newWorld(box("INBOX", letters(5)...))
		poison(w.server)
		for range 3 {
			r, err := w.run(t.Context(), nil)
			if err == nil || r.Missing != 5 || r.Quarantined != 0 || strings.Contains(mail.ErrorHint(err), "quarantine") {
				t.Errorf("%s: got %v, %+v", name, err, r)
			}
		}
		w.server.Box("Work").Add(letters(4)...)
		if r, err := w.run(t.Context(), nil); err == nil || r.New != 4 || len(w.checkpoint.Quarantined("INBOX")) != 0 {
			t.Errorf("%s: more failed than came: got %v, %+v", name, err, r)
		}
		w.server.Box("Work").Add(letters(5)...)
		if _, err := w.run(t.Context(), nil); err == nil || !strings.Contains(mail.ErrorHint(err), "quarantine") {
			t.Errorf("%s: got %v", name, err)
		}
		w.mustLeave(t, 5)
	}
}

// Killed at any step, a message that fails is neither lost nor forgotten.
func TestKilledAtEveryStepWithQuarantine(t *testing.T) {
	t.Parallel()
	setup := func() *world {
		w := newWorld(box("INBOX", letters(9)...), box("Work", "a", "b"))
		w.server.Box("INBOX").Messages[4].Deadly = true
		return w
	}
	count := &mailtest.Steps{}
	if _, err := setup().run(t.Context(), count); err == nil {
		t.Fatal("no error")
	}
	for n := 1; n <= count.Count(); n++ {
		w := setup()
		_, _ = w.run(t.Context(), mailtest.StopAt(n, mailtest.ErrKilled)) // the next passes tell
		r, err := w.run(t.Context(), nil)
		if err != nil {
			r = w.mustComplete(t)
		}
		if r.Quarantined != 1 {
			t.Errorf("killed at step %d: got %+v", n, r)
		}
		w.server.Box("INBOX").Messages[4].Deadly = false
		w.retryAll(t)
		w.mustComplete(t)
		w.check(t, "INBOX")
		w.check(t, "Work")
		if t.Failed() {
			t.Fatalf("killed at step %d", n)
		}
	}
}

// A reason is one printable line of bounded length, without the place.
func TestReasonIsOneLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"no body":                     "no body",
		"two\r\nlines\x1b[31m \xff":   "two lines [31m ?",
		strings.Repeat("\u00e9", 99):  strings.Repeat("\u00e9", 99),
		strings.Repeat("\u00e9", 200): strings.Repeat("\u00e9", 98) + "...",
	} {
		w := newWorld(box("INBOX", letters(2)...))
		bad := broken(1, mail.ClassServer)
		bad.Err = fmt.Errorf("%s", text)
		w.server.Box("INBOX").Messages[0].Outcome = bad
		w.mustFail(t)
		if got := w.checkpoint.Quarantined("INBOX")[0].Reason; got != want || len(got) > mail.MaxReason {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// A message that fails while its mailbox is being matched is matched when it
// comes at last: the archive has it already.
func TestQuarantineDoesNotEndMatching(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(box("INBOX", letters(5)...))
		w.mustComplete(t)
		b := w.server.Box("INBOX")
		b.Validity++
		b.Messages[2].Outcome = broken(3, mail.ClassServer)
		w.mustFail(t)
		w.mustLeave(t, 1)
		b.Messages[2].Outcome = nil
		time.Sleep(time.Hour) // the bubble's clock, not the wall's
		if r := w.mustComplete(t); r.New != 0 {
			t.Errorf("%d new, want none", r.New)
		}
		w.check(t, "INBOX")
		if known, _ := w.checkpoint.Known("INBOX"); known.Matching {
			t.Error("matching did not end")
		}
	})
}
