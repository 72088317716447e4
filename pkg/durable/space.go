//go:build unix

package durable

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// Space is how much room a file system has: bytes, and inodes, of which a
// Maildir needs one for each message.
type Space struct {
	// FreeBytes is what we may use, without what is kept for root.
	FreeBytes, TotalBytes uint64

	// FreeInodes is 0 where the file system has no fixed number of them;
	// TotalInodes is 0 as well then.
	FreeInodes, TotalInodes uint64
}

// FreeSpace asks the file system that holds path; see statfs(2). It waits as
// long as the file system does: on one of a network that can be for ever.
func FreeSpace(path string) (Space, error) {
	var s unix.Statfs_t
	err := retry(func() error { return unix.Statfs(path, &s) })
	if err != nil {
		return Space{}, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	block := uint64(s.Bsize)
	return Space{
		FreeBytes: uint64(max(0, int64(s.Bavail))) * block, TotalBytes: uint64(s.Blocks) * block,
		FreeInodes: uint64(s.Ffree), TotalInodes: uint64(s.Files),
	}, nil
}
