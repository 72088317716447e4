package maildir

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"mailpull/pkg/durable"
)

// errDead is what a killed faultDir returns: nothing has an effect any more.
var errDead = errors.New("killed")

// faults decides the fate of each operation of the faultDirs that share it,
// and remembers them.
type faults struct {
	mu   sync.Mutex
	ops  []string
	at   int   // fail the at-th operation, counted from 1; 0 never
	err  error // with this; errDead kills: all later ones fail too
	noFS bool  // SyncFS is unsupported

	// hook is called before each operation, without the lock; nil is none.
	hook func(op string)
}

func (f *faults) do(op, path string) error {
	if f.hook != nil {
		f.hook(op)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ops = append(f.ops, op)
	n := len(f.ops)
	if f.at == 0 || n != f.at && (n < f.at || !errors.Is(f.err, errDead)) {
		return nil
	}
	return &fs.PathError{Op: op, Path: path, Err: f.err}
}

// op returns the n-th operation, counted from 1, and whether there was one.
func (f *faults) op(n int) (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n > len(f.ops) {
		return "", false
	}
	return f.ops[n-1], true
}

// since returns the operations after the first n.
func (f *faults) since(n int) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.ops[n:])
}

// faultDir is a Dir whose operations can fail. Its flushes do nothing, so that
// tests wait for nobody else's.
type faultDir struct {
	durable.Dir
	faults *faults
}

func (d *faultDir) do(op, name string) error { return d.faults.do(op, d.Path()+"/"+name) }

func (d *faultDir) file(op, name string, open func(string) (durable.File, error)) (durable.File, error) {
	if err := d.do(op, name); err != nil {
		return nil, err
	}
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	return &faultFile{f, d, name, op == "open"}, nil
}

func (d *faultDir) Create(name string) (durable.File, error) {
	return d.file("create", name, d.Dir.Create)
}

func (d *faultDir) Open(name string) (durable.File, error) { return d.file("open", name, d.Dir.Open) }

func (d *faultDir) Rename(old string, to durable.Dir, name string) error {
	target := to.(*faultDir)
	if err := d.faults.do("rename", target.Path()+"/"+name); err != nil {
		var pathErr *fs.PathError
		errors.As(err, &pathErr)
		return &os.LinkError{Op: "rename", Old: d.Path() + "/" + old, New: pathErr.Path, Err: pathErr.Err}
	}
	return d.Dir.Rename(old, target.Dir, name)
}

func (d *faultDir) Remove(name string) error {
	if err := d.do("remove", name); err != nil {
		return err
	}
	return d.Dir.Remove(name)
}

func (d *faultDir) SetTime(name string, t time.Time) error {
	if err := d.do("settime", name); err != nil {
		return err
	}
	return d.Dir.SetTime(name, t)
}

func (d *faultDir) Names(fn func(string, bool) error) error {
	if err := d.do("names", ""); err != nil {
		return err
	}
	return d.Dir.Names(fn)
}

func (d *faultDir) Mkdir(name string) error {
	if err := d.do("mkdir", name); err != nil {
		return err
	}
	return d.Dir.Mkdir(name)
}

func (d *faultDir) Sub(name string) (durable.Dir, error) {
	if err := d.do("sub", name); err != nil {
		return nil, err
	}
	sub, err := d.Dir.Sub(name)
	if err != nil {
		return nil, err
	}
	return &faultDir{sub, d.faults}, nil
}

func (d *faultDir) Sync() error {
	if err := d.do("sync", ""); err != nil {
		return err
	}
	return nil
}

func (d *faultDir) SyncFS() error {
	if d.faults.noFS {
		return errors.ErrUnsupported
	}
	if err := d.do("syncfs", ""); err != nil {
		return err
	}
	return nil
}

type faultFile struct {
	durable.File
	dir  *faultDir
	name string
	read bool
}

// Write leaves half of the bytes behind when it fails, as a full disk does.
func (f *faultFile) Write(p []byte) (int, error) {
	err := f.dir.do("write", f.name)
	if err == nil {
		return f.File.Write(p)
	}
	if errors.Is(err, errDead) && len(f.dir.faults.since(0)) > f.dir.faults.at {
		return 0, err
	}
	n, werr := f.File.Write(p[:len(p)/2])
	return n, errors.Join(err, werr)
}

func (f *faultFile) Sync() error {
	if err := f.dir.do("fsync", f.name); err != nil {
		return err
	}
	return nil
}

func (f *faultFile) Close() error {
	op := "close"
	if f.read {
		op = "close read"
	}
	return errors.Join(f.dir.do(op, f.name), f.File.Close())
}
