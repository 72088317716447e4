package manifest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var _ pull.Manifest = (*File)(nil)

func options(dir durable.Dir) Options { return Options{Dir: dir, Account: "work"} }

// newDisk is an empty state directory.
func newDisk() *mailtest.MemDisk { return mailtest.NewMemDisk("/state/work") }

func mustOpen(t testing.TB, dir durable.Dir) *File {
	t.Helper()
	f, err := Open(options(dir))
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func delivery(ref mail.Ref) mail.Delivery {
	return mail.Delivery{
		Item:   mail.Item{Ref: ref},
		Key:    mail.NewKey("work", ref),
		Size:   4711,
		SHA256: sha256.Sum256([]byte(fmt.Sprint(ref))),
		Form:   mail.FormLF,
	}
}

func uid(n mail.UID) mail.Delivery {
	d := delivery(mail.Ref{Mailbox: "Work/\u00e9", Validity: 7, UID: n})
	d.Item.Flags = []string{`\Seen`, `$Label "x"`}
	d.Item.Date = time.Date(2024, 2, 3, 4, 5, int(n), 0, time.UTC)
	d.MessageID = fmt.Sprintf("<%d@example.com>", n)
	return d
}

func uidl(s mail.UIDL) mail.Delivery {
	d := delivery(mail.Ref{Mailbox: mail.Inbox, UIDL: s})
	d.Form = mail.FormWire
	return d
}

// appends are what a manifest goes through in many of the tests.
var appends = [][]mail.Delivery{
	{uid(1), uid(2), uid(4294967295)},
	{uidl("# \x00\r\n\"\\ \xff")},
	{uid(3), uidl("a"), uid(4), uid(5)},
	{uid(6), uid(7)},
}

func live(t testing.TB, f *File) {
	t.Helper()
	for _, group := range appends {
		check(t, f.Append(group))
	}
}

// livedFile returns the bytes of a file after its life.
func livedFile(t testing.TB) []byte {
	t.Helper()
	d := newDisk()
	live(t, mustOpen(t, d))
	return d.Bytes(fileName)
}

// diskWith is a disk whose manifest holds data, all of it flushed.
func diskWith(data []byte) *mailtest.MemDisk {
	d := newDisk()
	d.Put(fileName, data)
	return d
}

func scanAll(t testing.TB, f *File) (all []mail.Delivery) {
	t.Helper()
	check(t, f.Scan(func(d mail.Delivery) error {
		all = append(all, d)
		return nil
	}))
	return all
}

func TestGolden(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got := livedFile(t)
		path := filepath.Join("testdata", "manifest.golden")
		if *update {
			check(t, os.WriteFile(path, got, 0o644))
		}
		want, err := os.ReadFile(path)
		check(t, err)
		if string(got) != string(want) {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	})
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir, err := durable.OpenDir(t.TempDir())
	check(t, err)
	defer dir.Close()
	f := mustOpen(t, dir)
	if got := scanAll(t, f); got != nil {
		t.Errorf("a new manifest lists %v", got)
	}
	live(t, f)
	check(t, f.Close())
	f = mustOpen(t, dir)
	check(t, f.Append([]mail.Delivery{uid(99)}))
	check(t, f.Append(nil))
	want := append(slices.Concat(appends...), uid(99))
	if got := scanAll(t, f); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestScanStops(t *testing.T) {
	t.Parallel()
	f := mustOpen(t, newDisk())
	live(t, f)
	enough, n := errors.New("enough"), 0
	err := f.Scan(func(mail.Delivery) error {
		n++
		return enough
	})
	if err != enough || n != 1 {
		t.Errorf("got %v after %d lines", err, n)
	}
}

func TestAppendRefuses(t *testing.T) {
	t.Parallel()
	d := newDisk()
	f := mustOpen(t, d)
	long := strings.Repeat("x", maxName+1)
	for _, ref := range []mail.Ref{
		{Mailbox: "INBOX", Validity: 7},
		{Mailbox: "INBOX", UID: 1, UIDL: "a"},
		{Mailbox: mail.MailboxName(long), UID: 1},
		{Mailbox: "INBOX", UIDL: mail.UIDL(long)},
	} {
		err := f.Append([]mail.Delivery{uid(1), delivery(ref)})
		if mail.ErrorScope(err) != mail.ScopeMessage || err == nil || len(err.Error()) > 400 {
			t.Errorf("Append(%.80v) = %.500v", ref, err)
		}
	}
	if got := scanAll(t, f); got != nil {
		t.Errorf("refused appends wrote %v", got)
	}
}

// TestLongest writes the longest line that there can be.
func TestLongest(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("\x00", maxName)
	d := delivery(mail.Ref{Mailbox: mail.MailboxName(name), UIDL: mail.UIDL(name)})
	d.Item.Flags = slices.Repeat([]string{"\x00"}, 2*maxFlags)
	d.MessageID = name
	f := mustOpen(t, newDisk())
	check(t, f.Append([]mail.Delivery{d, uid(1)}))
	got := scanAll(t, f)
	if len(got) != 2 || got[0].Item.Ref != d.Item.Ref || len(got[0].Item.Flags) != maxFlags/2 || len(got[0].MessageID) != maxID {
		t.Errorf("%d lines", len(got))
	}
}

// TestTailIsEnough opens a file of which nothing but the end is read, and one
// whose last append is longer than what is read at first.
func TestTailIsEnough(t *testing.T) {
	t.Parallel()
	d := newDisk()
	f := mustOpen(t, d)
	var group []mail.Delivery
	for n := range mail.UID(1000) {
		group = append(group, uid(n+1))
	}
	for range 3 {
		check(t, f.Append(group))
		f = mustOpen(t, d)
	}
	data := d.Bytes(fileName)
	data[len(data)/2] ^= 1 // far from the end
	d.Put(fileName, data)
	f = mustOpen(t, d)
	check(t, f.Append(appends[0]))
	if err := f.Scan(func(mail.Delivery) error { return nil }); !errors.Is(err, ErrDamaged) {
		t.Errorf("Scan: %v", err)
	}
	data[len(data)/2] ^= 1
	// More than minTail of an append that has no end.
	cut := len(data) - len(data)/10
	f = mustOpen(t, diskWith(data[:cut]))
	if got := len(scanAll(t, f)); got != 2000 {
		t.Errorf("%d lines after the cut, want 2000", got)
	}
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	f := mustOpen(t, newDisk())
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() { // waited for below
			for n := range 25 {
				if err := f.Append([]mail.Delivery{uid(mail.UID(i*25 + n + 1))}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := len(scanAll(t, f)); got != 100 {
		t.Errorf("%d lines, want 100", got)
	}
}

// TestReadBesideAppend is on a real directory, where nothing keeps a reader and
// a writer apart.
func TestReadBesideAppend(t *testing.T) {
	t.Parallel()
	dir, err := durable.OpenDir(t.TempDir())
	check(t, err)
	defer dir.Close()
	f := mustOpen(t, dir)
	var wg sync.WaitGroup
	wg.Go(func() { // waited for below
		for n := range mail.UID(20) {
			if err := f.Append([]mail.Delivery{uid(n + 1), uid(n + 100)}); err != nil {
				t.Error(err)
			}
		}
	})
	for range 20 {
		n := 0
		if err := f.Scan(func(mail.Delivery) error { n++; return nil }); err != nil || n%2 != 0 {
			t.Errorf("%d lines, %v", n, err)
		}
	}
	wg.Wait()
}

func TestClosed(t *testing.T) {
	t.Parallel()
	f := mustOpen(t, newDisk())
	check(t, f.Close())
	check(t, f.Close())
	for _, err := range []error{f.Append(appends[0]), f.Scan(nil)} {
		if !errors.Is(err, errClosed) {
			t.Errorf("got %v", err)
		}
	}
}

func TestHints(t *testing.T) {
	t.Parallel()
	sealed := func(s string) []byte { return closeLine([]byte(s), 0, 0) }
	for name, c := range map[string]struct {
		data []byte
		want string
		is   error
	}{
		"newer version": {sealed("mailpull manifest 2 what else"),
			`manifest "work": the file has format version 2, this program knows version 1`, ErrVersion},
		"other account": {headerLine("home"),
			`manifest "work": the file is of account "home", not "work"`, ErrMismatch},
		"other file": {[]byte("From alice@example.com\n"),
			`manifest "work": line 1: hash does not match`, ErrDamaged},
		"zeros": {make([]byte, 1000),
			`manifest "work": line 1: the line has no end`, ErrDamaged},
		"header twice": {slices.Concat(headerLine("work"), headerLine("work"), headerLine("work")),
			`manifest "work": line 2: hash of the line before does not match`, ErrDamaged},
	} {
		d := diskWith(c.data)
		_, err := Open(options(d))
		if err == nil || err.Error() != c.want || !errors.Is(err, c.is) {
			t.Errorf("%s: got  %v\nwant %s", name, err, c.want)
			continue
		}
		if mail.ErrorRetry(err) != mail.RetryNever || mail.ErrorClass(err) != mail.ClassDisk || !strings.Contains(mail.ErrorHint(err), "/state/work/manifest") {
			t.Errorf("%s: retry %d, class %s, hint %q", name, mail.ErrorRetry(err), mail.ErrorClass(err), mail.ErrorHint(err))
		}
		if !bytes.Equal(d.Bytes(fileName), c.data) {
			t.Errorf("%s: the file was changed", name)
		}
	}
}
