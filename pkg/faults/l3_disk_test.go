package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// l3Small is the size of the small file system. The accounts on it have at
// most half of it.
const l3Small = 256 << 20

// l3Disk is a small ext4 file system of its own that can be filled.
type l3Disk struct{ mount string }

// l3NewDisk makes a file system in an image below dir and mounts it, which
// takes root.
func l3NewDisk(dir string) (*l3Disk, error) {
	image, d := filepath.Join(dir, "small.ext4"), &l3Disk{filepath.Join(dir, "small")}
	if err := os.Mkdir(d.mount, 0o700); err != nil {
		return nil, err
	}
	for _, command := range [][]string{
		{"truncate", "-s", strconv.Itoa(l3Small), image},
		{"mkfs.ext4", "-q", "-F", "-m", "0", image}, // no part of it is kept for root
		{"mount", "-o", "loop", image, d.mount},
	} {
		if err := l3Run(command...); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// l3Run runs a command, whose output is part of the error.
func l3Run(command ...string) error {
	out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", command[0], err, out)
	}
	return nil
}

func (d *l3Disk) filler() string { return filepath.Join(d.mount, "filler") }

// fill takes all space but so many bytes.
func (d *l3Disk) fill(left int64) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(d.mount, &fs); err != nil {
		return err
	}
	take := int64(fs.Bavail)*int64(fs.Bsize) - left
	if take <= 0 {
		return nil
	}
	err := l3Run("fallocate", "-l", strconv.FormatInt(take, 10), d.filler())
	if _, serr := os.Stat(d.filler()); serr != nil {
		return err
	}
	return nil // also where somebody was faster: fallocate keeps what it could have
}

// free gives the space back. ext4 does so only when the removal is on disk.
func (d *l3Disk) free() error {
	if err := os.Remove(d.filler()); err != nil && !os.IsNotExist(err) {
		return err
	}
	return l3Run("sync", "-f", d.mount)
}

// unmount lets go of the file system; the image stays.
func (d *l3Disk) unmount() error { return l3Run("umount", d.mount) }
