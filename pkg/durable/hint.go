//go:build unix

package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Hint returns a whole sentence that says what a person can do about an error
// of this package or of the os package, or the empty string.
func Hint(err error) string {
	where := errorPath(err)
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Sprintf("free some space, or inodes, on the file system of %s; the next run goes on where this one stopped", where)
	case errors.Is(err, syscall.EDQUOT):
		return fmt.Sprintf("the quota of the file system of %s is used up; free some space, and the next run goes on where this one stopped", where)
	case errors.Is(err, syscall.EROFS):
		return fmt.Sprintf("the file system of %s is read-only; a failing disk often shows so, so look at the system log before remounting it", where)
	case errors.Is(err, fs.ErrPermission):
		return permissionHint(where)
	case errors.Is(err, syscall.EXDEV):
		return fmt.Sprintf("tmp/, new/ and cur/ at %s are on different file systems; mount the file system at the account's folder or above", where)
	case errors.Is(err, syscall.ELOOP):
		return fmt.Sprintf("%s is a symbolic link; put a real file, folder or mount there", where)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "raise the limit of open files: LimitNOFILE= in a service, ulimit -n in a shell"
	case errors.Is(err, syscall.EIO):
		return fmt.Sprintf("the disk under %s could not read or write; look at the system log before trusting it with more", where)
	}
	return ""
}

// errorPath returns the path that an error names: where a rename was to lead,
// and "the archive" where there is none.
func errorPath(err error) string {
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case errors.As(err, &linkErr):
		return linkErr.New
	case errors.As(err, &pathErr):
		return pathErr.Path
	}
	return "the archive"
}

// permissionHint names the owner of what is there of path, and us.
func permissionHint(path string) string {
	for at := path; ; at = filepath.Dir(at) {
		info, err := os.Lstat(at)
		if err != nil && at != filepath.Dir(at) {
			continue // it was to be made, or we may not look
		}
		if err != nil {
			return fmt.Sprintf("mailpull runs as uid %d, which has no right to %s; give it to that user, or run as its owner", os.Geteuid(), path)
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return ""
		}
		return fmt.Sprintf("%s belongs to uid %d with mode %v, and mailpull runs as uid %d; change owner or mode, or run mailpull as the owner", at, st.Uid, info.Mode(), os.Geteuid())
	}
}
