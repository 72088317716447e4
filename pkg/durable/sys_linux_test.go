package durable

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestKernelAtLeast(t *testing.T) {
	t.Parallel()
	for release, want := range map[string]bool{
		"5.8.0": true, "5.8": true, "5.8-rc1": true, "5.10.0-28-amd64": true, "6.1.0": true, "10.0": true,
		"5.7.19": false, "4.19.0-26-amd64": false, "5": false, "": false, "x.y": false, "5.x": false, "-5.9": false,
	} {
		if got := kernelAtLeast(release, 5, 8); got != want {
			t.Errorf("%q: got %v, want %v", release, got, want)
		}
	}
}

// Some file systems cannot rename without overwriting.
func TestLinkThenUnlink(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d, err := OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	fd := d.(*osDir).desc.fd
	for _, name := range []string{"a", "taken"} {
		if err := os.WriteFile(path+"/"+name, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := linkThenUnlink(fd, "a", fd, "taken"); !errors.Is(err, unix.EEXIST) {
		t.Errorf("got %v, want EEXIST", err)
	}
	if err := linkThenUnlink(fd, "a", fd, "b"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "/a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old name is still there: %v", err)
	}
	if got, err := os.ReadFile(path + "/b"); err != nil || string(got) != "a" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := os.ReadFile(path + "/taken"); err != nil || string(got) != "taken" {
		t.Errorf("the taken name now holds %q, %v", got, err)
	}
}
