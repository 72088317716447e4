package mailtest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"mailpull/pkg/durable"
)

// memFile is an open file of a MemDisk.
type memFile struct {
	dir    *MemDisk
	name   string
	id     memID
	reads  bool
	writes bool
	closed bool
	at     int64 // where Read goes on
}

// open opens what find makes of what has the name.
func (f memFile) open(kind, op string, find func(id memID, ok bool) (memID, error)) (durable.File, error) {
	err := f.dir.at(kind, op, f.name, func(id memID, ok bool) (err error) {
		if f.id, err = find(id, ok); err != nil {
			return err
		}
		if f.dir.disk.nodes[f.id].isDir() {
			return syscall.EISDIR
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &f, nil
}

// do takes an operation and calls fn when the file was opened for that, also
// with the error that the operation fails with, which fn may soften. Its error
// gets the operation and the path.
func (f *memFile) do(op Op, allowed bool, fn func(n *memNode, err error) error) error {
	err := error(syscall.EBADF)
	switch {
	case f.closed:
		err = os.ErrClosed
	case allowed:
		err = f.dir.disk.hook.take(func() Op { op.Path = f.dir.join(f.name); return op })
		f.dir.disk.mu.Lock()
		err = fn(&f.dir.disk.nodes[f.id], err)
		f.dir.disk.mu.Unlock()
	}
	if err != nil {
		return &fs.PathError{Op: op.Kind, Path: f.dir.join(f.name), Err: err}
	}
	return nil
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
	err = f.do(Op{Kind: "read"}, f.reads, func(node *memNode, err error) error {
		if err == nil && off < int64(len(node.data)) {
			n = copy(p, node.data[off:])
		}
		return err
	})
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// Write implements io.Writer.
func (f *memFile) Write(p []byte) (n int, err error) {
	err = f.do(Op{Kind: "write", Data: p}, f.writes, func(node *memNode, err error) error {
		part, short := errors.AsType[*Partial](err)
		switch {
		case err == nil:
			n = len(p)
		case short:
			n, err = min(part.N, len(p)), part.Err
		}
		node.data = append(node.data, p[:n]...)
		f.at = int64(len(node.data))
		return err
	})
	return n, err
}

// Size implements durable.File.
func (f *memFile) Size() (size int64, err error) {
	err = f.do(Op{Kind: "size"}, true, func(n *memNode, err error) error {
		size = int64(len(n.data))
		return err
	})
	return size, err
}

// Truncate implements durable.File.
func (f *memFile) Truncate(size int64) error {
	return f.do(Op{Kind: "truncate"}, f.writes, func(n *memNode, err error) error {
		if err == nil {
			n.truncate(int(size))
		}
		return err
	})
}

func (n *memNode) truncate(size int) {
	kept := min(size, len(n.data))
	n.data = slices.Concat(n.data[:kept], make([]byte, size-kept))
	var lost []span
	for _, s := range n.lost {
		if s.from < kept {
			lost = append(lost, span{s.from, min(s.to, kept)})
		}
	}
	n.lost = lost
}

// Sync implements durable.File.
func (f *memFile) Sync() error {
	return f.do(Op{Kind: "fsync"}, true, func(n *memNode, err error) error {
		if err != nil {
			n.lose(err)
			return err
		}
		n.flush()
		return nil
	})
}

// flush makes a file's bytes durable, but for those that are lost.
func (n *memNode) flush() { n.synced = n.reaching() }

// lose forgets for good what a failed flush should have written: Linux marks
// the pages clean, shows them to whoever reads, and says yes to the next flush
// although the disk never had them. A process that was killed flushed nothing
// and lost nothing.
func (n *memNode) lose(err error) {
	if n.isDir() || errors.Is(err, ErrKilled) {
		return
	}
	if same := commonPrefix(n.synced, n.data); same < len(n.data) {
		n.lost = append(slices.Clip(n.lost), span{same, len(n.data)})
	}
}

func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	if bytes.Equal(a[:n], b[:n]) {
		return n // nearly always: files grow
	}
	for n = 0; a[n] == b[n]; n++ {
	}
	return n
}

// reaching returns what the disk has of a file once all that can be written is
// written: zeros where it was lost.
func (n *memNode) reaching() []byte {
	if len(n.lost) == 0 {
		return n.data
	}
	out := slices.Clone(n.data)
	for _, s := range n.lost {
		clear(out[s.from:s.to])
	}
	return out
}

// Close implements io.Closer. A file is closed also when that fails.
func (f *memFile) Close() error {
	return f.do(Op{Kind: "close"}, true, func(_ *memNode, err error) error {
		f.closed = true
		return err
	})
}
