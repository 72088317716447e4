package maildir

import (
	"strings"
	"sync/atomic"
	"testing"

	"mailpull/pkg/mail"
)

// A panic in one of the batch's own goroutines is raised where the batch's
// owner stands ready for it, with its place, and not in the middle of the
// program. The batch can then be given up.
func TestWritersPanicIsTheOwners(t *testing.T) {
	t.Parallel()
	var armed atomic.Bool
	f := &faults{hook: func(op string) {
		if op == "create" && armed.Load() {
			panic("odd message")
		}
	}}
	s, err := openFaulty(t, t.TempDir(), Maildirpp, f)
	if err != nil {
		t.Fatal(err)
	}
	box, err := s.Box(mail.Mailbox{Name: mail.Inbox})
	if err != nil {
		t.Fatal(err)
	}
	b := s.NewBatch()
	defer b.Abort()
	armed.Store(true)
	for uid := range mail.UID(5) {
		key := mail.NewKey("work", mail.Ref{Mailbox: mail.Inbox, UID: uid + 1})
		if err := b.Add(box, key, strings.NewReader("Subject: x\r\n\r\n")); err != nil && mail.ErrorClass(err) != mail.ClassLocal {
			t.Fatalf("Add: %v, want an error that does not blame the disk", err)
		}
	}
	defer func() {
		text, _ := recover().(string)
		if !strings.Contains(text, "odd message, in a writer:") || !strings.Contains(text, "panic_test.go") {
			t.Errorf("Seal raised %q", text)
		}
	}()
	_, err = b.Seal()
	t.Errorf("Seal returned %v", err)
}
