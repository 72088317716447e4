package faults

import (
	"errors"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

// promised reports whether one of the breaches is of the promise.
func promised(breaches []mailtest.Breach, promise string) bool {
	for _, b := range breaches {
		if b.Promise == promise {
			return true
		}
	}
	return false
}

// dirOf wraps a Dir and what is opened below it, and makes way for renames.
type dirOf struct {
	durable.Dir
	wrap func(durable.Dir) durable.Dir
}

// Sub implements durable.Dir.
func (d *dirOf) Sub(name string) (durable.Dir, error) {
	sub, err := d.Dir.Sub(name)
	if err != nil {
		return nil, err
	}
	return d.wrap(sub), nil
}

// Rename implements durable.Dir.
func (d *dirOf) Rename(from string, to durable.Dir, name string) error {
	if wrapped, ok := to.(interface{ unwrap() durable.Dir }); ok {
		to = wrapped.unwrap()
	}
	return d.Dir.Rename(from, to, name)
}

func (d *dirOf) unwrap() durable.Dir { return d.Dir }

// unflushedDir is a product that forgets to flush directories: files are
// flushed, one by one, and their names never.
type unflushedDir struct{ dirOf }

func newUnflushedDir(d durable.Dir) durable.Dir {
	return &unflushedDir{dirOf{d, newUnflushedDir}}
}

// Sync implements durable.Dir, badly.
func (*unflushedDir) Sync() error { return nil }

// SyncFS implements durable.Dir.
func (*unflushedDir) SyncFS() error { return errors.ErrUnsupported }

// lateFlush is a product that renames before it flushes the data: the flush of
// the file system waits for that of a directory.
type lateFlush struct{ dirOf }

func newLateFlush(d durable.Dir) durable.Dir { return &lateFlush{dirOf{d, newLateFlush}} }

// SyncFS implements durable.Dir, badly.
func (*lateFlush) SyncFS() error { return nil }

// Sync implements durable.Dir.
func (d *lateFlush) Sync() error { return d.Dir.SyncFS() }

// secondFlush is a product that asks again when a flush failed.
type secondFlush struct{ dirOf }

func newSecondFlush(d durable.Dir) durable.Dir { return &secondFlush{dirOf{d, newSecondFlush}} }

// SyncFS implements durable.Dir, badly.
func (d *secondFlush) SyncFS() error {
	if err := d.Dir.SyncFS(); err == nil {
		return nil
	}
	return d.Dir.SyncFS()
}

// overDisk makes a wrapper of Dirs one of disks.
func overDisk(wrap func(durable.Dir) durable.Dir) func(*mailtest.MemDisk) durable.Dir {
	return func(d *mailtest.MemDisk) durable.Dir { return wrap(d) }
}

// commitFirst is a product that remembers a batch before it is renamed.
func commitFirst(r *rig) {
	var last *hastyStore // of the pass that begins
	r.wrapStore = func(s pull.Store) pull.Store { last = &hastyStore{Store: s}; return last }
	r.wrapCheckpoint = func(c pull.Checkpoint) pull.Checkpoint { last.checkpoint = c; return c }
}

type hastyStore struct {
	pull.Store
	checkpoint pull.Checkpoint
}

// NewBatch implements pull.Store.
func (s *hastyStore) NewBatch() mail.Batch { return hastyBatch{s.Store.NewBatch(), s.checkpoint} }

type hastyBatch struct {
	mail.Batch
	checkpoint pull.Checkpoint
}

// Flush implements mail.Batch, badly.
func (b hastyBatch) Flush(items map[mail.Key]mail.Item) error {
	var refs []mail.Ref
	for _, item := range items {
		refs = append(refs, item.Ref)
	}
	if err := b.checkpoint.Commit(refs); err != nil {
		return err
	}
	return b.Batch.Flush(items)
}

// loseOne is a source that never lists one message, and says that all is well.
func loseOne(r *rig) { r.wrapSource = bent{listed: withoutThird}.over }

func withoutThird(refs mail.Refs) mail.Refs {
	if len(refs.UIDLs) > 3 {
		refs.UIDLs = append(refs.UIDLs[:2:2], refs.UIDLs[3:]...)
	}
	refs.UIDs = refs.UIDs.Minus(mail.NewUIDSet([]mail.UIDRange{{Lo: 3, Hi: 3}}))
	return refs
}

// cutShort is a source that gives every body without its end.
func cutShort(s pull.Source) pull.Source {
	return bent{fetch: otherBodies(func(b []byte) []byte { return b[:len(b)-len(b)/4] })}.over(s)
}

// deafWriter is a product that does not look at what a write says.
type deafWriter struct{ dirOf }

func newDeafWriter(d durable.Dir) durable.Dir { return &deafWriter{dirOf{d, newDeafWriter}} }

// Create implements durable.Dir.
func (d *deafWriter) Create(name string) (durable.File, error) {
	f, err := d.Dir.Create(name)
	if err != nil {
		return nil, err
	}
	return deafFile{f}, nil
}

type deafFile struct{ durable.File }

// Write implements io.Writer, badly.
func (f deafFile) Write(p []byte) (int, error) {
	_, _ = f.File.Write(p)
	return len(p), nil
}
