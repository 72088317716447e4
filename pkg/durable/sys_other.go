//go:build unix && !linux

package durable

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// renameNoReplace moves a name and never overwrites.
func renameNoReplace(from int, old string, to int, new string) error {
	return linkThenUnlink(from, old, to, new)
}

// setTimes sets both times: leaving one alone is not portable.
func setTimes(dirfd int, name string, t time.Time) error {
	ts, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(dirfd, name, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}

// flush goes through os.File, which knows the stronger call (F_FULLFSYNC) that
// macOS needs. The file is a duplicate, so that closing it closes nothing.
func flush(fd int) error {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(own), "")
	defer f.Close()
	return f.Sync()
}

func syncfs(int) error { return errors.ErrUnsupported }

// syncfsReportsErrors is false: only Linux says what it promises.
func syncfsReportsErrors(int) bool { return false }
