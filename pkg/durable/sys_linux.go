package durable

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// renameNoReplace moves a name and never overwrites. File systems without the
// flag answer EINVAL (NFS, some FUSE), kernels and sandboxes ENOSYS.
func renameNoReplace(from int, old string, to int, new string) error {
	err := retry(func() error { return unix.Renameat2(from, old, to, new, unix.RENAME_NOREPLACE) })
	if err == unix.EINVAL || err == unix.ENOSYS {
		return linkThenUnlink(from, old, to, new)
	}
	return err
}

// setTimes sets the modification time and leaves the time of access alone.
func setTimes(dirfd int, name string, t time.Time) error {
	mtime := unix.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
	ts := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, mtime}
	return unix.UtimesNanoAt(dirfd, name, ts, unix.AT_SYMLINK_NOFOLLOW)
}

// flush is fsync(2), not fdatasync(2): the modification time is a message's
// date and must be as durable as its bytes. The files that we flush are always
// longer than before, so both calls write the same.
func flush(fd int) error { return retry(func() error { return unix.Fsync(fd) }) }

func syncfs(fd int) error {
	err := retry(func() error { return unix.Syncfs(fd) })
	if err == unix.ENOSYS {
		return errors.ErrUnsupported
	}
	return err
}

// syncfsReportsErrors reports whether syncfs(2) can stand for an fsync of
// every file: the kernel must tell write-back errors (Linux 5.8, syncfs(2),
// Versions), and the file system must be one that really flushes. FUSE does not
// pass the call on to its server, overlayfs does not hear of the errors of the
// file system below, and network file systems differ: these get an fsync per
// file.
func syncfsReportsErrors(fd int) bool {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil || !kernelAtLeast(unix.ByteSliceToString(name.Release[:]), 5, 8) {
		return false
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return false
	}
	switch uint32(st.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC,
		unix.F2FS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return true
	}
	return false
}

// kernelAtLeast reads a release such as "6.1.0-13-amd64". What cannot be read
// is old.
func kernelAtLeast(release string, major, minor int) bool {
	first, rest, _ := strings.Cut(release, ".")
	second := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	gotMajor, errMajor := strconv.Atoi(first)
	gotMinor, errMinor := strconv.Atoi(second)
	if errMajor != nil || errMinor != nil {
		return false
	}
	return gotMajor > major || gotMajor == major && gotMinor >= minor
}
