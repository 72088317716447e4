package maildir

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// benchMessages and benchSize are the mailbox that the figures in the
// documents are about: 10,000 messages of 26 KB.
const (
	benchMessages = 10_000
	benchSize     = 26_000
)

// BenchmarkBatch writes one mailbox in batches and then with one flush per
// file, on the disk of the temporary directory, and reports both and how they
// compare. Single figures depend on the disk and on who else uses it.
func BenchmarkBatch(b *testing.B) {
	text := body(benchSize)
	for _, size := range []int{128, 512, 2048} {
		b.Run(fmt.Sprintf("%d messages", size), func(b *testing.B) {
			b.SetBytes(benchMessages * int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				deliverMany(b, openReal(b, b.TempDir(), Maildirpp), text, size)
			}
		})
	}
}

func BenchmarkBatchAgainstFiles(b *testing.B) {
	text := body(benchSize)
	var batched, single float64
	for range b.N {
		start := b.Elapsed()
		deliverMany(b, openReal(b, b.TempDir(), Maildirpp), text, 512)
		middle := b.Elapsed()
		flushEach(b, b.TempDir(), strings.ReplaceAll(text, "\r\n", "\n"))
		batched += (middle - start).Seconds()
		single += (b.Elapsed() - middle).Seconds()
	}
	b.ReportMetric(batched/float64(b.N), "s/batched")
	b.ReportMetric(single/float64(b.N), "s/file-by-file")
	b.ReportMetric(single/batched, "ratio")
}

// deliverMany delivers one mailbox in batches of size messages.
func deliverMany(b *testing.B, s *Store, text string, size int) {
	b.Helper()
	box := openBox(b, s, mail.Inbox)
	for first := 0; first < benchMessages; first += size {
		batch := s.NewBatch()
		items := make(map[mail.Key]mail.Item, size)
		for n := first; n < min(first+size, benchMessages); n++ {
			if err := batch.Add(box, keyOf(n), strings.NewReader(text)); err != nil {
				b.Fatal(err)
			}
			items[keyOf(n)] = mail.Item{Date: someDate, Flags: []string{`\Seen`}}
		}
		if _, err := batch.Seal(); err != nil {
			b.Fatal(err)
		}
		if err := batch.Flush(items); err != nil {
			b.Fatal(err)
		}
	}
}

// flushEach does what most programs do: write, flush and rename each message
// by itself.
func flushEach(b *testing.B, path, text string) {
	b.Helper()
	d, err := durable.OpenDir(path)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	for _, name := range []string{"tmp", "cur"} {
		if err := d.Mkdir(name); err != nil {
			b.Fatal(err)
		}
	}
	tmp, errTmp := d.Sub("tmp")
	cur, errCur := d.Sub("cur")
	if errTmp != nil || errCur != nil {
		b.Fatal(errTmp, errCur)
	}
	defer tmp.Close()
	defer cur.Close()
	for n := range benchMessages {
		if err := writeFlushed(tmp, cur, keyOf(n).String(), text); err != nil {
			b.Fatal(err)
		}
	}
	if err := cur.Sync(); err != nil {
		b.Fatal(err)
	}
}

func writeFlushed(tmp, cur durable.Dir, name, text string) error {
	f, err := tmp.Create(name)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(f, text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return tmp.Rename(name, cur, name)
}
