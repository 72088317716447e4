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

// MemDisk is a directory on a disk in memory, a durable.Dir. It can tell every
// operation and fail it (Before), stand still as the next process would find
// it (Clone), and forget what was not flushed, names included (PowerCut,
// States).
//
// A file's bytes are flushed by the file's Sync, the names in a directory by
// the directory's, everything by SyncFS; nothing else flushes anything. Every
// write goes to the end of the file. Times are not kept, since nothing reads
// them through a Dir.
type MemDisk struct {
	disk *memDisk
	node memID
	path string
}

// memDisk is what all directories of a disk share.
type memDisk struct {
	path     string
	noSyncFS bool

	hook hook

	mu    sync.Mutex // guards what is below
	nodes []memNode  // by number; the root is the first one

	// pending are the changes of names that no flush covers yet, in the order
	// in which they were made.
	pending []nameChange
}

// memID is the number of a directory or a file: an inode's.
type memID int

// memNode is a directory or a file. Neither bytes nor names that another disk
// may share are ever changed in place, which is what makes Clone cheap.
type memNode struct {
	names   map[string]memID // what a running process sees; nil for a file
	flushed map[string]memID // what the directory's last flush saw
	shared  bool             // names is another's too: copy it before changing it

	data   []byte // what a running process sees
	synced []byte // what the file's last flush made durable

	// lost are the parts of data that a failed flush covered.
	lost []span
}

// span is a part of a file, from its first byte to behind its last.
type span struct{ from, to int }

// nameChange is one change of names that reaches the disk whole or not at all.
type nameChange struct {
	dir  memID
	set  string // gets node; empty when nothing is set
	node memID
	gone string // goes at the same moment; empty when nothing goes
}

func (n *memNode) isDir() bool { return n.names != nil }

func newMemDir() memNode {
	return memNode{names: map[string]memID{}, flushed: map[string]memID{}}
}

// NewMemDisk returns the root of an empty disk, whose messages say that it was
// opened at path.
func NewMemDisk(path string) *MemDisk {
	return (&memDisk{path: path, nodes: []memNode{newMemDir()}}).root()
}

func (d *memDisk) root() *MemDisk { return &MemDisk{disk: d, path: d.path} }

// WithoutSyncFS makes SyncFS unsupported on the disk, on every copy of it, and
// on what a power cut leaves of it.
func (d *MemDisk) WithoutSyncFS() *MemDisk {
	d.disk.noSyncFS = true
	return d
}

// add gives a new directory or file a number. The caller holds the lock, as in
// all methods of memDisk below.
func (d *memDisk) add(n memNode) memID {
	d.nodes = append(d.nodes, n)
	return memID(len(d.nodes) - 1)
}

// change changes names for a running process, and notes that no flush covers
// that yet.
func (d *memDisk) change(c nameChange) {
	d.nodes[c.dir].apply(c)
	d.pending = append(d.pending, c)
}

// apply changes the names of a directory.
func (n *memNode) apply(c nameChange) {
	if n.shared {
		n.names, n.shared = maps.Clone(n.names), false
	}
	if c.gone != "" {
		delete(n.names, c.gone)
	}
	if c.set != "" {
		n.names[c.set] = c.node
	}
}

// flushNames makes the names in a directory durable.
func (d *memDisk) flushNames(dir memID) {
	n := &d.nodes[dir]
	n.flushed, n.shared = n.names, true
	d.pending = slices.DeleteFunc(slices.Clone(d.pending), func(c nameChange) bool { return c.dir == dir })
}

// Put gives a file these bytes, all of them flushed, and so are all names in
// the directory. A file that has the name keeps its open descriptors.
func (d *MemDisk) Put(name string, data []byte) {
	d.disk.mu.Lock()
	defer d.disk.mu.Unlock()
	id, taken := d.disk.nodes[d.node].names[name]
	if !taken {
		id = d.disk.add(memNode{})
		d.disk.change(nameChange{dir: d.node, set: name, node: id})
	}
	d.disk.flushNames(d.node)
	data = slices.Clone(data)
	d.disk.nodes[id] = memNode{data: data, synced: data}
}

