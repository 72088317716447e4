package pull_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
)

// The newest messages come first, and passes without a bound bring the rest.
func TestNewestFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(30)...))
	r, err := w.run(t.Context(), nil, func(o *pull.Options) { o.Newest = 7 })
	if !errors.Is(err, pull.ErrUnfinished) || r.New != 7 || r.Missing != 23 || r.Left != 23 || r.Complete {
		t.Fatalf("got %+v, %v; want 7 new and 23 left", r, err)
	}
	for _, body := range w.store.Bodies("INBOX") {
		var n int
		if _, err := fmt.Sscanf(body, "Subject: %d", &n); err != nil || n < 23 {
			t.Errorf("message %d came before newer ones, %v", n, err)
		}
	}
	w.server.Box("INBOX").Add("Subject: 30\r\n\r\nnew\r\n")
	if r, err := w.run(t.Context(), nil, func(o *pull.Options) { o.Newest = 7 }); !errors.Is(err, pull.ErrUnfinished) || r.New != 7 || r.Left != 17 {
		t.Errorf("got %d new, %d left, %v; want 7 and 17", r.New, r.Left, err)
	}
	if r := w.mustComplete(t); r.New != 17 {
		t.Errorf("the rest were %d, want 17", r.New)
	}
	w.check(t, "INBOX")
}

// A bound that nothing exceeds changes nothing.
func TestNewestOfFew(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(7)...), box("Work", letters(3)...))
	if r := w.mustComplete(t, func(o *pull.Options) { o.Newest = 7 }); r.New != 10 || r.Left != 0 {
		t.Errorf("got %d new and %d left, want 10 and none", r.New, r.Left)
	}
}

// A pass that yields commits what was settled, blames nobody, and the next
// passes go on until all is there.
func TestYield(t *testing.T) {
	t.Parallel()
	for lanes := 1; lanes <= 3; lanes++ {
		w := newWorld(box("INBOX", letters(20)...), box("Work", letters(20)...), box("Other", letters(20)...))
		var asked atomic.Int32
		r, err := w.run(t.Context(), nil, func(o *pull.Options) {
			o.Sessions, o.Yield = lanes, func() bool { return asked.Add(1) > 6 }
		})
		if !errors.Is(err, pull.ErrUnfinished) || r.Class != "" || r.Error != "" || r.Complete {
			t.Fatalf("%d lanes: got %+v, %v; want it unfinished and no error kept", lanes, r, err)
		}
		if r.New == 0 || r.New == 60 || r.Left != r.Missing {
			t.Errorf("%d lanes: got %d new, %d missing, %d left", lanes, r.New, r.Missing, r.Left)
		}
		if n := len(w.checkpoint.Quarantined("INBOX")); n != 0 {
			t.Errorf("%d messages are in quarantine", n)
		}
		if again := w.mustComplete(t); again.New != 60-r.New {
			t.Errorf("%d lanes: the next pass brought %d, want %d", lanes, again.New, 60-r.New)
		}
		for _, name := range []mail.MailboxName{"INBOX", "Work", "Other"} {
			w.check(t, name)
		}
	}
}

// What failed is told also by a pass that leaves something.
func TestUnfinishedDoesNotHideFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(20)...))
	w.server.Box("INBOX").Messages[18].Outcome = &mail.Error{Op: "test", Scope: mail.ScopeMessage, Class: mail.ClassServer, Err: errors.New("refused")}
	r, err := w.run(t.Context(), nil, func(o *pull.Options) { o.Newest = 5 })
	if err == nil || errors.Is(err, pull.ErrUnfinished) || !strings.Contains(err.Error(), "refused") || r.Left != 15 || r.Missing != 16 {
		t.Errorf("got %d missing, %d left, %v; want the failure", r.Missing, r.Left, err)
	}
}

// A failure that ends the last lane is told, also when others wait by then: it
// may be a refusal, or a wish to be left alone.
func TestYieldDoesNotHideWhatEndedThePass(t *testing.T) {
	t.Parallel()
	for _, class := range []mail.Class{mail.ClassAuth, mail.ClassThrottled} {
		w := newWorld(box("INBOX", letters(40)...), box("Work", letters(9)...))
		w.server.CutAfter, w.server.CutClass = 10, class
		spent := false
		r, err := w.run(t.Context(), nil, func(o *pull.Options) {
			o.Yield = func() bool { return spent }
			// In the middle of a group: nobody asks before the connection is cut.
			o.Observer = &watcher{received: func(int) { spent = w.server.Fetched == 9 }}
		})
		if errors.Is(err, pull.ErrUnfinished) || mail.ErrorClass(err) != class || r.Class != class || r.Left != 0 || r.New != 9 {
			t.Errorf("%s: got %+v, %v", class, r, err)
		}
	}
}

// What a lane gave up of a mailbox is not left for another pass because the
// last share of it is.
func TestYieldDoesNotHideAMailboxThatWasGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(box("INBOX", letters(40)...))
		var spent atomic.Bool
		var first sync.Once
		source := &bentSource{
			Server: w.server,
			selected: func(number int, refs *mail.Refs) {
				if number > 1 {
					refs.Validity++
				}
			},
			fetch: func(int) {
				first.Do(func() {
					synctest.Wait() // until the second lane has looked and given up
					spent.Store(true)
				})
			},
		}
		r, err := w.run(t.Context(), nil, func(o *pull.Options) { o.Sessions, o.Source, o.Yield = 2, source, spent.Load })
		if err == nil || !strings.Contains(err.Error(), "UIDVALIDITY changed") || r.Left != 0 || r.Missing != 37 || len(r.Mailboxes) != 1 {
			t.Errorf("got %+v, %v", r, err)
		}
	})
}
