package checkpoint

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// A view tells what a file says, beside the pass that writes it, and writes
// nothing.
func TestView(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	for _, missing := range []string{filepath.Join(path, "nowhere"), path} {
		f, err := View(missing, "work", "imap")
		check(t, err)
		if _, known := f.Known("INBOX"); known || len(f.Passes()) != 0 {
			t.Errorf("%s: something is known", missing)
		}
	}
	dir, err := durable.OpenDir(path)
	check(t, err)
	defer dir.Close()
	live(t, mustOpen(t, dir))
	before, err := os.ReadFile(filepath.Join(path, fileName))
	check(t, err)

	f, err := View(path, "work", "imap")
	check(t, err)
	if known, _ := f.Known("INBOX"); known.Seen != 4 || known.Excluded.Messages != 3 || len(f.Passes()) != 3 {
		t.Errorf("got %+v, %d passes", known, len(f.Passes()))
	}
	refs := uidRefs("INBOX", 9, 77)
	for name, err := range map[string]error{
		"Commit":     f.Commit(refs),
		"Complete":   f.Complete("INBOX", mail.Status{Validity: 9}, 1, mail.Excluded{}),
		"Reset":      f.Reset("INBOX", 10),
		"Quarantine": f.Quarantine([]mail.Quarantined{held(refs[0], 1)}),
		"Release":    f.Release(refs),
		"EndPass":    f.EndPass(mail.Pass{}),
	} {
		if !errors.Is(err, errView) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	check(t, f.Close())
	if after, err := os.ReadFile(filepath.Join(path, fileName)); err != nil || string(after) != string(before) {
		t.Errorf("the file changed, %v", err)
	}
	if _, err := View(path, "work", "pop3"); !errors.Is(err, ErrMismatch) {
		t.Errorf("another source: got %v", err)
	}
	check(t, os.WriteFile(filepath.Join(path, fileName), before[:20], 0o600))
	if _, err := View(path, "work", "imap"); !errors.Is(err, ErrDamaged) {
		t.Errorf("damage: got %v", err)
	}
}
