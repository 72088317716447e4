package maildir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// climb delivers a few messages to two mailboxes, small ones, a large one and
// one that is begun again, as far as the disk lets it.
func climb(s *Store, bodies []string) error {
	s.small = crashSmall
	b := s.NewBatch()
	items := make(map[mail.Key]mail.Item)
	for i, text := range bodies {
		box, err := s.Box(mail.Mailbox{Name: []mail.MailboxName{mail.Inbox, "Work/2024"}[i%2], Delimiter: '/'})
		if err == nil {
			_, err = box.Keys(mailtest.EveryKey)
		}
		if err == nil {
			err = b.Add(box, keyOf(i), strings.NewReader(text))
		}
		if err != nil {
			b.Abort()
			return err
		}
		items[keyOf(i)] = mail.Item{Date: someDate, Flags: [][]string{nil, {`\Seen`}}[i/2%2]}
	}
	if !s.flushesFiles() {
		// Dropping a file that is open for its flush closes it, and nobody
		// asks how.
		b.Drop(keyOf(len(bodies) - 1))
		delete(items, keyOf(len(bodies)-1))
	}
	if _, err := b.Seal(); err != nil {
		b.Abort()
		return err
	}
	return b.Flush(items)
}

// crashSmall is what counts as a small message here.
const crashSmall = minBuffer

func crashBodies() []string {
	long := strings.Repeat(body(1000), crashSmall/1000+1)
	return []string{body(100), "no line end", long, long + "\n", body(3000), body(50)}
}

// Every operation on the disk fails once, and in another run is the last one:
// what is in new/ and cur/ is whole at every moment, the error says where and
// why, and the next run finds what is there, clears away the rest and ends
// with every message once.
func TestEveryOperationFails(t *testing.T) {
	t.Parallel()
	for _, layout := range []Layout{Maildirpp, FS} {
		for _, noFS := range []bool{false, true} {
			for _, fail := range []error{syscall.EIO, syscall.ENOSPC, errDead} {
				t.Run(fmt.Sprintf("%s, file by file %v, %v", layout, noFS, fail), func(t *testing.T) {
					t.Parallel()
					n := 1
					for crashAt(t, layout, noFS, fail, n, crashBodies()) {
						n++
					}
					if n < 60 {
						t.Errorf("there were %d operations only", n-1)
					}
				})
			}
		}
	}
}

// crashAt runs with the n-th operation failing and then again on a good disk.
// It returns false when there was no n-th operation.
func crashAt(t *testing.T, layout Layout, noFS bool, fail error, n int, bodies []string) bool {
	t.Helper()
	path := t.TempDir()
	f := &faults{at: n, err: fail, noFS: noFS}
	s, err := openFaulty(t, path, layout, f)
	if err == nil {
		err = climb(s, bodies)
	}
	op, reached := f.op(n)
	where := fmt.Sprintf("operation %d, %s", n, op)
	if !reached {
		if err != nil {
			t.Errorf("without a fault: %v", err)
		}
		return false
	}
	// Removing what is not wanted may fail without harm: the next run tries
	// again. So may closing what was only read.
	if err == nil && op != "remove" && op != "close read" {
		t.Errorf("%s: its failure was not told", where)
	}
	if err != nil {
		checkFault(t, where, fail, path, err)
	}
	if fail != errDead && err != nil && op != "remove" && op != "sub" && op != "names" && op != "mkdir" {
		if left := inTmp(tree(t, path)); len(left) != 0 {
			t.Errorf("%s: left %v", where, left)
		}
	}
	checkWhole(t, where, layout, path, bodies)
	again(t, where, layout, path, bodies)
	return true
}

// checkFault demands an error of class disk that names the place and the cause.
func checkFault(t *testing.T, where string, fail error, path string, err error) {
	t.Helper()
	if !errors.Is(err, fail) || mail.ErrorClass(err) != mail.ClassDisk || !strings.Contains(err.Error(), path) {
		t.Errorf("%s: got %v of class %v", where, err, mail.ErrorClass(err))
	}
	if fail != errDead && mail.ErrorHint(err) == "" {
		t.Errorf("%s: no hint", where)
	}
}

