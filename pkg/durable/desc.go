//go:build unix

package durable

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// desc is a descriptor that several goroutines share. Closing it waits for
// nobody: the kernel's descriptor is closed by the last user, so that no call
// ever reaches a number that was given to another file meanwhile.
type desc struct {
	mu     sync.Mutex
	fd     int
	users  int
	closed bool
}

// acquire returns the descriptor for use until release.
func (d *desc) acquire() (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return -1, os.ErrClosed
	}
	d.users++
	return d.fd, nil
}

func (d *desc) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users--
	if d.closed && d.users == 0 {
		_ = closeFD(d.fd) // nothing was written through a directory's descriptor
	}
}

// close ends the descriptor's life. A second call is os.ErrClosed.
func (d *desc) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return os.ErrClosed
	}
	d.closed = true
	if d.users > 0 {
		return nil
	}
	return closeFD(d.fd)
}

// closeFD closes a descriptor. It is gone even when a signal interrupted the
// call (close(2), Notes), so EINTR is no error and is never tried again.
func closeFD(fd int) error {
	if err := unix.Close(fd); err != unix.EINTR {
		return err
	}
	return nil
}

// retry calls fn again while a signal interrupts it: the runtime's own
// preemption signals can, on file systems that wait for a network.
func retry(fn func() error) error {
	for {
		if err := fn(); err != unix.EINTR {
			return err
		}
	}
}
