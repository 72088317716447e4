//go:build linux

package faults

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// l2Device is a block device that remembers in which order it was written to
// and flushed: a file of a file system of our own (FUSE), which a loop device
// stands on. What reaches it is what reaches a disk, so the state of a disk
// after a power cut at any moment can be made from its log.
type l2Device struct {
	fuse int

	mu    sync.Mutex
	image []byte // as it is now
	log   []l2Write
}

// l2Write is one write, or a flush, which has no data.
type l2Write struct {
	offset int64
	data   []byte
}

func (w l2Write) flush() bool { return w.data == nil }

// l2NewDevice makes a device with this content and returns the path of its
// file, which a loop device can be set up on.
func l2NewDevice(t *testing.T, image []byte) (d *l2Device, path string) {
	t.Helper()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		lacking(t, fmt.Sprintf("no FUSE: %v", err))
	}
	d = &l2Device{fuse: fd, image: bytes.Clone(image)}
	path = filepath.Join(t.TempDir(), "device")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// The root of the file system is the one file that it has.
	options := fmt.Sprintf("fd=%d,rootmode=100000,user_id=0,group_id=0", fd)
	if err := unix.Mount("mailpull", path, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		_ = unix.Close(fd) // it was not used
		lacking(t, fmt.Sprintf("no FUSE can be mounted: %v", err))
	}
	var served sync.WaitGroup
	served.Go(d.serve)
	t.Cleanup(func() {
		// The loop device lets go of the file a moment after its unmount.
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
		served.Wait()
		_ = unix.Close(fd) // nothing is mounted any more
	})
	return d, path
}

// position is how many writes and flushes there were.
func (d *l2Device) position() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.log)
}

// after returns the content of the device that began as image, with those of
// the first n writes that keep wants. What was flushed stays in any case: a
// disk that forgets it keeps no promise, and neither can we.
func (d *l2Device) after(image []byte, n int, keep func() bool) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	state := bytes.Clone(image)
	flushed := 0
	for i, w := range d.log[:n] {
		if w.flush() {
			flushed = i
		}
	}
	for i, w := range d.log[:n] {
		if i < flushed || keep() {
			copy(state[w.offset:], w.data)
		}
	}
	return state
}

// The requests of the kernel that are answered (linux/fuse.h). Those with
// numbers in l2Silent have no answer; all others are refused.
const (
	fuseGetattr = 3
	fuseSetattr = 4
	fuseOpen    = 14
	fuseRead    = 15
	fuseWrite   = 16
	fuseRelease = 18
	fuseFsync   = 20
	fuseFlush   = 25
	fuseInit    = 26
)

// fuseSilent reports whether a request wants no answer: FORGET, INTERRUPT,
// DESTROY, BATCH_FORGET.
func fuseSilent(opcode uint32) bool {
	return opcode == 2 || opcode == 36 || opcode == 38 || opcode == 42
}

const (
	fuseHeader   = 40 // of a request
	fuseMaxWrite = 128 << 10
)

// serve answers the kernel until the file system is unmounted.
func (d *l2Device) serve() {
	request := make([]byte, fuseMaxWrite+4096)
	for {
		n, err := unix.Read(d.fuse, request)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EAGAIN) {
			continue // a request that was taken back
		}
		if err != nil {
			return // ENODEV: unmounted
		}
		opcode := binary.LittleEndian.Uint32(request[4:])
		if fuseSilent(opcode) {
			continue
		}
		data, errno := d.answer(opcode, request[fuseHeader:n])
		reply := binary.LittleEndian.AppendUint32(nil, uint32(16+len(data)))
		reply = binary.LittleEndian.AppendUint32(reply, uint32(-int32(errno)))
		reply = append(reply, request[8:16]...) // whose answer it is
		// One that the kernel no longer waits for is refused, which is well.
		_, _ = unix.Write(d.fuse, append(reply, data...))
	}
}

// answer returns what a request wants.
func (d *l2Device) answer(opcode uint32, in []byte) (out []byte, errno unix.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	le := binary.LittleEndian
	switch opcode {
	case fuseInit:
		out = make([]byte, 64)
		le.PutUint32(out[0:], 7)
		le.PutUint32(out[4:], 31)
		le.PutUint32(out[12:], 1<<5) // writes of more than a page
		le.PutUint32(out[20:], fuseMaxWrite)
		return out, 0
	case fuseGetattr, fuseSetattr:
		return d.attributes(), 0
	case fuseOpen:
		return make([]byte, 16), 0
	case fuseRead:
		from := min(le.Uint64(in[8:]), uint64(len(d.image)))
		to := min(from+uint64(le.Uint32(in[16:])), uint64(len(d.image)))
		return bytes.Clone(d.image[from:to]), 0
	case fuseWrite:
		w := l2Write{offset: int64(le.Uint64(in[8:])), data: bytes.Clone(in[40 : 40+le.Uint32(in[16:])])}
		if w.offset+int64(len(w.data)) > int64(len(d.image)) {
			return nil, unix.ENOSPC
		}
		copy(d.image[w.offset:], w.data)
		d.log = append(d.log, w)
		return le.AppendUint64(nil, uint64(len(w.data))), 0
	case fuseFsync:
		d.log = append(d.log, l2Write{})
		return nil, 0
	case fuseFlush, fuseRelease:
		return nil, 0
	}
	return nil, unix.ENOSYS
}

// attributes describes the file (struct fuse_attr_out), true for a second.
func (d *l2Device) attributes() []byte {
	le := binary.LittleEndian
	out := make([]byte, 104)
	le.PutUint64(out[0:], 1)
	attr := out[16:]
	le.PutUint64(attr[0:], 1) // inode
	le.PutUint64(attr[8:], uint64(len(d.image)))
	le.PutUint64(attr[16:], uint64(len(d.image)/512))
	le.PutUint32(attr[60:], unix.S_IFREG|0o600)
	le.PutUint32(attr[64:], 1) // links
	le.PutUint32(attr[80:], 4096)
	return out
}
