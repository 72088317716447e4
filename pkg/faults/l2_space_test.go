//go:build linux

package faults

import (
	"fmt"
	"math"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"mailpull/pkg/mailtest"
)

// l2Sizes are so many sizes of a disk from 64 KiB to most, each larger than the
// one before by the same factor.
func l2Sizes(n int, most float64) []int64 {
	sizes := make([]int64, n)
	const least = 64 << 10
	for i := range sizes {
		sizes[i] = int64(least * math.Pow(most/least, float64(i)/float64(n-1)))
	}
	return sizes
}

// The disk is full before the mail is in: the pass ends with 74 and one line,
// breaks no promise, and with room again the next one brings the rest. The mail
// of each case is half as much again as its disk.
func TestLevel2FullDisk(t *testing.T) {
	level2(t)
	needRoot(t)
	n := 0
	for i, size := range l2Sizes(60, 64<<20) {
		protocol := []string{"imap", "pop3"}[i%2]
		t.Run(fmt.Sprintf("%s in %d KiB", protocol, size>>10), func(t *testing.T) {
			server := l2Serve(t, protocol, l2Heavy(24, int(size)/16))
			dir := l2Tmpfs(t, fmt.Sprintf("size=%d", size))
			l2MustFail(t, l2NewAccount(t, server, dir), func() { l2Grow(t, dir, "size=160m") })
			n++
		})
	}
	mailtest.Figure(t, "C4", "sizes of a disk in memory that was full", n, 60)
}

// The same on ext4, where room is promised to a write before it has a place.
func TestLevel2FullExt4(t *testing.T) {
	level2(t)
	needRoot(t)
	needTools(t, "mkfs.ext4", "mount")
	n := 0
	for i, size := range l2Sizes(10, 16<<20) {
		protocol := []string{"imap", "pop3"}[i%2]
		t.Run(fmt.Sprintf("%s in %d KiB", protocol, size>>10), func(t *testing.T) {
			server := l2Serve(t, protocol, l2Heavy(24, int(size)/16))
			image := t.TempDir() + "/image"
			l2Ext4(t, image, 64<<20)
			dir := l2MountImage(t, image)
			ballast := l2Ballast(t, dir, size)
			l2MustFail(t, l2NewAccount(t, server, dir), func() {
				if err := os.Remove(ballast); err != nil {
					t.Fatal(err)
				}
			})
			n++
		})
	}
	mailtest.Figure(t, "C4", "sizes of an ext4 that was full", n, 10)
}

// There is room, and no inode is left for another file.
func TestLevel2NoInodes(t *testing.T) {
	level2(t)
	needRoot(t)
	n := 0
	for inodes := 2; inodes <= 42; inodes += 2 {
		protocol := []string{"imap", "pop3"}[inodes/2%2]
		t.Run(fmt.Sprintf("%s with %d", protocol, inodes), func(t *testing.T) {
			dir := l2Tmpfs(t, fmt.Sprintf("nr_inodes=%d", inodes))
			l2MustFail(t, l2NewAccount(t, l2Serve(t, protocol, l2Messages(40, 2000)), dir), func() { l2Grow(t, dir, "nr_inodes=1000") })
			n++
		})
	}
	mailtest.Figure(t, "C4", "numbers of inodes that were used up", n, 20)
}

// No file may become longer than a limit (RLIMIT_FSIZE), which a message or,
// with a higher one, the records reach.
func TestLevel2FileSize(t *testing.T) {
	level2(t)
	needTools(t, "prlimit")
	n := 0
	for limit := 64; limit <= 4096; limit *= 2 {
		for _, protocol := range []string{"imap", "pop3"} {
			t.Run(fmt.Sprintf("%s with %d bytes", protocol, limit), func(t *testing.T) {
				a := l2NewAccount(t, l2Serve(t, protocol, l2Messages(40, 3000)), t.TempDir())
				l2MustFail(t, a, func() {}, "prlimit", fmt.Sprintf("--fsize=%d", limit), "--")
				n++
			})
		}
	}
	mailtest.Figure(t, "C4", "limits of a file's length", n, 14)
}

// l2MustFail makes a pass that has no room, judges, gives it room, and makes the
// next one.
func l2MustFail(t *testing.T, a *l2Account, room func(), under ...string) {
	t.Helper()
	code, said := a.run(t, under...)
	if code != 74 || !l2OneLine(said) {
		t.Errorf("ended with %d, want 74 and one line: %s", code, said)
	}
	if err := a.judge(false); err != nil {
		t.Error(err)
	}
	room()
	if err := a.finish(t); err != nil {
		t.Error(err)
	}
}

// l2Grow gives a file system in memory other limits.
func l2Grow(t *testing.T, dir, options string) {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, options); err != nil {
		t.Fatal(err)
	}
}

// With too few descriptors (RLIMIT_NOFILE) a pass says so, whether it is a file
// or a connection that it cannot open, or it does without.
func TestLevel2Descriptors(t *testing.T) {
	level2(t)
	needTools(t, "prlimit")
	n, failed := 0, 0
	for limit := l2FewestDescriptors; limit <= 32; limit++ {
		for _, protocol := range []string{"imap", "pop3"} {
			t.Run(fmt.Sprintf("%s with %d", protocol, limit), func(t *testing.T) {
				a := l2NewAccount(t, l2Serve(t, protocol, l2Messages(40, 2000)), t.TempDir())
				code, said := a.run(t, "prlimit", fmt.Sprintf("--nofile=%d", limit), "--")
				n++
				if code != 0 {
					failed++
					if code != 74 && code != 75 || !l2OneLine(said) {
						t.Errorf("ended with %d, want 74 or 75 and one line: %s", code, said)
					}
				}
				if err := a.judge(code == 0); err != nil {
					t.Error(err)
				}
				if err := a.finish(t); err != nil {
					t.Error(err)
				}
			})
		}
	}
	mailtest.Figure(t, "C4", "limits of descriptors", n, 40)
	if failed == 0 || failed == n {
		t.Errorf("%d of %d limits were too low: the sweep does not reach what it is for", failed, n)
	}
}

// l2FewestDescriptors is what the Go runtime and the reading of the
// configuration need.
const l2FewestDescriptors = 8