// checkWhole looks at every file that a reader can see.
func checkWhole(t *testing.T, where string, layout Layout, path string, bodies []string) {
	t.Helper()
	for _, name := range tree(t, path) {
		if filepath.Base(filepath.Dir(name)) == "tmp" {
			continue
		}
		key, _, ok := parseName(filepath.Base(name))
		i := 0
		for i < len(bodies) && keyOf(i) != key {
			i++
		}
		if !ok || i == len(bodies) {
			t.Errorf("%s: %s is no message", where, name)
			continue
		}
		data, err := os.ReadFile(filepath.Join(path, name))
		if _, stored, _ := want(bodies[i]); err != nil || string(data) != stored {
			t.Errorf("%s: %s is visible with %d of %d bytes, %v", where, name, len(data), len(stored), err)
		}
	}
}

// again is the next run, on a good disk: it fetches what is not there.
func again(t *testing.T, where string, layout Layout, path string, bodies []string) {
	t.Helper()
	s := openStore(t, path, layout)
	s.small = crashSmall
	for i, text := range bodies {
		box := openBox(t, s, []mail.MailboxName{mail.Inbox, "Work/2024"}[i%2])
		keys, err := box.Keys(mailtest.EveryKey)
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		if !keys.Contains(keyOf(i)) {
			put(t, s, box, keyOf(i), strings.NewReader(text), mail.Item{Date: someDate})
		}
	}
	if files := tree(t, path); len(files) != len(bodies) || len(inTmp(files)) != 0 {
		t.Errorf("%s: the next run ends with %v", where, files)
	}
	checkWhole(t, where, layout, path, bodies)
}

// The order of the barriers: all writing, one flush of the data, all renames,
// one flush of the names.
func TestBarriers(t *testing.T) {
	t.Parallel()
	for _, noFS := range []bool{false, true} {
		f := &faults{noFS: noFS}
		s, err := openFaulty(t, t.TempDir(), Maildirpp, f)
		if err != nil {
			t.Fatal(err)
		}
		if err := climb(s, []string{body(10), body(20), body(30)}); err != nil {
			t.Fatal(err)
		}
		begin := 0
		if !noFS {
			begin = slices.Index(f.ops, "syncfs") + 1 // before the first write
		}
		var order []string
		for _, op := range f.since(begin) {
			if len(order) == 0 || order[len(order)-1] != op {
				order = append(order, op)
			}
		}
		got := strings.Join(slices.DeleteFunc(order, func(op string) bool {
			return op == "sub" || op == "mkdir" || op == "names" || op == "remove" || op == "create"
		}), " ")
		want := "write close write close write close settime syncfs rename syncfs"
		if noFS {
			want = "write settime fsync close settime fsync close rename sync"
		}
		if compact(got) != compact(want) {
			t.Errorf("file by file %v: got %s, want %s", noFS, got, want)
		}
	}
}

// compact leaves of each barrier's side only the set of operations: two
// writers write in any order.
func compact(ops string) string {
	var out []string
	for _, op := range strings.Fields(ops) {
		barrier := op == "syncfs" || op == "rename" || op == "sync"
		if barrier || !slices.Contains(out, op) {
			out = append(out, op)
		}
	}
	return strings.Join(out, " ")
}

