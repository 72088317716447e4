package mailtest

import (
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"
)

// memFile is an open file of a MemDisk.
type memFile struct {
	dir    *MemDisk
	name   string
	node   *memNode
	reads  bool
	writes bool
	closed bool
	at     int64 // where Read goes on; a write moves it to the end
}

// do calls fn when the file was opened for that, and gives its error the
// operation and the path.
func (f *memFile) do(op string, allowed bool, fn func()) error {
	f.dir.disk.mu.Lock()
	defer f.dir.disk.mu.Unlock()
	err := error(syscall.EBADF)
	switch {
	case f.closed:
		err = os.ErrClosed
	case allowed:
		fn()
		return nil
	}
	return &fs.PathError{Op: op, Path: f.dir.join(f.name), Err: err}
}

// Read implements io.Reader.
func (f *memFile) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err = f.ReadAt(p, f.at)
	f.at += int64(n)
	if n > 0 {
		return n, nil // the end is told by the next call
	}
	return 0, err
}

// ReadAt implements io.ReaderAt.
func (f *memFile) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.do("read", f.reads, func() {
		if off < int64(len(f.node.data)) {
			n = copy(p, f.node.data[off:])
		}
	})
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// Write implements io.Writer.
func (f *memFile) Write(p []byte) (n int, err error) {
	err = f.do("write", f.writes, func() {
		f.node.data = append(f.node.data, p...)
		f.at, n = int64(len(f.node.data)), len(p)
	})
	return n, err
}

// Size implements durable.File.
func (f *memFile) Size() (size int64, err error) {
	err = f.do("stat", true, func() { size = int64(len(f.node.data)) })
	return size, err
}

// Truncate implements durable.File.
func (f *memFile) Truncate(size int64) error {
	return f.do("truncate", f.writes, func() {
		kept := min(size, int64(len(f.node.data)))
		f.node.data = slices.Concat(f.node.data[:kept], make([]byte, size-kept))
	})
}

// Sync implements durable.File.
func (f *memFile) Sync() error {
	return f.do("sync", true, func() { f.node.synced = f.node.data })
}

// Close implements io.Closer.
func (f *memFile) Close() error {
	return f.do("close", true, func() { f.closed = true })
}
