//go:build unix

package durable

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// WriteShared is WriteFile for a path that every user may read: mode 0644,
// whatever the umask is. Its temporary file has the process id in its name, so
// several processes may write one path at a time; the last one wins.
func WriteShared(path string, data []byte) error {
	dir, err := OpenDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close() // what had to be durable was flushed before
	name := filepath.Base(path)
	return replace(dir, name, fmt.Sprintf("%s.%d.tmp", name, os.Getpid()), data, readableByAll)
}

func readableByAll(f File) error {
	file, ok := f.(*osFile)
	if !ok {
		return fmt.Errorf("%T has no mode", f)
	}
	return file.do("chmod", func(fd int) error { return unix.Fchmod(fd, 0o644) })
}
