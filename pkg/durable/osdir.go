//go:build unix

package durable

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// errNotRegular refuses what is neither a file nor a directory: a pipe in
// place of a file would make a reader wait for ever.
var errNotRegular = errors.New("not a regular file")

// namesChunk is how many entries Names holds at a time.
const namesChunk = 512

// osDir is a Dir on a descriptor: all names are resolved by the kernel
// relative to it, so a directory that is renamed or replaced by a link while
// we work leads nowhere else.
type osDir struct {
	desc desc
	path string

	// canSyncFS is asked once, at the first SyncFS.
	canSyncFS func() bool
}

// OpenDir opens a directory. Symbolic links in path are followed: it is the
// administrator's word, not a server's. The caller closes the Dir.
func OpenDir(path string) (Dir, error) {
	fd, err := openat(unix.AT_FDCWD, path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return newOSDir(fd, path), nil
}

func newOSDir(fd int, path string) *osDir {
	return &osDir{
		desc:      desc{fd: fd},
		path:      path,
		canSyncFS: sync.OnceValue(func() bool { return syncfsReportsErrors(fd) }),
	}
}

func openat(dirfd int, name string, flags int, perm uint32) (fd int, err error) {
	err = retry(func() error {
		fd, err = unix.Openat(dirfd, name, flags|unix.O_CLOEXEC, perm)
		return err
	})
	return fd, err
}

// checkName refuses what is not a single path component.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." || len(name) > 255 || strings.ContainsAny(name, "/\x00") {
		return ErrName
	}
	return nil
}

// at calls fn with the descriptor, for a name in the directory, and gives its
// error the operation and the whole path.
func (d *osDir) at(op, name string, fn func(fd int) error) error {
	err := checkName(name)
	if err == nil {
		err = d.with(fn)
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: d.join(name), Err: err}
	}
	return nil
}

// with calls fn with the descriptor.
func (d *osDir) with(fn func(fd int) error) error {
	fd, err := d.desc.acquire()
	if err != nil {
		return err
	}
	defer d.desc.release()
	return fn(fd)
}

func (d *osDir) join(name string) string { return d.path + "/" + name }

