package mailtest_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mailpull/pkg/durable"
	"mailpull/pkg/mailtest"
)

// holds returns what a disk holds, a word for each file, in order.
func holds(t *testing.T, d durable.Dir) string {
	t.Helper()
	var words []string
	ok(t, d.Names(func(name string, isDir bool) error {
		if !isDir {
			words = append(words, fmt.Sprintf("%s=%q", name, d.(*mailtest.MemDisk).Bytes(name)))
			return nil
		}
		sub := must[durable.Dir](t)(d.Sub(name))
		words = append(words, name+"/["+holds(t, sub)+"]")
		return nil
	}))
	return strings.Join(words, " ")
}

// states returns what the disk may hold after a power cut, in order.
func states(t *testing.T, d *mailtest.MemDisk) []string {
	t.Helper()
	var all []string
	for left := range d.States(rand.New(rand.NewPCG(1, 2)), 50) {
		all = append(all, holds(t, left))
		if again := slices.Collect(left.States(nil, 0)); len(again) != 1 || again[0].State() != left.State() {
			t.Errorf("what is left of %s is not durable", holds(t, left))
		}
	}
	slices.Sort(all)
	if len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Errorf("a state comes twice: %q", all)
	}
	return all
}

func TestStates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(t *testing.T, d *mailtest.MemDisk)
		want []string
	}{
		"all flushed": {func(t *testing.T, d *mailtest.MemDisk) {
			write(t, d, "f", "ab", true)
			ok(t, d.Sync())
		}, []string{`f="ab"`}},
		"the bytes are flushed, the name is not": {func(t *testing.T, d *mailtest.MemDisk) {
			write(t, d, "f", "ab", true)
		}, []string{``, `f="ab"`}},
		"the name is flushed, the bytes are not": {func(t *testing.T, d *mailtest.MemDisk) {
			write(t, d, "f", "ab", false)
			ok(t, d.Sync())
		}, []string{`f=""`, `f="\x00\x00"`, `f="a"`, `f="a\x00"`, `f="ab"`}},
		"a tail": {func(t *testing.T, d *mailtest.MemDisk) {
			d.Put("f", []byte("ab"))
			write(t, d, "f", "cd", false)
		}, []string{`f="ab"`, `f="ab\x00\x00"`, `f="abc"`, `f="abc\x00"`, `f="abcd"`}},
		"made, removed and made again": {func(t *testing.T, d *mailtest.MemDisk) {
			write(t, d, "f", "old", true)
			ok(t, d.Remove("f"))
			write(t, d, "f", "new", true)
		}, []string{``, `f="new"`, `f="old"`}},
		"one before the other, the other before the one": {func(t *testing.T, d *mailtest.MemDisk) {
			write(t, d, "f", "1", true)
			write(t, d, "g", "2", true)
		}, []string{``, `f="1"`, `f="1" g="2"`, `g="2"`}},
		"renamed within a directory": {func(t *testing.T, d *mailtest.MemDisk) {
			d.Put("f", []byte("ab"))
			ok(t, d.Rename("f", d, "g"))
		}, []string{`f="ab"`, `g="ab"`}},
		"replaced": {func(t *testing.T, d *mailtest.MemDisk) {
			d.Put("f", []byte("old"))
			write(t, d, "tmp", "new", true)
			ok(t, d.Replace("tmp", "f"))
		}, []string{`f="new"`, `f="old"`, `f="old" tmp="new"`}},
		"renamed into another directory": {func(t *testing.T, d *mailtest.MemDisk) {
			ok(t, d.Mkdir("new"))
			d.Put("f", []byte("ab"))
			ok(t, d.Rename("f", must[durable.Dir](t)(d.Sub("new")), "f"))
		}, []string{`f="ab" new/[]`, `f="ab" new/[f="ab"]`, `new/[]`, `new/[f="ab"]`}},
		"renamed, and only the new directory flushed": {func(t *testing.T, d *mailtest.MemDisk) {
			ok(t, d.Mkdir("new"))
			d.Put("f", []byte("ab"))
			sub := must[durable.Dir](t)(d.Sub("new"))
			ok(t, d.Rename("f", sub, "f"))
			ok(t, sub.Sync())
		}, []string{`f="ab" new/[f="ab"]`, `new/[f="ab"]`}},
		"in a directory without a durable name": {func(t *testing.T, d *mailtest.MemDisk) {
			ok(t, d.Mkdir("new"))
			sub := must[durable.Dir](t)(d.Sub("new"))
			write(t, sub, "f", "ab", true)
			ok(t, sub.Sync())
		}, []string{``, `new/[f="ab"]`}},
		"a flush failed and the next one said yes": {func(t *testing.T, d *mailtest.MemDisk) {
			d.Put("f", []byte("ab"))
			failOnce(d, "fsync", 0)
			f := must[durable.File](t)(d.Append("f"))
			must[int](t)(f.Write([]byte("cd")))
			if err := f.Sync(); !errors.Is(err, syscall.EIO) {
				t.Errorf("got %v", err)
			}
			must[int](t)(f.Write([]byte("ef")))
			ok(t, f.Sync())
			if got := string(d.Bytes("f")); got != "abcdef" {
				t.Errorf("a process sees %q", got)
			}
		}, []string{`f="ab\x00\x00ef"`}},
		"what a failed flush lost was cut off": {func(t *testing.T, d *mailtest.MemDisk) {
			d.Put("f", []byte("ab"))
			failOnce(d, "syncfs", 0)
			write(t, d, "f", "cd", false)
			if err := d.SyncFS(); !errors.Is(err, syscall.EIO) {
				t.Errorf("got %v", err)
			}
			f := must[durable.File](t)(d.Append("f"))
			ok(t, f.Truncate(3))
			must[int](t)(f.Write([]byte("gh")))
			ok(t, f.Sync())
		}, []string{`f="ab\x00gh"`}},
		"a flush of names failed and the next one said yes": {func(t *testing.T, d *mailtest.MemDisk) {
			write(t, d, "f", "ab", true)
			failOnce(d, "sync", 0)
			if err := d.Sync(); !errors.Is(err, syscall.EIO) {
				t.Errorf("got %v", err)
			}
			ok(t, d.Sync())
		}, []string{`f="ab"`}},
	} {
		d := mailtest.NewMemDisk("/disk")
		c.do(t, d)
		before := holds(t, d)
		if got := states(t, d); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		if after := holds(t, d); after != before {
			t.Errorf("%s: the disk itself was changed from %s to %s", name, before, after)
		}
		if got := states(t, d.Clone()); !slices.Equal(got, c.want) {
			t.Errorf("%s: of a copy: got %q, want %q", name, got, c.want)
		}
	}
}

