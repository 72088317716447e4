//go:build unix

package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// MkdirAll makes a directory and the parents that are missing, mode 0700. The
// whole chain of names is durable when it returns nil.
//
// Each level's name lives in its parent, so the parents are flushed from the
// top down, also those of levels that were there: "exists" is not "durable",
// the run that made them may have been cut off before its flush. A parent that
// was there and that we may not read or write is passed over: then we did not
// make what is in it.
func MkdirAll(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	for _, level := range levels(path) {
		err := os.Mkdir(level, 0o700)
		made := err == nil
		if err != nil && !isDir(level) {
			return err
		}
		err = syncPath(filepath.Dir(level))
		if err != nil && (made || !beyondUs(err)) {
			return err
		}
	}
	return nil
}

// beyondUs reports whether a directory could not be flushed because it is not
// ours to change: no permission, a read-only file system, or one that has no
// flush for directories.
func beyondUs(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) ||
		errors.Is(err, unix.EINVAL) || errors.Is(err, errors.ErrUnsupported)
}

// levels returns an absolute path and its parents, without the root, from the
// top down.
func levels(path string) []string {
	var all []string
	for path != filepath.Dir(path) {
		all = append(all, path)
		path = filepath.Dir(path)
	}
	slices.Reverse(all)
	return all
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func syncPath(path string) error {
	d, err := OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