// Bytes returns a copy of what a running process sees in a file; nil when
// there is none.
func (d *MemDisk) Bytes(name string) []byte {
	d.disk.mu.Lock()
	defer d.disk.mu.Unlock()
	id, ok := d.disk.nodes[d.node].names[name]
	if !ok || d.disk.nodes[id].isDir() {
		return nil
	}
	return append([]byte{}, d.disk.nodes[id].data...)
}

// at takes an operation on a name in the directory: fn is given what has the
// name, and its error gets the operation and the path.
func (d *MemDisk) at(kind, op, name string, fn func(id memID, ok bool) error) error {
	err := checkNames(name)
	if err == nil {
		err = d.disk.hook.take(func() Op { return Op{Kind: kind, Path: d.join(name)} })
	}
	if err == nil {
		d.disk.mu.Lock()
		id, ok := d.disk.nodes[d.node].names[name]
		err = fn(id, ok)
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
	f := memFile{dir: d, name: name, writes: true}
	return f.open("create", "create", func(_ memID, ok bool) (memID, error) {
		if ok {
			return 0, fs.ErrExist
		}
		return d.newFile(name), nil
	})
}

// Append implements durable.Dir.
func (d *MemDisk) Append(name string) (durable.File, error) {
	f := memFile{dir: d, name: name, reads: true, writes: true}
	return f.open("append", "open", func(id memID, ok bool) (memID, error) {
		if !ok {
			return d.newFile(name), nil
		}
		return id, nil
	})
}

// Open implements durable.Dir.
func (d *MemDisk) Open(name string) (durable.File, error) {
	f := memFile{dir: d, name: name, reads: true}
	return f.open("open", "open", func(id memID, ok bool) (memID, error) {
		if !ok {
			return 0, fs.ErrNotExist
		}
		return id, nil
	})
}

func (d *MemDisk) newFile(name string) memID {
	id := d.disk.add(memNode{})
	d.disk.change(nameChange{dir: d.node, set: name, node: id})
	return id
}

// Rename implements durable.Dir.
//
// Between two directories it is two changes, each of which can reach the disk
// without the other. ext4, XFS and btrfs log a rename as one transaction and
// leave exactly one of the names; but durable falls back to link and unlink
// where a file system cannot rename without overwriting, file systems without
// a journal write the two directories when they like, and the flush of one
// directory promises nothing of the other. What survives both names, or none,
// survives them all. Within one directory a rename is one change: every
// journal has it so, and without one nobody could replace a file at all.
func (d *MemDisk) Rename(from string, to durable.Dir, name string) error {
	target, ok := to.(*MemDisk)
	if !ok || target.disk != d.disk {
		return d.linkError(from, to.Path()+"/"+name, errors.ErrUnsupported)
	}
	return d.move("rename", from, target, name, func(_ memID, taken bool) error {
		if taken {
			return fs.ErrExist
		}
		return nil
	})
}

// Replace implements durable.Dir.
func (d *MemDisk) Replace(from, to string) error {
	return d.move("replace", from, d, to, func(id memID, taken bool) error {
		if taken && d.disk.nodes[id].isDir() {
			return syscall.EISDIR
		}
		return nil
	})
}

// move gives a file another name, unless mayTake refuses what has it.
func (d *MemDisk) move(kind, from string, to *MemDisk, name string, mayTake func(id memID, taken bool) error) error {
	err := checkNames(from, name)
	if err == nil {
		err = d.disk.hook.take(func() Op { return Op{Kind: kind, Path: d.join(from), To: to.join(name)} })
	}
	if err == nil {
		err = d.moveNow(from, to, name, mayTake)
	}
	return d.linkError(from, to.join(name), err)
}

func (d *MemDisk) moveNow(from string, to *MemDisk, name string, mayTake func(id memID, taken bool) error) error {
	d.disk.mu.Lock()
	defer d.disk.mu.Unlock()
	node, ok := d.disk.nodes[d.node].names[from]
	if !ok {
		return fs.ErrNotExist
	}
	id, taken := d.disk.nodes[to.node].names[name]
	if err := mayTake(id, taken); err != nil {
		return err
	}
	if to.node == d.node {
		d.disk.change(nameChange{dir: d.node, set: name, node: node, gone: from})
		return nil
	}
	d.disk.change(nameChange{dir: to.node, set: name, node: node})
	d.disk.change(nameChange{dir: d.node, gone: from})
	return nil
}

func (d *MemDisk) linkError(from, to string, err error) error {
	if err == nil {
		return nil
	}
	return &os.LinkError{Op: "rename", Old: d.join(from), New: to, Err: err}
}

// Remove implements durable.Dir.
func (d *MemDisk) Remove(name string) error {
	return d.at("remove", "remove", name, func(id memID, ok bool) error {
		switch {
		case !ok:
			return fs.ErrNotExist
		case d.disk.nodes[id].isDir():
			return syscall.EISDIR
		}
		d.disk.change(nameChange{dir: d.node, gone: name})
		return nil
	})
}

// SetTime implements durable.Dir.
func (d *MemDisk) SetTime(name string, _ time.Time) error {
	return d.at("settime", "settime", name, func(_ memID, ok bool) error {
		if !ok {
			return fs.ErrNotExist
		}
		return nil
	})
}

// Names implements durable.Dir, with the names in order.
func (d *MemDisk) Names(fn func(name string, isDir bool) error) error {
	if err := d.disk.hook.take(func() Op { return Op{Kind: "names", Path: d.path} }); err != nil {
		return &fs.PathError{Op: "readdir", Path: d.path, Err: err}
	}
	type entry struct {
		name  string
		isDir bool
	}
	d.disk.mu.Lock()
	entries := make([]entry, 0, len(d.disk.nodes[d.node].names))
	for name, id := range d.disk.nodes[d.node].names {
		entries = append(entries, entry{name, d.disk.nodes[id].isDir()})
	}
	d.disk.mu.Unlock()
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	for _, e := range entries {
		if err := fn(e.name, e.isDir); err != nil {
			return err
		}
	}
	return nil
}

// Mkdir implements durable.Dir.
func (d *MemDisk) Mkdir(name string) error {
	return d.at("mkdir", "mkdir", name, func(_ memID, ok bool) error {
		if ok {
			return fs.ErrExist
		}
		d.disk.change(nameChange{dir: d.node, set: name, node: d.disk.add(newMemDir())})
		return nil
	})
}

// Sub implements durable.Dir.
func (d *MemDisk) Sub(name string) (durable.Dir, error) {
	sub := &MemDisk{disk: d.disk, path: d.join(name)}
	err := d.at("sub", "open", name, func(id memID, ok bool) error {
		switch {
		case !ok:
			return fs.ErrNotExist
		case !d.disk.nodes[id].isDir():
			return syscall.ENOTDIR
		}
		sub.node = id
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sub, nil
}

// Sync implements durable.Dir. One that fails leaves the names as they were: a
// file system whose journal cannot be written stops, and never says yes later.
func (d *MemDisk) Sync() error {
	if err := d.disk.hook.take(func() Op { return Op{Kind: "sync", Path: d.path} }); err != nil {
		return &fs.PathError{Op: "sync", Path: d.path, Err: err}
	}
	d.disk.mu.Lock()
	defer d.disk.mu.Unlock()
	d.disk.flushNames(d.node)
	return nil
}

// SyncFS implements durable.Dir. After one that fails the bytes of every file
// that were to be flushed are lost, as after a failed Sync of the file.
func (d *MemDisk) SyncFS() error {
	if d.disk.noSyncFS {
		return &fs.PathError{Op: "syncfs", Path: d.path, Err: errors.ErrUnsupported}
	}
	err := d.disk.hook.take(func() Op { return Op{Kind: "syncfs", Path: d.path} })
	d.disk.mu.Lock()
	defer d.disk.mu.Unlock()
	for i := range d.disk.nodes {
		n := &d.disk.nodes[i]
		switch {
		case err != nil:
			n.lose(err)
		case n.isDir():
			n.flushed, n.shared = n.names, true
		default:
			n.flush()
		}
	}
	if err != nil {
		return &fs.PathError{Op: "syncfs", Path: d.path, Err: err}
	}
	d.disk.pending = nil
	return nil
}

// Path implements durable.Dir.
func (d *MemDisk) Path() string { return d.path }

// Close implements durable.Dir. The disk stays for the next process.
func (d *MemDisk) Close() error { return nil }