// failOnce makes one operation of a kind fail, behind the first few.
func failOnce(d *mailtest.MemDisk, kind string, skip int) {
	d.Before(func(op mailtest.Op) error {
		if op.Kind == kind {
			if skip--; skip == -1 {
				return syscall.EIO
			}
		}
		return nil
	})
}

// Where there are too many states for all, those that say most are among them.
func TestManyStates(t *testing.T) {
	t.Parallel()
	d := mailtest.NewMemDisk("/disk")
	for i := range 30 {
		write(t, d, string(rune('a'+i)), strings.Repeat("x", 5000), i%3 > 0)
	}
	all := states(t, d)
	files := func(state string) int { return strings.Count(state, "=") }
	count := make(map[int]int)
	for _, state := range all {
		count[files(state)]++
	}
	if count[0] != 1 || count[1] < 30 || count[2] < 30*29/2 || count[29] < 30 || count[30] < 1 {
		t.Errorf("files in how many states: %v", count)
	}
	if !slices.Contains(all, holds(t, d)) {
		t.Error("all is not among them")
	}
	for state := range d.States(rand.New(rand.NewPCG(1, 2)), 50) {
		if state.State() == 0 {
			t.Error("no state")
		}
		break // it stops when it is told to
	}
}

// Every operation is told before it happens, and can be failed.
func TestBefore(t *testing.T) {
	t.Parallel()
	d := mailtest.NewMemDisk("/disk")
	d.Record()
	said := transcript(t, d)
	kinds := make(map[string]bool)
	for _, op := range d.Ops() {
		kinds[op.Kind] = true
		moves := op.Kind == "rename" || op.Kind == "replace"
		if !strings.HasPrefix(op.Path, "/disk") || moves != strings.HasPrefix(op.To, "/disk/") {
			t.Errorf("%+v does not say where", op)
		}
	}
	for kind := range kinds {
		failed := mailtest.NewMemDisk("/disk")
		skip := 0
		if kind == "remove" {
			skip = 1 // the first one fails by itself: it is of a folder
		}
		failOnce(failed, kind, skip)
		if slices.Equal(transcript(t, failed), said) {
			t.Errorf("%s: its failure was not told", kind)
		}
	}
	if len(kinds) != 17 { // all but syncfs
		t.Errorf("%d kinds of operations: %v", len(kinds), kinds)
	}
}

func TestPartialWrite(t *testing.T) {
	t.Parallel()
	d := mailtest.NewMemDisk("/disk")
	d.Before(func(op mailtest.Op) error {
		if op.Kind == "write" {
			return &mailtest.Partial{N: len(op.Data) / 2, Err: syscall.ENOSPC}
		}
		return nil
	})
	f := must[durable.File](t)(d.Create("f"))
	n, err := f.Write([]byte("abcd"))
	pathErr, isPath := errors.AsType[*fs.PathError](err)
	if n != 2 || !errors.Is(err, syscall.ENOSPC) || !isPath || pathErr.Path != "/disk/f" || string(d.Bytes("f")) != "ab" {
		t.Errorf("wrote %d, %v, the file holds %q", n, err, d.Bytes("f"))
	}
}

// A copy and its original change their own names only.
func TestCloneHasItsOwnNames(t *testing.T) {
	t.Parallel()
	d := mailtest.NewMemDisk("/disk")
	write(t, d, "f", "ab", true)
	ok(t, d.Sync())
	copied := d.Clone()
	ok(t, copied.Remove("f"))
	write(t, copied, "g", "cd", true)
	write(t, d, "h", "ef", true)
	if got, other := holds(t, d), holds(t, copied); got != `f="ab" h="ef"` || other != `g="cd"` {
		t.Errorf("got %s and %s", got, other)
	}
	if got := states(t, d); !slices.Equal(got, []string{`f="ab"`, `f="ab" h="ef"`}) {
		t.Errorf("got %q", got)
	}
}

func TestWithoutSyncFS(t *testing.T) {
	t.Parallel()
	d := mailtest.NewMemDisk("/disk").WithoutSyncFS()
	for name, disk := range map[string]*mailtest.MemDisk{"itself": d, "a copy": d.Clone(), "after a cut": d.PowerCut(rand.New(rand.NewPCG(1, 2)))} {
		if err := disk.SyncFS(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
