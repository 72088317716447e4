//go:build linux

package faults

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// l2Tmpfs mounts a file system in memory on a new folder and returns it.
func l2Tmpfs(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=700,"+options); err != nil {
		lacking(t, fmt.Sprintf("no tmpfs can be mounted: %v", err))
	}
	t.Cleanup(func() { l2Unmount(t, dir) })
	return dir
}

func l2Unmount(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Unmount(dir, 0); err != nil {
		t.Errorf("unmount %s: %v", dir, err)
	}
}

// l2Ext4 makes an empty ext4 file system of so many bytes in the file image.
// None of it is kept back for root, and its table of inodes is written now and
// not by the kernel later.
func l2Ext4(t *testing.T, image string, size int64) {
	t.Helper()
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, size)); err != nil {
		t.Fatal(err)
	}
	l2Command(t, "mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
}

// l2MountImage mounts an image on a new folder, which replays its journal.
func l2MountImage(t *testing.T, image string) string {
	t.Helper()
	dir := t.TempDir()
	l2Command(t, "mount", "-t", "ext4", "-o", "loop", image, dir)
	t.Cleanup(func() { l2Unmount(t, dir) })
	return dir
}

// l2Command runs a program that must not fail.
func l2Command(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// l2Ballast fills the file system of dir until so many bytes are free, and
// returns the file that does it.
func l2Ballast(t *testing.T, dir string, free int64) string {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // the space is taken by the call below
	if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(st.Bavail)*st.Bsize-free); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}
