package checkpoint

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"mailpull/pkg/mail"
)

// A server on which nothing can be read fills the quarantine and not the
// memory. What is in it can still be changed, and what leaves it makes room.
func TestQuarantineIsBounded(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	d := newDisk()
	o := options(d)
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	f, err := Open(o)
	check(t, err)
	var messages []mail.Quarantined
	for uid := range mail.UID(maxQuarantined) {
		messages = append(messages, held(mail.Ref{Mailbox: "INBOX", Validity: 7, UID: uid + 1}, 1))
	}
	check(t, f.Quarantine(messages))
	if log.Len() > 0 {
		t.Errorf("log before it is full: %s", log.String())
	}
	more := held(mail.Ref{Mailbox: "Work", Validity: 8, UID: 1}, 1)
	check(t, f.Quarantine([]mail.Quarantined{more, held(messages[0].Ref, 9)}))
	if got := f.Quarantined("Work"); len(got) != 0 {
		t.Errorf("got %+v beyond the bound", got)
	}
	if got := f.Quarantined("INBOX"); len(got) != maxQuarantined || got[0].Tries != 9 {
		t.Errorf("%d in quarantine, the first after %d tries", len(got), got[0].Tries)
	}
	if !strings.Contains(log.String(), "quarantine is full") {
		t.Errorf("log: %q", log.String())
	}
	check(t, f.Release(uidRefs("INBOX", 7, 2)))
	check(t, f.Quarantine([]mail.Quarantined{more}))
	check(t, f.EndPass(mail.Pass{}))
	if got := mustOpen(t, d).Quarantined("Work"); len(got) != 1 || got[0] != more {
		t.Errorf("got %+v, want %+v", got, more)
	}
}

func TestQuarantineRefuses(t *testing.T) {
	t.Parallel()
	d := newDisk()
	f := mustOpen(t, d)
	check(t, f.Commit(uidRefs("INBOX", 7, 1)))
	good := mail.Ref{Mailbox: "INBOX", Validity: 7, UID: 2}
	for _, ref := range []mail.Ref{
		{Mailbox: "INBOX", Validity: 7},
		{Mailbox: "INBOX", Validity: 8, UID: 1},
		{Mailbox: "INBOX", Validity: 7, UIDL: mail.UIDL(strings.Repeat("x", maxName+1))},
	} {
		err := f.Quarantine([]mail.Quarantined{held(good, 1), held(ref, 1)})
		if mail.ErrorScope(err) != mail.ScopeMailbox || len(f.Quarantined("INBOX")) != 0 {
			t.Errorf("%.80v: got %v and %+v", ref, err, f.Quarantined("INBOX"))
		}
	}
	long := held(good, -1)
	long.Class, long.Reason = mail.Class(strings.Repeat("c", 1<<20)), strings.Repeat("r", 1<<20)
	check(t, f.Quarantine([]mail.Quarantined{long}))
	check(t, f.Commit(nil))
	if got := mustOpen(t, d).Quarantined("INBOX"); len(got) != 1 || len(got[0].Reason) != mail.MaxReason || got[0].Tries != 0 {
		t.Errorf("got %.300v", got)
	}
}
