package secret

import (
	"os"

	"golang.org/x/sys/unix"
)

// onReadOnlyMount reports whether the file lies on a file system that is
// mounted read-only, where nobody can change its mode.
func onReadOnlyMount(f *os.File) bool {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return false
	}
	return st.Flags&unix.ST_RDONLY != 0
}
