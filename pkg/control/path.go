package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// maxPath is the length of the longest path of a socket in bytes: the size of
// sun_path without the NUL, 107 on Linux (unix(7)) and 103 elsewhere.
const maxPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// dialLimit is how long connecting may take. It is at once unless the daemon is
// stopped or its queue is full.
const dialLimit = 5 * time.Second

// checkPath refuses a path that bind(2) would refuse with a riddle. A relative
// one could begin with "@", which names a socket outside the file system.
func checkPath(path string) error {
	switch {
	case !filepath.IsAbs(path):
		return localError(fmt.Errorf("%q is not an absolute path", path), "")
	case len(path) > maxPath:
		return localError(
			fmt.Errorf("%q has %d bytes, and the system takes at most %d", path, len(path), maxPath),
			"choose a state folder with a shorter path, or name it by a short symbolic link that leads to it")
	}
	return nil
}

// makeWay removes the socket of a daemon that is dead. Whatever else stands at
// path stays there and is an error.
func makeWay(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return localError(err, "")
	}
	if info.Mode().Type() != fs.ModeSocket {
		return localError(fmt.Errorf("%q is there and is not a socket", path),
			"mailpull removes nothing that it did not make; move it away")
	}
	conn, err := net.DialTimeout("unix", path, dialLimit)
	switch {
	case err == nil:
		_ = conn.Close() // nothing was said on it
		return localError(fmt.Errorf("%q: %w", path, ErrInUse), "stop that daemon first")
	case !errors.Is(err, syscall.ECONNREFUSED):
		return localError(err, "")
	}
	if err := os.Remove(path); err != nil {
		return localError(err, "")
	}
	return nil
}

// ownerHint tells who may use the socket at path.
func ownerHint(path string) string {
	info, err := os.Lstat(path)
	if err != nil {
		return "run this as root or as the user that the daemon runs as"
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("the daemon runs as uid %d and this program as uid %d; run it as root or as that user", st.Uid, os.Geteuid())
}
