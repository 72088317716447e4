package durable_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mailpull/pkg/durable"
)

func openDir(t *testing.T, path string) durable.Dir {
	t.Helper()
	d, err := durable.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func write(t *testing.T, d durable.Dir, name, text string) {
	t.Helper()
	f, err := d.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func mustHold(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s holds %q, want %q", filepath.Base(path), got, want)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := openDir(t, path)
	write(t, d, "a", "one")
	mustHold(t, filepath.Join(path, "a"), "one")
	info, err := os.Stat(filepath.Join(path, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("mode %v, want -rw-------", info.Mode())
	}
	_, err = d.Create("a")
	var pathErr *fs.PathError
	if !errors.Is(err, fs.ErrExist) || !errors.As(err, &pathErr) || pathErr.Path != path+"/a" {
		t.Errorf("second Create: got %v, want fs.ErrExist with the whole path", err)
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	d := openDir(t, t.TempDir())
	for i, text := range []string{"one\n", "two\n"} {
		f, err := d.Append("log")
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.WriteString(f, text); n != 4 || err != nil {
			t.Fatal(n, err)
		}
		if size, err := f.Size(); size != int64(4*(i+1)) || err != nil {
			t.Errorf("size %d, %v", size, err)
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("second Close: got %v, want os.ErrClosed", err)
		}
		if _, err := f.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Write after Close: got %v, want os.ErrClosed", err)
		}
	}

	f, err := d.Append("log")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	buf := make([]byte, 6)
	if n, err := f.ReadAt(buf, 2); n != 6 || err != nil || string(buf) != "e\ntwo\n" {
		t.Errorf("ReadAt: %d, %v, %q", n, err, buf)
	}
	if n, err := f.ReadAt(buf, 5); n != 3 || err != io.EOF {
		t.Errorf("ReadAt over the end: %d, %v, want 3 and io.EOF", n, err)
	}
	if err := f.Truncate(4); err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(f); err != nil || string(all) != "one\n" {
		t.Errorf("read %q, %v after Truncate", all, err)
	}
}

func TestRenameNeverOverwrites(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := openDir(t, path)
	if err := d.Mkdir("sub"); err != nil {
		t.Fatal(err)
	}
	sub, err := d.Sub("sub")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	write(t, d, "a", "new")
	write(t, sub, "b", "old")

	err = d.Rename("a", sub, "b")
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want fs.ErrExist", err)
	}
	mustHold(t, path+"/sub/b", "old")
	mustHold(t, path+"/a", "new")
	if err := d.Rename("a", sub, "c"); err != nil {
		t.Fatal(err)
	}
	mustHold(t, path+"/sub/c", "new")
	if err := d.Rename("a", sub, "d"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	if err := sub.Rename("c", sub, "c2"); err != nil {
		t.Errorf("within one directory: %v", err)
	}
	if err := sub.Replace("c2", "b"); err != nil {
		t.Fatal(err)
	}
	mustHold(t, path+"/sub/b", "new")
}

func TestNamesAreSingleComponents(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := openDir(t, path)
	write(t, d, "ok", "")
	for _, name := range []string{"", ".", "..", "/", "a/b", "../a", "a\x00b", strings.Repeat("x", 256)} {
		calls := map[string]error{
			"Remove":     d.Remove(name),
			"Mkdir":      d.Mkdir(name),
			"SetTime":    d.SetTime(name, time.Now()),
			"Replace":    d.Replace("ok", name),
			"Replace of": d.Replace(name, "ok"),
			"Rename":     d.Rename("ok", d, name),
			"Rename of":  d.Rename(name, d, "ok2"),
		}
		_, calls["Create"] = d.Create(name)
		_, calls["Append"] = d.Append(name)
		_, calls["Open"] = d.Open(name)
		_, calls["Sub"] = d.Sub(name)
		for call, err := range calls {
			if !errors.Is(err, durable.ErrName) {
				t.Errorf("%s %.20q: got %v, want ErrName", call, name, err)
			}
		}
	}
}

func TestLinksAreRefused(t *testing.T) {
	t.Parallel()
	path, outside := t.TempDir(), t.TempDir()
	d := openDir(t, path)
	for name, target := range map[string]string{"dir": outside, "file": outside + "/victim", "loop": "loop"} {
		if err := os.Symlink(target, filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Sub(name); !errors.Is(err, syscall.ELOOP) {
			t.Errorf("Sub %s: got %v, want ELOOP", name, err)
		}
		if _, err := d.Append(name); !errors.Is(err, syscall.ELOOP) {
			t.Errorf("Append %s: got %v, want ELOOP", name, err)
		}
		if _, err := d.Open(name); !errors.Is(err, syscall.ELOOP) {
			t.Errorf("Open %s: got %v, want ELOOP", name, err)
		}
		if _, err := d.Create(name); !errors.Is(err, fs.ErrExist) {
			t.Errorf("Create %s: got %v, want fs.ErrExist", name, err)
		}
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 0 {
		t.Errorf("outside now holds %v, %v", entries, err)
	}
}

func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := openDir(t, path)
	if err := syscall.Mkfifo(path+"/pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	// Opening a pipe for reading waits for a writer; this must not.
	if _, err := d.Open("pipe"); err == nil {
		t.Error("a pipe was opened")
	}
	if err := d.Mkdir("dir"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open("dir"); err == nil {
		t.Error("a directory was opened as a file")
	}
}

func TestSetTime(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := openDir(t, path)
	write(t, d, "a", "x")
	want := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	if err := d.SetTime("a", want); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path + "/a")
	if err != nil {
		t.Fatal(err)
	}
	if !info.ModTime().Equal(want) {
		t.Errorf("got %v, want %v", info.ModTime().UTC(), want)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	d := openDir(t, t.TempDir())
	var want []string
	for i := range 1500 { // more than Names holds at a time
		name := "f" + strings.Repeat("x", i%7) + time.Duration(i).String()
		write(t, d, name, "")
		want = append(want, name)
	}
	if err := d.Mkdir("folder"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for range 2 { // each call begins anew
		got = nil
		err := d.Names(func(name string, isDir bool) error {
			if isDir != (name == "folder") {
				t.Errorf("%q: isDir is %v", name, isDir)
			}
			if !isDir {
				got = append(got, name)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %d names, want %d", len(got), len(want))
	}
	stop := errors.New("stop")
	if err := d.Names(func(string, bool) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want the function's error", err)
	}
}

func TestDirFollowsItsInode(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	if err := os.Mkdir(path+"/before", 0o700); err != nil {
		t.Fatal(err)
	}
	d := openDir(t, path+"/before")
	if err := os.Rename(path+"/before", path+"/after"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), path+"/before"); err != nil {
		t.Fatal(err)
	}
	write(t, d, "a", "x")
	mustHold(t, path+"/after/a", "x")
}

func TestClosedDir(t *testing.T) {
	t.Parallel()
	d := openDir(t, t.TempDir())
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	_, create := d.Create("a")
	for _, err := range []error{create, d.Sync(), d.SyncFS(), d.Close(), d.Names(nil)} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("got %v, want os.ErrClosed", err)
		}
	}
}

// A descriptor's number is given out again at once. Files that were created
// while the directory was closed must be in it or nowhere.
func TestCloseWhileInUse(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for range 50 {
		d, err := durable.OpenDir(root)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 20 {
					if err := d.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
						t.Error(err)
					}
				}
			})
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	}
}

func TestSync(t *testing.T) {
	t.Parallel()
	d := openDir(t, t.TempDir())
	if err := d.Sync(); err != nil {
		t.Error(err)
	}
	if err := d.SyncFS(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}

func TestSameDevice(t *testing.T) {
	t.Parallel()
	a := openDir(t, t.TempDir())
	if !durable.SameDevice(a, openDir(t, t.TempDir())) {
		t.Error("two folders of one file system are said to be on two")
	}
	if durable.SameDevice(a, openDir(t, "/dev")) {
		t.Skip("this machine has one file system only")
	}
	if !durable.SameDevice(a, struct{ durable.Dir }{a}) {
		t.Error("of a Dir that tells nothing, the worst is said")
	}
}
