// Package durable is the only place where mailpull touches the disk for
// writing. It knows what the kernel promises: fsync(2) covers a file's data,
// a name is covered by fsync of its directory only, syncfs(2) covers both and
// reports errors since Linux 5.8 on a descriptor that was open before the
// writes, and after a failed flush the pages are lost although the next flush
// says yes. Everything above climbs the ladder with the calls below.
//
// A newcomer must know one thing: a name given to a Dir is a single path
// component. Nothing here can leave the directory it was opened on.
package durable

import (
	"errors"
	"io"
	"time"
)

// ErrName refuses a name that is not a single path component: empty, ".",
// "..", longer than 255 bytes, or holding a slash or NUL.
var ErrName = errors.New("not a single path component")

// Dir is an open directory. It may be used from several goroutines. Errors
// are *fs.PathError or *os.LinkError with the whole path, so that errors.Is
// finds fs.ErrExist, fs.ErrNotExist, fs.ErrPermission and syscall.Errno values
// such as ENOSPC; no method follows a symbolic link in the last component.
type Dir interface {
	// Create makes a new file for writing, mode 0600. fs.ErrExist when the
	// name is taken.
	Create(name string) (File, error)

	// Append opens a file for reading and appending, mode 0600, and creates
	// it where it is missing.
	Append(name string) (File, error)

	// Open opens a regular file for reading.
	Open(name string) (File, error)

	// Rename moves a file into to, another Dir of the same implementation or
	// the same one, and never overwrites: fs.ErrExist when the name is taken.
	// Durable after Sync of to, or SyncFS.
	Rename(old string, to Dir, new string) error

	// Replace renames within this directory and overwrites new atomically.
	// Durable after Sync.
	Replace(old, new string) error

	// Remove deletes a file. A missing one is fs.ErrNotExist.
	Remove(name string) error

	// SetTime sets a file's modification time. Durable after Sync of the file,
	// or SyncFS.
	SetTime(name string, t time.Time) error

	// Names calls fn for each entry but "." and "..", in no order, without
	// holding all of them in memory, and stops at fn's first error.
	Names(fn func(name string, isDir bool) error) error

	// Mkdir makes a directory, mode 0700. fs.ErrExist when the name is taken.
	Mkdir(name string) error

	// Sub opens a directory below this one. A symbolic link is refused.
	Sub(name string) (Dir, error)

	// Sync flushes this directory: the names in it are durable when it
	// returns nil.
	Sync() error

	// SyncFS flushes the whole file system, data and names, in one call, and
	// reports write-back errors since the directory was opened, each of them
	// once. It returns errors.ErrUnsupported, always or never, where the kernel
	// or the file system would not flush everything or not report every error;
	// the caller then flushes file by file.
	SyncFS() error

	// Path is where the directory was opened, for messages only.
	Path() string

	// Close lets go of the descriptor. Dirs opened by Sub are not closed.
	Close() error
}

// File is an open file. It belongs to one goroutine.
type File interface {
	io.Reader
	io.Writer
	io.ReaderAt
	io.Closer

	// Size returns the file's length in bytes.
	Size() (int64, error)

	// Truncate cuts the file to size.
	Truncate(size int64) error

	// Sync flushes the file's data, length and times (fsync). After an error
	// what was written is lost: close the file, remove it, begin again.
	Sync() error
}
