package mailtest_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailpull/pkg/durable"
	"mailpull/pkg/mailtest"
)

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// cause is what errors.Is finds in a Dir's error.
func cause(err error) string {
	for _, known := range []error{fs.ErrExist, fs.ErrNotExist, fs.ErrClosed, durable.ErrName, syscall.EISDIR,
		syscall.ENOTDIR, syscall.EBADF, io.EOF, errors.ErrUnsupported} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if err != nil {
		return "other"
	}
	return "none"
}

// transcript does everything that can be done to a Dir and returns what
// happened, a line for each step.
func transcript(t *testing.T, d durable.Dir) []string {
	t.Helper()
	var did []string
	note := func(what string, err error, values ...any) {
		did = append(did, fmt.Sprint(what, ": ", cause(err), " ", values))
		pathErr, isPath := errors.AsType[*fs.PathError](err)
		linkErr, isLink := errors.AsType[*os.LinkError](err)
		if isPath && !strings.HasPrefix(pathErr.Path, d.Path()) || isLink && !strings.HasPrefix(linkErr.New, d.Path()) {
			t.Errorf("%s: %v does not say where", what, err)
		}
	}
	for _, name := range []string{"", ".", "..", "a/b", "a\x00", strings.Repeat("x", 256)} {
		_, err := d.Create(name)
		note("create "+name, err)
	}
	onFile(d, note)

	note("mkdir", d.Mkdir("sub"))
	note("mkdir twice", d.Mkdir("sub"))
	note("remove a folder", nil, d.Remove("sub") == nil) // each kernel has its own word for no
	_, err := d.Append("sub")
	note("append to a folder", err)
	_, err = d.Sub("file")
	note("sub of a file", err)
	_, err = d.Sub("missing")
	note("sub of nothing", err)
	sub := must[durable.Dir](t)(d.Sub("sub"))
	note("rename", d.Rename("file", sub, "moved"))
	note("rename what is gone", d.Rename("file", sub, "moved"))
	_, err = d.Append("file")
	note("append anew", err)
	note("rename over", d.Rename("file", sub, "moved"))
	note("rename over itself", d.Rename("file", d, "file"))
	note("rename to a bad name", d.Rename("file", sub, ".."))
	note("rename to another disk", d.Rename("file", mailtest.Disk(d, &mailtest.Steps{}), "x"))
	note("replace over a folder", d.Replace("file", "sub"))
	note("replace what is gone", d.Replace("missing", "file"))
	note("replace", d.Replace("file", "other"))
	note("remove what is gone", d.Remove("file"))
	note("time", d.SetTime("other", time.Unix(1, 0)))
	note("time of nothing", d.SetTime("file", time.Unix(1, 0)))
	note("sync", d.Sync())
	for _, dir := range []durable.Dir{d, sub} {
		var names []string
		note("names", dir.Names(func(name string, isDir bool) error {
			names = append(names, fmt.Sprint(name, isDir))
			return nil
		}))
		slices.Sort(names)
		note("they are", nil, names)
		note("names stopped", dir.Names(func(string, bool) error { return io.EOF }))
	}
	note("close", sub.Close())
	return did
}

// onFile makes a file and does everything that can be done to one.
func onFile(d durable.Dir, note func(what string, err error, values ...any)) {
	_, err := d.Open("file")
	note("open nothing", err)
	buf := make([]byte, 4)
	for _, open := range []func(string) (durable.File, error){d.Create, d.Append, d.Open, d.Create} {
		f, err := open("file")
		note("open", err)
		if err != nil {
			continue
		}
		n, err := f.Write([]byte("onetwo"))
		note("write", err, n)
		n, err = f.ReadAt(buf, 3)
		note("read at 3", err, n, string(buf[:n]))
		n, err = f.ReadAt(buf, 99)
		note("read at 99", err, n)
		n, err = f.Read(nil)
		note("read nothing", err, n)
		for range 4 {
			n, err = f.Read(buf)
			note("read", err, n, string(buf[:n]))
		}
		note("truncate", nil, f.Truncate(7) == nil) // each kernel has its own word for no
		size, err := f.Size()
		note("size", err, size)
		note("sync", f.Sync())
		note("close", f.Close())
		note("close twice", f.Close())
		_, err = f.Write([]byte("x"))
		note("write when closed", err)
	}
}

// The disk in memory does what a real one does.
func TestMemDiskIsADir(t *testing.T) {
	t.Parallel()
	real := must[durable.Dir](t)(durable.OpenDir(t.TempDir()))
	defer real.Close()
	want := transcript(t, real)
	got := transcript(t, mailtest.NewMemDisk("/disk"))
	if len(got) != len(want) {
		t.Fatalf("%d steps, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("step %d: got %s, want %s", i, got[i], want[i])
		}
	}
}

