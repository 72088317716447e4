package mailtest

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"mailpull/pkg/durable"
)

// MemDisk is a directory on a disk in memory, a durable.Dir. It knows what is
// flushed: the disk can be asked what a power cut would leave of it. Wrapped
// by Disk its operations are counted, fail, or kill the process.
//
// A file's bytes are flushed by the file's Sync, the names in a directory by
// the directory's, everything by SyncFS. Every write goes to the end of the
// file. Times are not kept, since nothing reads them through a Dir.
type MemDisk struct {
	disk *memDisk
	node *memNode
	path string
}

// memDisk is what all directories of a disk share.
type memDisk struct {
	mu   sync.Mutex // guards every node
	root *memNode
	path string
}

// memNode is a directory or a file. Bytes that were written once are never
// changed in place, so that data and synced may share them.
type memNode struct {
	names   map[string]*memNode // what a running process sees; nil for a file
	flushed map[string]*memNode // what the directory's last flush saw

	data   []byte // what a running process sees
	synced []byte // what the file's last flush saw
}

func newMemDir() *memNode {
	return &memNode{names: map[string]*memNode{}, flushed: map[string]*memNode{}}
}

func (n *memNode) isDir() bool { return n.names != nil }

// NewMemDisk returns the root of an empty disk, whose messages say that it was
// opened at path.
func NewMemDisk(path string) *MemDisk { return rootOf(newMemDir(), path) }

func rootOf(root *memNode, path string) *MemDisk {
	return &MemDisk{disk: &memDisk{root: root, path: path}, node: root, path: path}
}

// Put gives a file these bytes, all of them flushed, its name too. A file that
// has the name keeps its open descriptors.
func (d *MemDisk) Put(name string, data []byte) {
	d.disk.mu.Lock()
	defer d.disk.mu.Unlock()
	if d.node.names[name] == nil {
		d.node.names[name] = &memNode{}
	}
	d.node.flushed[name] = d.node.names[name]
	d.node.names[name].data, d.node.names[name].synced = slices.Clone(data), slices.Clone(data)
}

// Bytes returns a copy of what a running process sees in a file; nil when
// there is none.
func (d *MemDisk) Bytes(name string) []byte {
	d.disk.mu.Lock()
	defer d.disk.mu.Unlock()
	n := d.node.names[name]
	if n == nil || n.isDir() {
		return nil
	}
	return append([]byte{}, n.data...)
}

// at calls fn for a name in the directory, gives it what has the name, or nil,
// and gives its error the operation and the path.
func (d *MemDisk) at(op, name string, fn func(n *memNode) error) error {
	err := checkNames(name)
	if err == nil {
		d.disk.mu.Lock()
		err = fn(d.node.names[name])
		d.disk.mu.Unlock()
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: d.join(name), Err: err}
	}
	return nil
}

func (d *MemDisk) join(name string) string { return d.path + "/" + name }

// checkNames refuses what is not a single path component.
func checkNames(names ...string) error {
	for _, name := range names {
		if name == "" || name == "." || name == ".." || len(name) > 255 || strings.ContainsAny(name, "/\x00") {
			return durable.ErrName
		}
	}
	return nil
}

// Create implements durable.Dir.
func (d *MemDisk) Create(name string) (durable.File, error) {
	return d.open("create", name, memFile{writes: true}, func(n *memNode) (*memNode, error) {
		if n != nil {
			return nil, fs.ErrExist
		}
		return &memNode{}, nil
	})
}

// Append implements durable.Dir.
func (d *MemDisk) Append(name string) (durable.File, error) {
	return d.open("open", name, memFile{reads: true, writes: true}, func(n *memNode) (*memNode, error) {
		if n == nil {
			return &memNode{}, nil
		}
		return n, nil
	})
}

// Open implements durable.Dir.
func (d *MemDisk) Open(name string) (durable.File, error) {
	return d.open("open", name, memFile{reads: true}, func(n *memNode) (*memNode, error) {
		if n == nil {
			return nil, fs.ErrNotExist
		}
		return n, nil
	})
}

