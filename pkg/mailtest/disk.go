package mailtest

import (
	"io/fs"
	"time"

	"mailpull/pkg/durable"
)

// Disk wraps a real directory so that each operation on it and below it takes
// a step first: a test can fail the n-th one, or kill the process there. A
// write that is stopped leaves half of its bytes behind, as a real one may.
func Disk(dir durable.Dir, steps *Steps) durable.Dir { return &disk{Dir: dir, steps: steps} }

type disk struct {
	durable.Dir
	steps *Steps
}

func (d *disk) step(op, name string) error {
	if err := d.steps.Do(op); err != nil {
		return &fs.PathError{Op: op, Path: d.Dir.Path() + "/" + name, Err: err}
	}
	return nil
}

func (d *disk) file(op, name string, open func(string) (durable.File, error)) (durable.File, error) {
	if err := d.step(op, name); err != nil {
		return nil, err
	}
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	return &diskFile{File: f, disk: d, name: name}, nil
}

// Create implements durable.Dir.
func (d *disk) Create(name string) (durable.File, error) { return d.file("create", name, d.Dir.Create) }

// Append implements durable.Dir.
func (d *disk) Append(name string) (durable.File, error) { return d.file("append", name, d.Dir.Append) }

// Open implements durable.Dir.
func (d *disk) Open(name string) (durable.File, error) { return d.file("open", name, d.Dir.Open) }

// Rename implements durable.Dir.
func (d *disk) Rename(from string, to durable.Dir, name string) error {
	if err := d.step("rename", from); err != nil {
		return err
	}
	if wrapped, ok := to.(*disk); ok {
		to = wrapped.Dir
	}
	return d.Dir.Rename(from, to, name)
}

// Replace implements durable.Dir.
func (d *disk) Replace(from, to string) error {
	if err := d.step("replace", from); err != nil {
		return err
	}
	return d.Dir.Replace(from, to)
}

// Remove implements durable.Dir.
func (d *disk) Remove(name string) error {
	if err := d.step("remove", name); err != nil {
		return err
	}
	return d.Dir.Remove(name)
}

// SetTime implements durable.Dir.
func (d *disk) SetTime(name string, t time.Time) error {
	if err := d.step("set time", name); err != nil {
		return err
	}
	return d.Dir.SetTime(name, t)
}

// Names implements durable.Dir.
func (d *disk) Names(fn func(name string, isDir bool) error) error {
	if err := d.step("names", ""); err != nil {
		return err
	}
	return d.Dir.Names(fn)
}

// Mkdir implements durable.Dir.
func (d *disk) Mkdir(name string) error {
	if err := d.step("mkdir", name); err != nil {
		return err
	}
	return d.Dir.Mkdir(name)
}

// Sub implements durable.Dir.
func (d *disk) Sub(name string) (durable.Dir, error) {
	if err := d.step("sub", name); err != nil {
		return nil, err
	}
	sub, err := d.Dir.Sub(name)
	if err != nil {
		return nil, err
	}
	return &disk{Dir: sub, steps: d.steps}, nil
}

// Sync implements durable.Dir.
func (d *disk) Sync() error {
	if err := d.step("sync", ""); err != nil {
		return err
	}
	return d.Dir.Sync()
}

// SyncFS implements durable.Dir.
func (d *disk) SyncFS() error {
	if err := d.step("syncfs", ""); err != nil {
		return err
	}
	return d.Dir.SyncFS()
}

type diskFile struct {
	durable.File
	disk *disk
	name string
}

// Write implements durable.File.
func (f *diskFile) Write(p []byte) (int, error) {
	err := f.disk.step("write", f.name)
	switch {
	case err == nil:
		return f.File.Write(p)
	case f.disk.steps.stopped():
		return 0, err
	}
	n, werr := f.File.Write(p[:len(p)/2])
	if werr != nil {
		return n, werr
	}
	return n, err
}

// Truncate implements durable.File.
func (f *diskFile) Truncate(size int64) error {
	if err := f.disk.step("truncate", f.name); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

// Sync implements durable.File.
func (f *diskFile) Sync() error {
	if err := f.disk.step("fdatasync", f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

// Close implements durable.File.
func (f *diskFile) Close() error {
	err := f.disk.step("close", f.name)
	if cerr := f.File.Close(); err == nil {
		err = cerr
	}
	return err
}
