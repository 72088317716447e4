package mailtest

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Op is one operation on a MemDisk.
type Op struct {
	// Kind is "create", "append", "open", "read", "write", "size", "truncate",
	// "fsync" or "close" for a file; "rename", "replace", "remove", "settime",
	// "mkdir", "sub" or "names" for a directory and what it holds; "sync" for
	// the flush of a directory and "syncfs" for that of everything.
	Kind string

	// Path is what it is done to, with the disk's path, and To the new path of
	// a rename.
	Path, To string

	// Data is what is written. It is the writer's: copy it to keep it.
	Data []byte
}

// Partial is an error of Before that fails a write behind its first N bytes: a
// disk that fills up takes a part.
type Partial struct {
	N   int
	Err error
}

// Error implements error.
func (p *Partial) Error() string { return p.Err.Error() }

// Unwrap returns the cause.
func (p *Partial) Unwrap() error { return p.Err }

// hook is asked before each operation of a disk.
type hook struct {
	set    atomic.Bool // there is somebody to ask or to tell
	mu     sync.Mutex
	before func(Op) error
	record bool
	ops    []Op
}

// Before makes fn be called before each operation on the disk, from the
// goroutine that asks for it. The operation fails with fn's error and has no
// effect, but for two: a write can do a part (Partial), and a flush that fails
// with anything but ErrKilled loses what it should have flushed. fn may Clone
// the disk, or ask for its States. A copy of the disk does not call it.
func (d *MemDisk) Before(fn func(op Op) error) {
	d.disk.hook.mu.Lock()
	defer d.disk.hook.mu.Unlock()
	d.disk.hook.before = fn
	d.disk.hook.set.Store(fn != nil || d.disk.hook.record)
}

// Record begins to keep the operations for Ops, without the bytes written.
func (d *MemDisk) Record() {
	d.disk.hook.mu.Lock()
	defer d.disk.hook.mu.Unlock()
	d.disk.hook.record = true
	d.disk.hook.set.Store(true)
}

// Ops returns the operations since Record, in order, those that failed too.
// Their Data is of the right length and empty.
func (d *MemDisk) Ops() []Op {
	d.disk.hook.mu.Lock()
	defer d.disk.hook.mu.Unlock()
	return slices.Clone(d.disk.hook.ops)
}

// take asks for an operation. What it is, is only made when somebody wants to
// know.
func (h *hook) take(what func() Op) error {
	if !h.set.Load() {
		return nil
	}
	h.mu.Lock()
	before := h.before
	op := what()
	if h.record {
		kept := op
		kept.Data = make([]byte, len(op.Data))
		h.ops = append(h.ops, kept)
	}
	h.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(op)
}