// Create implements Dir.
func (d *osDir) Create(name string) (File, error) {
	return d.file("create", name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
}

// Append implements Dir.
func (d *osDir) Append(name string) (File, error) {
	return d.regular("open", name, unix.O_RDWR|unix.O_APPEND|unix.O_CREAT)
}

// Open implements Dir.
func (d *osDir) Open(name string) (File, error) {
	return d.regular("open", name, unix.O_RDONLY)
}

// regular opens a name that may be taken by something else than a file.
// O_NONBLOCK has no effect on files and keeps open(2) from waiting for the
// other end of a pipe.
func (d *osDir) regular(op, name string, flags int) (File, error) {
	f, err := d.file(op, name, flags|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	err = unix.Fstat(f.fd, &st)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = errNotRegular
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, &fs.PathError{Op: op, Path: d.join(name), Err: err}
	}
	return f, nil
}

func (d *osDir) file(op, name string, flags int) (f *osFile, err error) {
	err = d.at(op, name, func(dirfd int) error {
		fd, err := openat(dirfd, name, flags|unix.O_NOFOLLOW, 0o600)
		if err == nil {
			f = &osFile{fd: fd, dir: d, name: name}
		}
		return err
	})
	return f, err
}

// Rename implements Dir.
func (d *osDir) Rename(old string, to Dir, new string) error {
	target, ok := to.(*osDir)
	if !ok {
		return d.linkError("rename", old, to.Path()+"/"+new, errors.ErrUnsupported)
	}
	err := errors.Join(checkName(old), checkName(new))
	if err == nil {
		err = d.with(func(from int) error {
			return target.with(func(to int) error { return renameNoReplace(from, old, to, new) })
		})
	}
	return d.linkError("rename", old, target.join(new), err)
}

// linkThenUnlink is rename without overwriting for file systems and kernels
// that lack it. A crash in between leaves both names, which share one file.
func linkThenUnlink(from int, old string, to int, new string) error {
	if err := retry(func() error { return unix.Linkat(from, old, to, new, 0) }); err != nil {
		return err
	}
	return retry(func() error { return unix.Unlinkat(from, old, 0) })
}

// Replace implements Dir.
func (d *osDir) Replace(old, new string) error {
	err := errors.Join(checkName(old), checkName(new))
	if err == nil {
		err = d.with(func(fd int) error {
			return retry(func() error { return unix.Renameat(fd, old, fd, new) })
		})
	}
	return d.linkError("rename", old, d.join(new), err)
}

func (d *osDir) linkError(op, old, newPath string, err error) error {
	if err == nil {
		return nil
	}
	return &os.LinkError{Op: op, Old: d.join(old), New: newPath, Err: err}
}

// Remove implements Dir.
func (d *osDir) Remove(name string) error {
	return d.at("remove", name, func(fd int) error {
		return retry(func() error { return unix.Unlinkat(fd, name, 0) })
	})
}

// SetTime implements Dir.
func (d *osDir) SetTime(name string, t time.Time) error {
	return d.at("settime", name, func(fd int) error {
		return retry(func() error { return setTimes(fd, name, t) })
	})
}

// Names implements Dir. It reads through a descriptor of its own, so that
// several calls can run at once.
func (d *osDir) Names(fn func(name string, isDir bool) error) error {
	var own int
	err := d.with(func(fd int) (err error) {
		own, err = openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
		return err
	})
	if err != nil {
		return &fs.PathError{Op: "readdir", Path: d.path, Err: err}
	}
	f := os.NewFile(uintptr(own), d.path)
	defer f.Close()

	for {
		entries, err := f.ReadDir(namesChunk)
		for _, e := range entries {
			if err := fn(e.Name(), e.IsDir()); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// Mkdir implements Dir.
func (d *osDir) Mkdir(name string) error {
	return d.at("mkdir", name, func(fd int) error {
		return retry(func() error { return unix.Mkdirat(fd, name, 0o700) })
	})
}

// Sub implements Dir.
func (d *osDir) Sub(name string) (sub Dir, err error) {
	err = d.at("open", name, func(dirfd int) error {
		fd, err := openat(dirfd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		if err == nil {
			sub = newOSDir(fd, d.join(name))
			return nil
		}
		// The kernel calls a link to a directory "not a directory" here,
		// which is of no help to whoever looks at one.
		if err == unix.ENOTDIR && isSymlink(dirfd, name) {
			return unix.ELOOP
		}
		return err
	})
	return sub, err
}

func isSymlink(dirfd int, name string) bool {
	var st unix.Stat_t
	err := unix.Fstatat(dirfd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK
}

// Sync implements Dir.
func (d *osDir) Sync() error {
	if err := d.with(flush); err != nil {
		return &fs.PathError{Op: "sync", Path: d.path, Err: err}
	}
	return nil
}

// SyncFS implements Dir.
func (d *osDir) SyncFS() error {
	err := d.with(func(fd int) error {
		if !d.canSyncFS() {
			return errors.ErrUnsupported
		}
		return syncfs(fd)
	})
	if err != nil {
		return &fs.PathError{Op: "syncfs", Path: d.path, Err: err}
	}
	return nil
}

// device returns the number of the file system that the directory is on.
func (d *osDir) device() (dev uint64, err error) {
	err = d.with(func(fd int) error {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return err
		}
		dev = uint64(st.Dev) // 32 bits on other systems
		return nil
	})
	return dev, err
}

// Path implements Dir.
func (d *osDir) Path() string { return d.path }

// Close implements Dir. Calls that are under way end first.
func (d *osDir) Close() error {
	if err := d.desc.close(); err != nil {
		return &fs.PathError{Op: "close", Path: d.path, Err: err}
	}
	return nil
}

// SameDevice reports whether two directories are known to be on one file
// system or nothing is known of one of them: false means that Rename between
// them can never work.
func SameDevice(a, b Dir) bool {
	type onDevice interface{ device() (uint64, error) }
	x, okX := a.(onDevice)
	y, okY := b.(onDevice)
	if !okX || !okY {
		return true
	}
	devX, errX := x.device()
	devY, errY := y.device()
	return errX != nil || errY != nil || devX == devY
}
