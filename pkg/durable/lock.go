//go:build unix

package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrLocked is found by errors.Is in the error of TakeLock when another
// process holds the lock.
var ErrLocked = errors.New("locked by another process")

// LockedError says who holds a lock. errors.Is finds ErrLocked in it.
type LockedError struct {
	Path string

	// PID is the holder's process id, 0 when it has not written it yet.
	PID int
}

// Error names the lock and its holder.
func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("lock %q: %v", e.Path, ErrLocked)
	}
	return fmt.Sprintf("lock %q: %v, pid %d", e.Path, ErrLocked, e.PID)
}

// Unwrap returns ErrLocked.
func (e *LockedError) Unwrap() error { return ErrLocked }

// Lock is a lock that this process holds. The kernel releases it when the
// process ends, however it ends.
type Lock struct{ file *os.File }

// TakeLock takes the lock file at path, which it creates mode 0600 where it is
// missing, and writes the process id into it. It never waits: when another
// process holds the lock, or this one does already, the error is a
// *LockedError. A symbolic link at path is refused.
//
// The file stays when the lock is released: if it were removed, two processes
// could hold locks on two files of one name.
func TakeLock(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	err = retry(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) })
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		err = &LockedError{Path: path, PID: readPID(f)}
	case err != nil:
		err = &fs.PathError{Op: "lock", Path: path, Err: err}
	default:
		err = writePID(f)
	}
	if err != nil {
		_ = f.Close() // releases what we may hold; the first error counts
		return nil, err
	}
	return &Lock{file: f}, nil
}

// Release gives the lock back. The file no longer names us.
//
// It is given back by word, and not only by closing the file: a program that is
// being started elsewhere in this process has the file too, for a moment, and
// would hold the lock as long (flock(2)).
func (l *Lock) Release() error {
	err := l.file.Truncate(0)
	unlock := retry(func() error { return unix.Flock(int(l.file.Fd()), unix.LOCK_UN) })
	return errors.Join(err, unlock, l.file.Close())
}

// writePID writes who holds the lock. It is for people only and needs no
// flush.
func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// readPID returns the process id in a lock file, or 0.
func readPID(f *os.File) int {
	buf := make([]byte, 24)
	n, _ := f.ReadAt(buf, 0) // a short file ends in io.EOF
	pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
