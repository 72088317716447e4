package durable_test

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"mailpull/pkg/durable"
	"mailpull/pkg/mailtest"
)

func TestWriteFile(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := openDir(t, path)
	for _, text := range []string{"first", "the second is longer", ""} {
		if err := durable.WriteFile(d, "state", []byte(text)); err != nil {
			t.Fatal(err)
		}
		mustHold(t, path+"/state", text)
	}
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) != 1 {
		t.Errorf("got %v, %v, want the one file", entries, err)
	}
}

// Whatever step it is stopped at, by an error or for good, the file holds all
// of the old bytes or all of the new ones, and the next WriteFile works.
func TestWriteFileStopped(t *testing.T) {
	t.Parallel()
	for _, stop := range []error{syscall.ENOSPC, mailtest.ErrKilled} {
		for n := 1; ; n++ {
			path := t.TempDir()
			d := openDir(t, path)
			if err := durable.WriteFile(d, "state", []byte("old")); err != nil {
				t.Fatal(err)
			}
			steps := mailtest.StopAt(n, stop)
			err := durable.WriteFile(mailtest.Disk(d, steps), "state", []byte("new"))
			if steps.Count() < n {
				if err != nil || n < 5 {
					t.Errorf("%d steps, %v", n-1, err)
				}
				break
			}
			if !errors.Is(err, stop) {
				t.Errorf("stopped at %s: got %v, want %v", steps.Name(n), err, stop)
			}
			got, err := os.ReadFile(path + "/state")
			if err != nil || string(got) != "old" && string(got) != "new" {
				t.Errorf("stopped at %s: file holds %q, %v", steps.Name(n), got, err)
			}
			if err := durable.WriteFile(d, "state", []byte("later")); err != nil {
				t.Errorf("stopped at %s: the next WriteFile: %v", steps.Name(n), err)
			}
			mustHold(t, path+"/state", "later")
		}
	}
}

func TestMkdirAll(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/a/b/c"
	for range 2 {
		if err := durable.MkdirAll(path); err != nil {
			t.Fatal(err)
		}
	}
	for _, level := range []string{path, path[:len(path)-2]} {
		info, err := os.Stat(level)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o700 {
			t.Errorf("mode %v, want 0700", info.Mode())
		}
	}
	if err := os.WriteFile(path+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := durable.MkdirAll(path + "/file/d"); !errors.Is(err, syscall.ENOTDIR) && !errors.Is(err, syscall.EEXIST) {
		t.Errorf("below a file: got %v", err)
	}
}

func TestHint(t *testing.T) {
	t.Parallel()
	at := func(errno syscall.Errno) error { return &os.PathError{Op: "write", Path: "/srv/mail/x", Err: errno} }
	for errno, want := range map[syscall.Errno]string{
		syscall.ENOSPC: "free some space, or inodes, on the file system of /srv/mail/x;",
		syscall.EDQUOT: "quota",
		syscall.EROFS:  "read-only",
		syscall.EACCES: "mailpull runs as uid",
		syscall.EPERM:  "mailpull runs as uid",
		syscall.EXDEV:  "different file systems",
		syscall.ELOOP:  "symbolic link",
		syscall.EMFILE: "LimitNOFILE=",
		syscall.EIO:    "system log",
	} {
		if got := durable.Hint(at(errno)); !strings.Contains(got, want) {
			t.Errorf("%v: got %q, want it to say %q", errno, got, want)
		}
	}
	if got := durable.Hint(at(syscall.ENOENT)); got != "" {
		t.Errorf("an error without advice: got %q", got)
	}
	linkErr := &os.LinkError{Op: "rename", Old: "/a", New: t.TempDir() + "/b", Err: syscall.EACCES}
	if got := durable.Hint(linkErr); !strings.Contains(got, "belongs to uid") {
		t.Errorf("got %q, want the owner of the parent", got)
	}
}