// write appends text to a file and flushes it if asked.
func write(t *testing.T, d durable.Dir, name, text string, flush bool) {
	t.Helper()
	f := must[durable.File](t)(d.Append(name))
	must[int](t)(f.Write([]byte(text)))
	if flush {
		ok(t, f.Sync())
	}
	ok(t, f.Close())
}

// outcomes returns what a file holds after many power cuts, in order, without
// doubles; "gone" when it is not there.
func outcomes(d *mailtest.MemDisk, folder, name string) []string {
	rnd := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	for range 500 {
		seen[content(d.PowerCut(rnd), folder, name)] = true
	}
	var all []string
	for text := range seen {
		all = append(all, text)
	}
	slices.Sort(all)
	return all
}

func content(d *mailtest.MemDisk, folder, name string) string {
	if folder != "" {
		sub, err := d.Sub(folder)
		if err != nil {
			return "gone"
		}
		d = sub.(*mailtest.MemDisk)
	}
	if data := d.Bytes(name); data != nil {
		return string(data)
	}
	return "gone"
}

func TestPowerCut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do     func(t *testing.T, d *mailtest.MemDisk)
		folder string
		want   []string
	}{
		"all flushed": {do: func(t *testing.T, d *mailtest.MemDisk) {
			write(t, d, "f", "ab", true)
			ok(t, d.Sync())
		}, want: []string{"ab"}},
		"name not flushed": {do: func(t *testing.T, d *mailtest.MemDisk) {
			write(t, d, "f", "ab", true)
		}, want: []string{"ab", "gone"}},
		"tail not flushed": {do: func(t *testing.T, d *mailtest.MemDisk) {
			d.Put("f", []byte("ab"))
			write(t, d, "f", "cd", false)
		}, want: []string{"ab", "ab\x00", "ab\x00\x00", "ab\x00d", "abc", "abc\x00", "abcd"}},
		"truncation not flushed": {do: func(t *testing.T, d *mailtest.MemDisk) {
			d.Put("f", []byte("ab"))
			f := must[durable.File](t)(d.Append("f"))
			ok(t, f.Truncate(1))
		}, want: []string{"a", "ab"}},
		"removal not flushed": {do: func(t *testing.T, d *mailtest.MemDisk) {
			d.Put("f", []byte("ab"))
			ok(t, d.Remove("f"))
		}, want: []string{"ab", "gone"}},
		"replaced, not flushed": {do: func(t *testing.T, d *mailtest.MemDisk) {
			d.Put("f", []byte("old"))
			write(t, d, "tmp", "new", true)
			ok(t, d.Replace("tmp", "f"))
		}, want: []string{"new", "old"}},
		"delivered": {folder: "new", do: func(t *testing.T, d *mailtest.MemDisk) {
			sub := deliver(t, d)
			ok(t, d.Sync())
			ok(t, sub.Sync())
		}, want: []string{"ab"}},
		"folder's own name not flushed": {folder: "new", do: func(t *testing.T, d *mailtest.MemDisk) {
			ok(t, deliver(t, d).Sync())
		}, want: []string{"ab", "gone"}},
		"whole file system flushed": {folder: "new", do: func(t *testing.T, d *mailtest.MemDisk) {
			sub := deliver(t, d)
			write(t, sub, "f", "cd", false)
			ok(t, sub.SyncFS())
		}, want: []string{"abcd"}},
	} {
		d := mailtest.NewMemDisk("/disk")
		c.do(t, d)
		before := content(d, c.folder, "f")
		if got := outcomes(d, c.folder, "f"); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		if after := content(d, c.folder, "f"); after != before {
			t.Errorf("%s: the disk itself was changed from %q to %q", name, before, after)
		}
		if got := outcomes(d.Clone(), c.folder, "f"); !slices.Equal(got, c.want) {
			t.Errorf("%s: a copy leaves %q, want %q", name, got, c.want)
		}
	}
}

// deliver makes a file in a folder of its own by a rename, with no name
// flushed.
func deliver(t *testing.T, d durable.Dir) durable.Dir {
	t.Helper()
	ok(t, d.Mkdir("new"))
	sub := must[durable.Dir](t)(d.Sub("new"))
	write(t, d, "tmp", "ab", true)
	ok(t, d.Rename("tmp", sub, "f"))
	return sub
}

func TestCloneIsItsOwn(t *testing.T) {
	t.Parallel()
	d := mailtest.NewMemDisk("/disk")
	write(t, d, "f", "ab", false)
	next := d.Clone()
	write(t, next, "f", "cd", true)
	write(t, d, "f", "ef", true)
	if got, other := string(d.Bytes("f")), string(next.Bytes("f")); got != "abef" || other != "abcd" || next.Path() != "/disk" {
		t.Errorf("got %q and %q at %s", got, other, next.Path())
	}
}
