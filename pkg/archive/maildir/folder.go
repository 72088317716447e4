package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"mailpull/pkg/durable"
)

// folder is a Maildir folder of the archive. Its directories are open only
// while somebody uses them, so that an account of ten thousand mailboxes needs
// few descriptors. It may be used from several goroutines.
type folder struct {
	store *Store
	parts []string // path components below the account's directory

	mu    sync.Mutex
	users int
	dirs  *dirs

	// unsynced is set while the names of the folder and of its parents may not
	// be durable: "it exists" does not say so, because the run that made them
	// can have been cut off.
	unsynced bool
}

// dirs are the open directories of a folder.
type dirs struct {
	tmp, new, cur durable.Dir

	// chain are the directories that hold the names of the folder, of its
	// parents and of the three above, without the account's own, which stays
	// open.
	chain []durable.Dir
}

func (d *dirs) close() {
	for _, dir := range append(d.chain, d.tmp, d.new, d.cur) {
		if dir != nil {
			_ = dir.Close() // nothing is written through a directory's descriptor
		}
	}
}

// prepare makes the folder where it is missing, checks that messages can be
// renamed in it, and removes what a crash left in tmp/.
func (f *folder) prepare() error {
	d, err := f.acquire()
	if err != nil {
		return err
	}
	defer f.release()
	// The flush of rung 3 is that of the account's file system.
	account := f.store.opts.Dir
	if !durable.SameDevice(d.tmp, account) || !durable.SameDevice(d.new, account) || !durable.SameDevice(d.cur, account) {
		return fmt.Errorf("%s: %w", d.tmp.Path(), errDevices)
	}
	return f.sweep(d.tmp)
}

// acquire opens the folder's directories, makes those that are missing, and
// keeps them open until release.
func (f *folder) acquire() (*dirs, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dirs == nil {
		d, err := f.open()
		if err != nil {
			return nil, err
		}
		f.dirs = d
	}
	f.users++
	return f.dirs, nil
}

func (f *folder) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users--
	if f.users == 0 {
		f.dirs.close()
		f.dirs = nil
	}
}

// open opens the folder from the account's directory downwards, name by name:
// a symbolic link at any of them is refused. The caller holds f.mu.
func (f *folder) open() (_ *dirs, err error) {
	d := &dirs{}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	home := f.store.opts.Dir
	for _, part := range f.parts {
		if home, err = f.sub(home, part); err != nil {
			return nil, err
		}
		d.chain = append(d.chain, home)
	}
	if d.tmp, err = f.sub(home, "tmp"); err != nil {
		return nil, err
	}
	if d.new, err = f.sub(home, "new"); err != nil {
		return nil, err
	}
	if d.cur, err = f.sub(home, "cur"); err != nil {
		return nil, err
	}
	return d, nil
}

// sub opens a directory and makes it where it is missing.
func (f *folder) sub(dir durable.Dir, name string) (durable.Dir, error) {
	sub, err := dir.Sub(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return sub, err
	}
	if err := dir.Mkdir(name); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	f.unsynced = true
	return dir.Sub(name)
}

// sweep removes files of ours from tmp/. The caller holds the account's lock
// and has no batch open in this folder, so none of them is being written.
func (f *folder) sweep(tmp durable.Dir) error {
	var stale []string
	err := tmp.Names(func(name string, isDir bool) error {
		if !isDir && isTmpName(name) {
			stale = append(stale, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range stale {
		if err := tmp.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if len(stale) > 0 {
		f.store.opts.Log.Info("removed unfinished messages", "path", tmp.Path(), "files", len(stale))
	}
	return nil
}

// unsyncedChain returns the directories to flush before a message in the folder
// has a durable path; none once they were flushed. The folder is acquired.
func (f *folder) unsyncedChain() []durable.Dir {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.unsynced {
		return nil
	}
	return append([]durable.Dir{f.store.opts.Dir}, f.dirs.chain...)
}

// setSynced says that the chain was flushed.
func (f *folder) setSynced() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unsynced = false
}

// readBelow reads the names in a directory of the archive, given its path
// components. One that is missing has none.
func (s *Store) readBelow(parts []string) (*siblings, error) {
	dir := s.opts.Dir
	for i, part := range parts {
		sub, err := dir.Sub(part)
		if i > 0 {
			_ = dir.Close() // only read
		}
		if errors.Is(err, fs.ErrNotExist) {
			return &siblings{names: make(map[string]bool), folded: make(map[string]bool)}, nil
		}
		if err != nil {
			return nil, err
		}
		dir = sub
	}
	if len(parts) > 0 {
		defer dir.Close()
	}
	return readSiblings(dir)
}