// open opens the file that find makes of what has the name.
func (d *MemDisk) open(op, name string, f memFile, find func(*memNode) (*memNode, error)) (durable.File, error) {
	f.dir, f.name = d, name
	err := d.at(op, name, func(n *memNode) (err error) {
		if f.node, err = find(n); err != nil {
			return err
		}
		if f.node.isDir() {
			return syscall.EISDIR
		}
		d.node.names[name] = f.node
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &f, nil
}

// Rename implements durable.Dir.
func (d *MemDisk) Rename(from string, to durable.Dir, name string) error {
	target, ok := to.(*MemDisk)
	if !ok || target.disk != d.disk {
		return d.linkError(from, to.Path()+"/"+name, errors.ErrUnsupported)
	}
	return d.move(from, target, name, func(taken *memNode) error {
		if taken != nil {
			return fs.ErrExist
		}
		return nil
	})
}

// Replace implements durable.Dir.
func (d *MemDisk) Replace(from, to string) error {
	return d.move(from, d, to, func(taken *memNode) error {
		if taken != nil && taken.isDir() {
			return syscall.EISDIR
		}
		return nil
	})
}

// move gives a file another name, unless mayTake refuses what has it.
func (d *MemDisk) move(from string, to *MemDisk, name string, mayTake func(taken *memNode) error) error {
	err := checkNames(from, name)
	if err == nil {
		d.disk.mu.Lock()
		defer d.disk.mu.Unlock()
		n := d.node.names[from]
		if n == nil {
			err = fs.ErrNotExist
		} else if err = mayTake(to.node.names[name]); err == nil {
			delete(d.node.names, from)
			to.node.names[name] = n
		}
	}
	return d.linkError(from, to.join(name), err)
}

func (d *MemDisk) linkError(from, to string, err error) error {
	if err == nil {
		return nil
	}
	return &os.LinkError{Op: "rename", Old: d.join(from), New: to, Err: err}
}

// Remove implements durable.Dir.
func (d *MemDisk) Remove(name string) error {
	return d.at("remove", name, func(n *memNode) error {
		switch {
		case n == nil:
			return fs.ErrNotExist
		case n.isDir():
			return syscall.EISDIR
		}
		delete(d.node.names, name)
		return nil
	})
}

// SetTime implements durable.Dir.
func (d *MemDisk) SetTime(name string, _ time.Time) error {
	return d.at("settime", name, func(n *memNode) error {
		if n == nil {
			return fs.ErrNotExist
		}
		return nil
	})
}

// Names implements durable.Dir, with the names in order.
func (d *MemDisk) Names(fn func(name string, isDir bool) error) error {
	d.disk.mu.Lock()
	names := maps.Clone(d.node.names)
	d.disk.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if err := fn(name, names[name].isDir()); err != nil {
			return err
		}
	}
	return nil
}

// Mkdir implements durable.Dir.
func (d *MemDisk) Mkdir(name string) error {
	return d.at("mkdir", name, func(n *memNode) error {
		if n != nil {
			return fs.ErrExist
		}
		d.node.names[name] = newMemDir()
		return nil
	})
}

// Sub implements durable.Dir.
func (d *MemDisk) Sub(name string) (durable.Dir, error) {
	sub := &MemDisk{disk: d.disk, path: d.join(name)}
	err := d.at("open", name, func(n *memNode) error {
		switch {
		case n == nil:
			return fs.ErrNotExist
		case !n.isDir():
			return syscall.ENOTDIR
		}
		sub.node = n
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sub, nil
}

// Sync implements durable.Dir.
func (d *MemDisk) Sync() error {
	d.disk.mu.Lock()
	defer d.disk.mu.Unlock()
	d.node.flushed = maps.Clone(d.node.names)
	return nil
}

// SyncFS implements durable.Dir.
func (d *MemDisk) SyncFS() error {
	d.disk.mu.Lock()
	defer d.disk.mu.Unlock()
	d.disk.root.syncAll()
	return nil
}

func (n *memNode) syncAll() {
	n.synced, n.flushed = n.data, maps.Clone(n.names)
	for _, child := range n.names {
		child.syncAll()
	}
}

// Path implements durable.Dir.
func (d *MemDisk) Path() string { return d.path }

// Close implements durable.Dir. The disk stays for the next process.
func (d *MemDisk) Close() error { return nil }
