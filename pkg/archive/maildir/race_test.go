package maildir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// A message that is dropped while its file is being written leaves nothing.
func TestDropWhileWriting(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	writing, dropped := make(chan struct{}), make(chan struct{})
	f := &faults{hook: func(op string) {
		if op == "write" {
			close(writing)
			<-dropped
		}
	}}
	s, err := openFaulty(t, path, Maildirpp, f)
	if err != nil {
		t.Fatal(err)
	}
	b := s.NewBatch()
	if err := b.Add(openBox(t, s, mail.Inbox), keyOf(1), strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	<-writing
	b.Drop(keyOf(1))
	close(dropped)
	if sealed, err := b.Seal(); err != nil || len(sealed) != 0 {
		t.Errorf("sealed %v, %v", sealed, err)
	}
	if files := tree(t, path); len(files) != 0 {
		t.Errorf("left %v", files)
	}
	b.Abort()
}

// reader is a mail reader that does something before the n-th operation of a
// kind.
type reader struct {
	op string
	n  int
	do func()
}

func (r *reader) hook(op string) {
	if op != r.op {
		return
	}
	if r.n--; r.n == 0 {
		r.do()
	}
}

// openRead delivers a message to INBOX's new/ and returns the box, with a
// reader that does not act yet.
func openRead(t *testing.T, path string) (mail.Box, *reader) {
	t.Helper()
	r := &reader{}
	s, err := openFaulty(t, path, Maildirpp, &faults{hook: r.hook})
	if err != nil {
		t.Fatal(err)
	}
	box := openBox(t, s, mail.Inbox)
	put(t, s, box, keyOf(1), strings.NewReader("hello\r\n"), mail.Item{Date: someDate})
	return box, r
}

// move renames the only message from one folder to another, with a flag.
func move(t *testing.T, path, from, to, info string) func() {
	return func() {
		names, err := filepath.Glob(filepath.Join(path, from, "*"))
		if err != nil || len(names) != 1 {
			t.Errorf("found %v, %v in %s", names, err, from)
			return
		}
		base, _, _ := strings.Cut(filepath.Base(names[0]), ":")
		if err := os.Rename(names[0], filepath.Join(path, to, base+info)); err != nil {
			t.Error(err)
		}
	}
}

// Readers move messages from new/ to cur/ at any time.
func TestReaderMovesWhileWeList(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	box, r := openRead(t, path)
	*r = reader{op: "names", n: 2, do: move(t, path, "new", "cur", ":2,S")}
	if keys, err := box.Keys(mailtest.EveryKey); err != nil || len(keys) != 1 {
		t.Errorf("%d keys, %v, want the one that was moved", len(keys), err)
	}
}

func TestReaderMovesWhileWeOpen(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	box, r := openRead(t, path)
	*r = reader{op: "open", n: 1, do: move(t, path, "new", "cur", ":2,S")}
	if got := readAll(t, box, keyOf(1), mail.FormLF); got != "hello\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestReaderRemovesWhileWeOpen(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	box, r := openRead(t, path)
	*r = reader{op: "open", n: 1, do: func() {
		names, _ := filepath.Glob(filepath.Join(path, "new", "*")) // the pattern is good
		for _, name := range names {
			_ = os.Remove(name)
		}
	}}
	if text, ok := read(t, box, keyOf(1), mail.FormLF); ok {
		t.Errorf("got %q, want nothing", text)
	}
}

func TestReaderMovesWhileWeRekey(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	box, r := openRead(t, path)
	*r = reader{op: "rename", n: 1, do: move(t, path, "new", "cur", ":2,FS")}
	b := box.(*Box).folder.store.NewBatch()
	b.Rekey(box, keyOf(1), keyOf(2))
	if err := b.Flush(nil); err != nil {
		t.Fatal(err)
	}
	want := "cur/1577934245." + keyOf(2).String() + ".mailpull,S=6,W=7:2,FS"
	if got := tree(t, path); len(got) != 1 || got[0] != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
