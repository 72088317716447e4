package checkpoint

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// BenchmarkCommit commits batches of 512 to a mailbox that has a million
// messages already, as one range and as half a million of them.
func BenchmarkCommit(b *testing.B) {
	for _, step := range []mail.UID{1, 2} {
		b.Run(fmt.Sprintf("every=%d", step), func(b *testing.B) {
			d := newDisk()
			f := mustOpen(b, d)
			var set mail.UIDSet
			for uid := mail.UID(1); uid <= 1_000_000; uid += step {
				set.Add(uid, uid)
			}
			check(b, f.Commit(uidRefs("INBOX", 7, 1)))
			check(b, seenRecord{1, set}.apply(f.state))
			uids := make([]mail.UID, 512)
			next := mail.UID(2_000_000)
			b.ReportAllocs()
			for b.Loop() {
				for i := range uids {
					next++
					uids[i] = next
				}
				check(b, f.Commit(uidRefs("INBOX", 7, uids...)))
				d.Put(fileName, nil) // the disk is not what is measured
			}
		})
	}
}

// BenchmarkCommitDurable is the same on the real disk, with its flush.
func BenchmarkCommitDurable(b *testing.B) {
	dir, err := durable.OpenDir(b.TempDir())
	check(b, err)
	defer dir.Close()
	f := mustOpen(b, dir)
	uids := make([]mail.UID, 512)
	next := mail.UID(0)
	b.ReportAllocs()
	for b.Loop() {
		for i := range uids {
			next++
			uids[i] = next
		}
		check(b, f.Commit(uidRefs("INBOX", 7, uids...)))
	}
}

// BenchmarkOpen opens the largest files.
func BenchmarkOpen(b *testing.B) {
	for _, c := range []struct {
		name string
		fill func(testing.TB, *File)
	}{
		{"uids=1000000,random,appended", fillRandomUIDs},
		{"uidls=100000", fillUIDLs},
	} {
		b.Run(c.name, func(b *testing.B) {
			d := newDisk()
			c.fill(b, mustOpen(b, d))
			data := d.Bytes(fileName)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := load(bytes.NewReader(data), int64(len(data))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func fillRandomUIDs(t testing.TB, f *File) {
	rnd := rand.New(rand.NewPCG(9, 10))
	order := rnd.Perm(1_000_000)
	refs := make([]mail.Ref, 0, 512)
	for i, n := range order {
		refs = append(refs, mail.Ref{Mailbox: mail.Inbox, Validity: 7, UID: mail.UID(n + 1)})
		if len(refs) == cap(refs) || i == len(order)-1 {
			check(t, f.Commit(refs))
			refs = refs[:0]
		}
	}
}

func fillUIDLs(t testing.TB, f *File) {
	for batch := range 200 {
		var refs []mail.Ref
		for n := range 500 {
			refs = append(refs, mail.Ref{Mailbox: mail.Inbox, UIDL: mail.UIDL(fmt.Sprintf("%030d", batch*500+n))})
		}
		check(t, f.Commit(refs))
	}
}

// TestUIDLMemory bounds what 100,000 UIDLs of 30 bytes cost while the file is
// open. It is not parallel: it reads the heap's size.
func TestUIDLMemory(t *testing.T) {
	d := newDisk()
	fillUIDLs(t, mustOpen(t, d))
	data := d.Bytes(fileName)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	s, _, err := load(bytes.NewReader(data), int64(len(data)))
	check(t, err)
	const limit = 10 << 20
	if used := int64(heap() - before); used > limit {
		t.Errorf("%d bytes, %d are the limit", used, limit)
	} else {
		t.Logf("%d bytes", used)
	}
	if n := s.byName[mail.Inbox].seenCount(); n != 100_000 {
		t.Errorf("%d UIDLs", n)
	}
}