// A second message in a folder whose names are durable costs one flush of the
// data and one of the directory.
func TestNamesAreFlushedWhereTheyChanged(t *testing.T) {
	t.Parallel()
	f := &faults{}
	s, err := openFaulty(t, t.TempDir(), Maildirpp, f)
	if err != nil {
		t.Fatal(err)
	}
	box := openBox(t, s, "Work")
	put(t, s, box, keyOf(1), strings.NewReader("x"), mail.Item{})
	n := len(f.since(0))
	put(t, s, box, keyOf(2), strings.NewReader("x"), mail.Item{})
	want := "sub sub sub sub create write close syncfs rename sync"
	if got := strings.Join(f.since(n), " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A folder that somebody removes while the store is open is made again, and
// then its name is flushed again.
func TestFolderMadeAgain(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	f := &faults{}
	s, err := openFaulty(t, path, Maildirpp, f)
	if err != nil {
		t.Fatal(err)
	}
	box := openBox(t, s, "Work")
	put(t, s, box, keyOf(1), strings.NewReader("x"), mail.Item{})
	if err := os.RemoveAll(filepath.Join(path, ".Work")); err != nil {
		t.Fatal(err)
	}
	n := len(f.since(0))
	put(t, s, box, keyOf(2), strings.NewReader("x"), mail.Item{})
	if ops := f.since(n); strings.Count(strings.Join(ops, " "), "sync") != 4 || ops[len(ops)-1] != "sync" {
		t.Errorf("got %v, want syncfs for the data and sync for new/, Work and the account's folder", ops)
	}
}

// Keys must not tell of a message whose name a power cut could still take: the
// caller is about to remember it.
func TestKeysAreDurable(t *testing.T) {
	t.Parallel()
	for _, noFS := range []bool{false, true} {
		path := t.TempDir()
		box := openBox(t, openStore(t, path, Maildirpp), "Work")
		put(t, box.(*Box).folder.store, box, keyOf(1), strings.NewReader("x"), mail.Item{})

		f := &faults{noFS: noFS}
		s, err := openFaulty(t, path, Maildirpp, f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := openBox(t, s, "Empty").Keys(mailtest.EveryKey); err != nil || slices.Contains(f.since(0), "sync") {
			t.Errorf("an empty folder: %v, %v", f.since(0), err)
		}
		box = openBox(t, s, "Work")
		n := len(f.since(0))
		if _, err := box.Keys(mailtest.EveryKey); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(slices.DeleteFunc(f.since(n), func(op string) bool { return op == "sub" }), " ")
		want := "names names syncfs"
		if noFS {
			want = "names names sync sync sync sync" // new, cur, the account's folder, Work
		}
		if got != want {
			t.Errorf("file by file %v: got %s, want %s", noFS, got, want)
		}
		f.at, f.err = len(f.since(0))+len(strings.Fields(want))+4, syscall.EIO
		if _, err := box.Keys(mailtest.EveryKey); !errors.Is(err, syscall.EIO) && !noFS {
			f.at = len(f.since(0)) + 7 // the folder's own names are durable now
			if _, err = box.Keys(mailtest.EveryKey); !errors.Is(err, syscall.EIO) {
				t.Errorf("a failed flush: got %v, %v", err, f.since(n))
			}
		}
	}
}

// A body that breaks off is not the disk's fault, and the disk's fault is not
// the body's.
func TestWhoseErrorItIs(t *testing.T) {
	t.Parallel()
	cut := errors.New("connection cut")
	long := strings.Repeat(body(1000), 2*smallBody/1000)
	for _, head := range []string{"", "x", long, long + "\n"} {
		path := t.TempDir()
		s := openStore(t, path, Maildirpp)
		b := s.NewBatch()
		err := b.Add(openBox(t, s, mail.Inbox), keyOf(1), io.MultiReader(strings.NewReader(head), errReader{cut}))
		if err != cut {
			t.Errorf("behind %d bytes: got %v, want the reader's own error", len(head), err)
		}
		if files := tree(t, path); len(files) != 0 || b.Len() != 0 || b.Size() != 0 {
			t.Errorf("behind %d bytes: left %v, %d messages, %d bytes", len(head), files, b.Len(), b.Size())
		}
		if _, err := b.Seal(); err != nil {
			t.Errorf("behind %d bytes: the batch is spoiled: %v", len(head), err)
		}
		b.Abort()
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }
