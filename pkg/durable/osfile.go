//go:build unix

package durable

import (
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// osFile is a File without the runtime's poller, which does nothing for files
// on disk but cost two system calls each.
type osFile struct {
	fd   int // -1 once closed
	dir  *osDir
	name string
}

// do calls fn unless the file is closed, again while a signal interrupts it,
// and gives its error the operation and the path.
func (f *osFile) do(op string, fn func(fd int) error) error {
	var err error
	if f.fd < 0 {
		err = os.ErrClosed
	} else {
		err = retry(func() error { return fn(f.fd) })
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: f.dir.join(f.name), Err: err}
	}
	return nil
}

// Read implements io.Reader.
func (f *osFile) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	err = f.do("read", func(fd int) (err error) {
		n, err = unix.Read(fd, p)
		return err
	})
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// ReadAt implements io.ReaderAt.
func (f *osFile) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		var m int
		err := f.do("read", func(fd int) (err error) {
			m, err = unix.Pread(fd, p[n:], off+int64(n))
			return err
		})
		if err != nil {
			return n, err
		}
		if m == 0 {
			return n, io.EOF
		}
		n += m
	}
	return n, nil
}

// Write implements io.Writer. A full disk can take a part: n says how much.
func (f *osFile) Write(p []byte) (n int, err error) {
	for n < len(p) {
		var m int
		err := f.do("write", func(fd int) (err error) {
			m, err = unix.Write(fd, p[n:])
			return err
		})
		if err != nil {
			return n, err
		}
		if m == 0 {
			return n, &fs.PathError{Op: "write", Path: f.dir.join(f.name), Err: io.ErrShortWrite}
		}
		n += m
	}
	return n, nil
}

// Size implements File.
func (f *osFile) Size() (size int64, err error) {
	err = f.do("stat", func(fd int) error {
		var st unix.Stat_t
		err := unix.Fstat(fd, &st)
		size = st.Size
		return err
	})
	return size, err
}

// Truncate implements File.
func (f *osFile) Truncate(size int64) error {
	return f.do("truncate", func(fd int) error { return unix.Ftruncate(fd, size) })
}

// Sync implements File.
func (f *osFile) Sync() error { return f.do("sync", flush) }

// Close implements io.Closer. Network and quota file systems report here what
// they could not write.
func (f *osFile) Close() error {
	err := f.do("close", closeFD)
	f.fd = -1
	return err
}
