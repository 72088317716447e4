package maildir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	gomaildir "github.com/emersion/go-maildir"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

func TestStoreSuite(t *testing.T) {
	t.Parallel()
	for _, layout := range []Layout{Maildirpp, FS} {
		for _, noFS := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s file by file %v", layout, noFS), func(t *testing.T) {
				t.Parallel()
				mailtest.TestStore(t, func(t *testing.T) pull.Store {
					s, err := openFaulty(t, t.TempDir(), layout, &faults{noFS: noFS})
					if err != nil {
						t.Fatal(err)
					}
					return s
				})
			})
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	if _, err := Open(Options{}); err == nil {
		t.Error("a store without a directory was opened")
	}
	if _, err := openFaulty(t, t.TempDir(), "mbox", &faults{}); err == nil {
		t.Error("a store of an unknown layout was opened")
	}
}

// The suite once more where every flush is a real one.
func TestStoreSuiteOnDisk(t *testing.T) {
	t.Parallel()
	mailtest.TestStore(t, func(t *testing.T) pull.Store { return openReal(t, t.TempDir(), Maildirpp) })
}

// Flags, folder and date are those of the server, and an independent reader
// of Maildir finds the messages.
func TestFlagsAndDates(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := openStore(t, path, Maildirpp)
	box := openBox(t, s, "Work")
	flags := map[string][]string{
		"":       nil,
		"2,F":    {`\Flagged`},
		"2,S":    {`\Seen`},
		"2,DRST": {`\Deleted`, `\Seen`, `\Draft`, `\Answered`},
	}
	wantFlags := make(map[string]string)
	n := 0
	for info, f := range flags {
		n++
		key := keyOf(n)
		put(t, s, box, key, strings.NewReader(body(100)), mail.Item{Flags: f, Date: someDate})
		wantFlags[key.String()] = strings.TrimPrefix(info, "2,")
		folder := "cur"
		if info == "" {
			folder = "new"
		}
		names, err := filepath.Glob(fmt.Sprintf("%s/.Work/%s/*.%v.mailpull,*%s", path, folder, key, info))
		if err != nil || len(names) != 1 {
			t.Fatalf("flags %v: found %v, %v", f, names, err)
		}
		st, err := os.Stat(names[0])
		if err != nil {
			t.Fatal(err)
		}
		if !st.ModTime().Equal(someDate) || st.Mode() != 0o600 {
			t.Errorf("flags %v: date %v, mode %v", f, st.ModTime(), st.Mode())
		}
	}

	dir := gomaildir.Dir(path + "/.Work")
	if unseen, err := dir.Unseen(); err != nil || len(unseen) != 1 { // moves it to cur/
		t.Errorf("go-maildir: %d unseen, %v", len(unseen), err)
	}
	messages, err := dir.Messages()
	if err != nil || len(messages) != len(flags) {
		t.Fatalf("go-maildir: %d messages, %v", len(messages), err)
	}
	for _, m := range messages {
		key, _, ok := parseName(filepath.Base(m.Filename()))
		var letters []rune
		for _, f := range m.Flags() {
			letters = append(letters, rune(f))
		}
		if want := wantFlags[key.String()]; !ok || string(letters) != want {
			t.Errorf("go-maildir: %s has flags %q, want %q", m.Filename(), string(letters), want)
		}
		r, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		if want := strings.ReplaceAll(body(100), "\r\n", "\n"); string(data) != want {
			t.Errorf("go-maildir: %q", data)
		}
		// Readers do as they please with what is behind the key.
		if err := m.SetFlags([]gomaildir.Flag{gomaildir.FlagTrashed, gomaildir.FlagSeen}); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := box.Keys(mailtest.EveryKey)
	if err != nil || len(keys) != len(flags) {
		t.Errorf("after a reader changed the flags: %d keys, %v", len(keys), err)
	}
	if got := readAll(t, box, keyOf(1), mail.FormLF); got != body(100) {
		t.Errorf("after a reader changed the flags: %q", got)
	}
}

func TestDatesAtTheEdge(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := openStore(t, path, Maildirpp)
	box := openBox(t, s, mail.Inbox)
	before := time.Now().Add(-time.Second)
	for i, date := range []time.Time{time.Unix(-1, 0), time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), time.Date(300_000, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, 0)} {
		put(t, s, box, keyOf(i), strings.NewReader("x"), mail.Item{Date: date})
	}
	put(t, s, box, keyOf(9), strings.NewReader("x"), mail.Item{})
	names, _ := filepath.Glob(fmt.Sprintf("%s/new/*.%v.*", path, keyOf(9)))
	if len(names) != 1 {
		t.Fatalf("found %v", names)
	}
	if st, err := os.Stat(names[0]); err != nil || st.ModTime().Before(before) {
		t.Errorf("without a date: %v, %v", st.ModTime(), err)
	}
	if keys, err := box.Keys(mailtest.EveryKey); err != nil || len(keys) != 5 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

func TestReplacedAndDropped(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := openStore(t, path, Maildirpp)
	box := openBox(t, s, mail.Inbox)
	b := s.NewBatch()
	large := strings.Repeat(body(1000), 2*smallBody/1000)
	for _, text := range []string{"first", large, "second", large, "third"} {
		if err := b.Add(box, keyOf(1), strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	for n := 2; n < 100; n++ { // dropped before, while and after they are written
		if err := b.Add(box, keyOf(n), strings.NewReader(body(n*100))); err != nil {
			t.Fatal(err)
		}
		b.Drop(keyOf(n))
	}
	if b.Len() != 1 || b.Size() != 5 {
		t.Errorf("batch has %d messages, %d bytes, want 1 and 5", b.Len(), b.Size())
	}
	sealed, err := b.Seal()
	if err != nil || len(sealed) != 1 || sealed[keyOf(1)].Size != 5 {
		t.Errorf("sealed %v, %v", sealed, err)
	}
	if files := tree(t, path); len(files) != 1 {
		t.Errorf("dropped messages left %v", files)
	}
	if err := b.Flush(map[mail.Key]mail.Item{keyOf(1): {}}); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, box, keyOf(1), mail.FormWire); got != "third" {
		t.Errorf("got %q", got)
	}
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := openStore(t, path, Maildirpp)
	box := openBox(t, s, mail.Inbox)
	other := openBox(t, openStore(t, t.TempDir(), Maildirpp), mail.Inbox)

	b := s.NewBatch()
	if err := b.Add(other, keyOf(1), strings.NewReader("x")); err == nil {
		t.Error("a message for another store was taken")
	}
	if err := b.Add(box, keyOf(1), strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Seal(); err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(map[mail.Key]mail.Item{keyOf(1): {}, keyOf(2): {}}); err == nil {
		t.Error("a message that is not in the batch was flushed")
	}
	if files := tree(t, path); len(files) != 0 {
		t.Errorf("left %v", files)
	}
	b = s.NewBatch()
	b.Rekey(other, keyOf(1), keyOf(2))
	if err := b.Flush(nil); err == nil {
		t.Error("a message of another store was given a key")
	}
}

// A reader that gives nothing and no error must not hang us.
func TestBodyWithoutProgress(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir(), Maildirpp)
	b := s.NewBatch()
	defer b.Abort()
	for _, head := range []string{"", strings.Repeat(body(100), 2*smallBody/100)} {
		err := b.Add(openBox(t, s, mail.Inbox), keyOf(1), io.MultiReader(strings.NewReader(head), stuck{}))
		if !errors.Is(err, io.ErrNoProgress) {
			t.Errorf("behind %d bytes: got %v, want io.ErrNoProgress", len(head), err)
		}
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestStaleFilesAreRemoved(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	openBox(t, openStore(t, path, FS), "Work")
	stale := filepath.Join(path, "Work", "tmp", tmpName(123, keyOf(1)))
	foreign := filepath.Join(path, "Work", "tmp", "1577934245.M1P2.host")
	done := filepath.Join(path, "Work", "tmp", "1."+keyOf(2).String()+".mailpull,S=1,W=1")
	for _, name := range []string{stale, foreign, done} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := openStore(t, path, FS)
	box := openBox(t, s, "Work")
	if got, want := tree(t, path), []string{"Work/tmp/" + filepath.Base(done), "Work/tmp/" + filepath.Base(foreign)}; !sameSet(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
	if keys, err := box.Keys(mailtest.EveryKey); err != nil || len(keys) != 0 {
		t.Errorf("%d keys in tmp/, %v", len(keys), err)
	}

	// Only at the first opening: later ones would remove what is being written.
	b := s.NewBatch()
	if err := b.Add(box, keyOf(3), strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Seal(); err != nil {
		t.Fatal(err)
	}
	openBox(t, s, "Work")
	if err := b.Flush(map[mail.Key]mail.Item{keyOf(3): {}}); err != nil {
		t.Error(err)
	}
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// A link in the place of a folder would lead out of the archive. It costs its
// mailbox, and no other one.
func TestLinksAreRefused(t *testing.T) {
	t.Parallel()
	for _, link := range []string{".Work", ".Work/tmp", ".Work/new", ".Work/cur"} {
		path, outside := t.TempDir(), t.TempDir()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(path, link)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(path, link)); err != nil {
			t.Fatal(err)
		}
		s := openStore(t, path, Maildirpp)
		_, err := s.Box(mail.Mailbox{Name: "Work", Delimiter: '/'})
		if !errors.Is(err, syscall.ELOOP) || mail.ErrorScope(err) != mail.ScopeMailbox || mail.ErrorClass(err) != mail.ClassDisk {
			t.Errorf("%s: got %v of scope %v", link, err, mail.ErrorScope(err))
		}
		if !strings.Contains(mail.ErrorHint(err), "symbolic link") {
			t.Errorf("%s: hint %q", link, mail.ErrorHint(err))
		}
		openBox(t, s, "Other")
		if entries, err := os.ReadDir(outside); err != nil || len(entries) != 0 {
			t.Errorf("%s: outside there is %v, %v", link, entries, err)
		}
	}
}

// A folder that is taken away or swapped for a link while the store is open
// leads nowhere else.
func TestFolderSwappedWhileOpen(t *testing.T) {
	t.Parallel()
	path, outside := t.TempDir(), t.TempDir()
	s := openStore(t, path, Maildirpp)
	box := openBox(t, s, "Work")
	b := s.NewBatch()
	if err := b.Add(box, keyOf(1), strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Seal(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"/.Work", path+"/moved"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, path+"/.Work"); err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(map[mail.Key]mail.Item{keyOf(1): {}}); err != nil {
		t.Errorf("into the folder that was open: %v", err)
	}
	if _, err := box.Keys(mailtest.EveryKey); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("got %v, want ELOOP", err)
	}
	if err := os.Remove(path + "/.Work"); err != nil {
		t.Fatal(err)
	}
	put(t, s, box, keyOf(2), strings.NewReader("y"), mail.Item{})
	if got := tree(t, path); len(got) != 2 || len(tree(t, outside)) != 0 {
		t.Errorf("got %v", got)
	}
}

// An archive in the other layout is refused, and named.
func TestOtherLayoutIsRefused(t *testing.T) {
	t.Parallel()
	for _, layouts := range [][2]Layout{{FS, Maildirpp}, {Maildirpp, FS}} {
		path := t.TempDir()
		s := openReal(t, path, layouts[0])
		put(t, s, openBox(t, s, mail.Inbox), keyOf(1), strings.NewReader("x"), mail.Item{})
		openReal(t, path, layouts[0])
		dir, err := durable.OpenDir(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = dir.Close() })
		_, err = Open(Options{Dir: dir, Layout: layouts[1]})
		if err == nil || !strings.Contains(err.Error(), "in layout "+string(layouts[0])) || mail.ErrorClass(err) != mail.ClassDisk {
			t.Errorf("%s opened as %s: got %v", layouts[0], layouts[1], err)
		}
	}
}

func TestMissingKey(t *testing.T) {
	t.Parallel()
	box := openBox(t, openStore(t, t.TempDir(), FS), "Work")
	if text, ok := read(t, box, keyOf(1), mail.FormLF); ok {
		t.Errorf("got %q, want nothing", text)
	}
}

// Descriptors are held by batches only, so ten thousand mailboxes need few.
func TestBoxesHoldNoDescriptors(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir(), FS)
	for i := range 20 {
		box := openBox(t, s, mail.MailboxName(fmt.Sprintf("a/b/%d", i)))
		put(t, s, box, keyOf(i), strings.NewReader("x"), mail.Item{})
		if _, err := box.Keys(mailtest.EveryKey); err != nil {
			t.Fatal(err)
		}
	}
	for path, f := range s.folders {
		if f.users != 0 || f.dirs != nil {
			t.Errorf("%s is still held by %d", path, f.users)
		}
	}
}

func TestRekeyKeepsTheRest(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := openStore(t, path, Maildirpp)
	box := openBox(t, s, mail.Inbox)
	put(t, s, box, keyOf(1), strings.NewReader("one\r\n"), mail.Item{Date: someDate, Flags: []string{`\Seen`}})
	put(t, s, box, keyOf(2), strings.NewReader("two\r\n"), mail.Item{Date: someDate})
	b := s.NewBatch()
	b.Rekey(box, keyOf(1), keyOf(11))
	b.Rekey(box, keyOf(2), keyOf(12))
	b.Rekey(box, keyOf(3), keyOf(13))
	if err := b.Flush(nil); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"cur/1577934245." + keyOf(11).String() + ".mailpull,S=4,W=5:2,S",
		"new/1577934245." + keyOf(12).String() + ".mailpull,S=4,W=5",
	}
	if got := tree(t, path); !sameSet(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// P6: a message of any size passes through a few MiB.
func TestLargeMessageInLittleMemory(t *testing.T) {
	// Not parallel: it looks at the memory of the whole process.
	path := t.TempDir()
	s := openStore(t, path, Maildirpp)
	box := openBox(t, s, mail.Inbox)
	const size = 64 << 20
	line := []byte(strings.Repeat("x", 1022) + "\r\n")
	for name, end := range map[string]string{"proper": "", "begun again at the end": "\n"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b := s.NewBatch()
		err := b.Add(box, keyOf(1), io.MultiReader(io.LimitReader(&repeated{line: line}, size), strings.NewReader(end)))
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
			t.Errorf("%s: %d bytes of memory", name, used)
		}
		sealed, err := b.Seal()
		if err != nil || sealed[keyOf(1)].Size != int64(size+len(end)) {
			t.Errorf("%s: sealed %d bytes, %v", name, sealed[keyOf(1)].Size, err)
		}
		b.Abort()
	}
	if files := tree(t, path); len(files) != 0 {
		t.Errorf("left %v", files)
	}
}

type repeated struct {
	line []byte
	at   int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		m := copy(p[n:], r.line[r.at:])
		n += m
		r.at = (r.at + m) % len(r.line)
	}
	return n, nil
}

// The queue is bounded by bytes: nothing is lost or stuck when it is full.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir(), Maildirpp)
	s.queue = newBudget(smallBody)
	box := openBox(t, s, mail.Inbox)
	b := s.NewBatch()
	items := make(map[mail.Key]mail.Item)
	for n := range 40 {
		if err := b.Add(box, keyOf(n), iotest.HalfReader(strings.NewReader(body(n*10_000)))); err != nil {
			t.Fatal(err)
		}
		items[keyOf(n)] = mail.Item{Date: someDate}
	}
	if _, err := b.Seal(); err != nil {
		t.Fatal(err)
	}
	if s.queue.free != smallBody {
		t.Errorf("%d bytes of the queue are free, want all", s.queue.free)
	}
	if err := b.Flush(items); err != nil {
		t.Fatal(err)
	}
	for n := range 40 {
		if got := readAll(t, box, keyOf(n), mail.FormLF); got != body(n*10_000) {
			t.Errorf("message %d differs", n)
		}
	}
}
