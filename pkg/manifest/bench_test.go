package manifest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"testing"
	"time"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// BenchmarkAppend measures a line, in appends of 512 with their flush, beside
// what every delivery costs anyway: writing and hashing 26 KB, in files that
// are flushed once for 512.
func BenchmarkAppend(b *testing.B) {
	dir, err := durable.OpenDir(b.TempDir())
	check(b, err)
	defer dir.Close()
	f := mustOpen(b, dir)
	var group []mail.Delivery
	for n := range mail.UID(512) {
		group = append(group, uid(n+1))
	}
	before, lines, spent := f.size, 0, time.Duration(0)
	var body time.Duration
	for b.Loop() {
		start := time.Now()
		check(b, f.Append(group))
		spent += time.Since(start)
		lines += len(group)
		body += deliver(b, dir, len(group))
	}
	perLine := float64(spent.Nanoseconds()) / float64(lines)
	perBody := float64(body.Nanoseconds()) / float64(lines)
	b.ReportMetric(perLine, "ns/line")
	b.ReportMetric(float64(f.size-before)/float64(lines), "B/line")
	b.ReportMetric(perBody, "ns/delivery")
	b.ReportMetric(100*perLine/perBody, "%")
}

// deliver writes and hashes messages of 26 KB and returns the time it took.
func deliver(b *testing.B, dir durable.Dir, messages int) time.Duration {
	b.Helper()
	message := make([]byte, 26<<10)
	start := time.Now()
	file, err := dir.Create("messages")
	check(b, err)
	for range messages {
		_ = sha256.Sum256(message)
		_, err := file.Write(message)
		check(b, err)
	}
	check(b, file.Sync())
	check(b, file.Close())
	spent := time.Since(start)
	check(b, dir.Remove("messages"))
	return spent
}

// large returns a disk with a manifest of 200,000 lines.
func large(b *testing.B) *mailtest.MemDisk {
	b.Helper()
	d := newDisk()
	f := mustOpen(b, d)
	group := make([]mail.Delivery, 512)
	for n := mail.UID(0); n < 200_000; n += 512 {
		for i := range group {
			group[i] = uid(n + mail.UID(i) + 1)
		}
		check(b, f.Append(group))
	}
	return d
}

// BenchmarkLines writes lines in appends of 512, to a disk in memory.
func BenchmarkLines(b *testing.B) {
	d := newDisk()
	f := mustOpen(b, d)
	var group []mail.Delivery
	for n := range mail.UID(512) {
		group = append(group, uid(n+1))
	}
	before := f.size
	check(b, f.Append(group))
	b.SetBytes(f.size - before)
	b.ReportAllocs()
	for b.Loop() {
		check(b, f.Append(group))
	}
}

func BenchmarkRead(b *testing.B) {
	d := large(b)
	f := mustOpen(b, d)
	b.Run("Scan", func(b *testing.B) {
		b.SetBytes(f.size)
		b.ReportAllocs()
		for b.Loop() {
			check(b, f.Scan(func(mail.Delivery) error { return nil }))
		}
	})
	b.Run("Bytes", func(b *testing.B) {
		b.SetBytes(f.size)
		b.ReportAllocs()
		for b.Loop() {
			_, err := f.Bytes()
			check(b, err)
		}
	})
	b.Run("Open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			again, err := Open(options(d))
			check(b, err)
			check(b, again.Close())
		}
	})
	b.Run("lines only", func(b *testing.B) { // what reading costs without hashes
		data := d.Bytes(fileName)
		b.SetBytes(f.size)
		for b.Loop() {
			in := bufio.NewReaderSize(bytes.NewReader(data), maxLine)
			for {
				if _, err := in.ReadSlice('\n'); err != nil {
					break
				}
			}
		}
	})
}
