package maildir

import (
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// The kernel tells of lost bytes once, to whichever flush comes first. When that
// is the one of a lane which looks for keys, the batch whose bytes they were
// must not believe the next one.
func TestFailedFlushIsToldToAll(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	before := openStore(t, path, Maildirpp)
	put(t, before, openBox(t, before, "Work"), keyOf(1), strings.NewReader("x"), mail.Item{})

	f := &faults{}
	s, err := openFaulty(t, path, Maildirpp, f)
	if err != nil {
		t.Fatal(err)
	}
	b := s.NewBatch()
	if err := b.Add(openBox(t, s, mail.Inbox), keyOf(2), strings.NewReader("y")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Seal(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	f.hook = func(op string) {
		if op == "syncfs" {
			once.Do(func() { f.at, f.err = len(f.since(0))+1, syscall.EIO })
		}
	}
	if _, err := openBox(t, s, "Work").Keys(mailtest.EveryKey); !errors.Is(err, syscall.EIO) {
		t.Fatalf("looking for keys: got %v", err)
	}
	err = b.Flush(map[mail.Key]mail.Item{keyOf(2): {}})
	if !errors.Is(err, syscall.EIO) || mail.ErrorHint(err) == "" {
		t.Errorf("the batch: got %v", err)
	}
	if files := tree(t, path); len(files) != 1 {
		t.Errorf("the archive holds %v", files)
	}
}
