package pull_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

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
