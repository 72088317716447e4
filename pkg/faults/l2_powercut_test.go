//go:build linux

package faults

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"mailpull/pkg/mailtest"
)

// l2ImageSize holds the mail of a power cut and is copied for each state.
const l2ImageSize = 24 << 20

// l2Cuts is how many states of the disk are tried for each protocol.
const l2Cuts = 250

// The power goes while the real program writes to a real ext4, which ext4 is
// mounted again as it then is: at moments spread over three passes, each of them
// once with every write that the disk was given, and once with those that it was
// given since its last flush kept or lost at random. What the checkpoint says was
// delivered is there and whole, nothing is partial, and the next pass brings the
// rest and nothing twice.
func TestLevel2PowerCut(t *testing.T) {
	level2(t)
	needRoot(t)
	needTools(t, "mkfs.ext4", "mount")
	for _, protocol := range []string{"imap", "pop3"} {
		t.Run(protocol, func(t *testing.T) {
			r := l2Record(t, protocol)
			from, n := r.marks[0], 0
			to := r.marks[len(r.marks)-1]
			rng := rand.New(rand.NewPCG(3, 0))
			for i := range l2Cuts {
				at := from + (to-from)*i/(l2Cuts-1)
				keep := func() bool { return true }
				if i%2 == 1 {
					keep = func() bool { return rng.IntN(2) == 0 }
				}
				if err := r.cut(t, r.device.after(r.image, at, keep)); err != nil {
					t.Errorf("power cut after %d of %d writes: %v", at-from, to-from, err)
				}
				n++
			}
			mailtest.Figure(t, "C3", fmt.Sprintf("power cuts of an ext4 over %s, which it wrote to and flushed %d times", protocol, to-from), n, l2Cuts)
		})
	}
}

// Everything was acknowledged when a pass ends with 0: a power cut right behind
// it loses nothing at all.
func TestLevel2PowerCutBehindThePass(t *testing.T) {
	level2(t)
	needRoot(t)
	needTools(t, "mkfs.ext4", "mount")
	r := l2Record(t, "imap")
	last := r.marks[len(r.marks)-1]
	a := r.mount(t, r.device.after(r.image, last, func() bool { return false }))
	if err := a.judge(true); err != nil {
		t.Error(err)
	}
}

// A program that does not flush its mail, and does flush its checkpoint, is
// found out by the first image behind it.
func TestLevel2PowerCutNotices(t *testing.T) {
	level2(t)
	needRoot(t)
	needTools(t, "mkfs.ext4", "mount", "strace")
	r := l2Record(t, "imap", "strace", "-f", "-qq", "-o", os.DevNull, "-e", "trace=syncfs", "-e", "inject=syncfs:retval=0")
	last := r.marks[len(r.marks)-1]
	a := r.mount(t, r.device.after(r.image, last, func() bool { return true }))
	if err := a.judge(false); err == nil {
		t.Error("the mail was not flushed, and nothing is missing")
	}
}

// l2Recording is what a device was given during passes of the real program.
type l2Recording struct {
	device *l2Device
	image  []byte    // before
	marks  []int     // positions in the log: before the first pass, behind each
	server *l2Server // of the last pass
}

// l2Record makes three passes, for which the mail arrives bit by bit, 200
// messages in all, on an ext4 whose device keeps a log. They run below under.
func l2Record(t *testing.T, protocol string, under ...string) *l2Recording {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image")
	l2Ext4(t, file, l2ImageSize)
	image, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r := &l2Recording{image: image}
	device, path := l2NewDevice(t, image)
	r.device = device
	dir := l2MountImage(t, path)
	r.marks = append(r.marks, device.position())
	for _, arrived := range []int{70, 140, 200} {
		r.server = l2Serve(t, protocol, l2Messages(200, 12_000)[:arrived])
		if code, said := l2NewAccount(t, r.server, dir).run(t, under...); code != 0 {
			t.Fatalf("ended with %d: %s", code, said)
		}
		r.marks = append(r.marks, device.position())
	}
	return r
}

// mount mounts a state of the disk, until the test ends, and returns the account
// that is on it.
func (r *l2Recording) mount(t *testing.T, state []byte) *l2Account {
	t.Helper()
	file := filepath.Join(l2Shm(t), "image")
	if err := os.WriteFile(file, state, 0o600); err != nil {
		t.Fatal(err)
	}
	return l2NewAccount(t, r.server, l2MountImage(t, file))
}

// cut mounts a state of the disk, judges, lets the next pass finish, and judges
// again. The test that it makes of its own unmounts it.
func (r *l2Recording) cut(t *testing.T, state []byte) (err error) {
	t.Helper()
	t.Run("", func(t *testing.T) {
		a := r.mount(t, state)
		if err = a.judge(false); err == nil {
			err = a.finish(t)
		}
	})
	return err
}
