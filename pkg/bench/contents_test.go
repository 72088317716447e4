package bench

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"mailpull/pkg/demo"
)

// contents are the messages of a task: how often each body is there. Some
// programs write headers of their own into what they deliver, and some end
// lines in CRLF, so a body begins behind the header, its lines end in LF, and
// empty lines at its end do not count.
type contents map[[sha256.Size]byte]int

func (c contents) add(messages []demo.Message) {
	for _, m := range messages {
		c[bodySum(m.Body)]++
	}
}

func (c contents) count() (n int) {
	for _, times := range c {
		n += times
	}
	return n
}

func bodySum(message []byte) [sha256.Size]byte {
	text := bytes.ReplaceAll(message, []byte("\r\n"), []byte("\n"))
	_, body, _ := bytes.Cut(text, []byte("\n\n"))
	return sha256.Sum256(bytes.TrimRight(body, "\n"))
}

// eachMessage calls fn with the path of each message below dir.
func eachMessage(dir string, fn func(path string) error) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if parent := filepath.Base(filepath.Dir(path)); parent != "cur" && parent != "new" {
			return nil
		}
		return fn(path)
	})
}

// held compares what a program delivered below dir with the task.
func (c contents) held(dir string) error {
	got := make(contents)
	err := eachMessage(dir, func(path string) error {
		message, err := os.ReadFile(path)
		got[bodySum(message)]++
		return err
	})
	if err != nil {
		return err
	}
	return c.compare(got)
}

func (c contents) compare(got contents) error {
	missing := 0
	for sum, times := range c {
		missing += max(0, times-got[sum])
	}
	if want := c.count(); missing > 0 || got.count() != want {
		return fmt.Errorf("%d messages, want %d, of which %d are missing or differ", got.count(), want, missing)
	}
	return nil
}

// countMessages counts the messages below dir.
func countMessages(b *testing.B, dir string) int {
	b.Helper()
	n := 0
	if err := eachMessage(dir, func(string) error { n++; return nil }); err != nil {
		b.Fatal(err)
	}
	return n
}

// mustCount checks the number of messages below dir.
func mustCount(b *testing.B, dir string, want int) {
	b.Helper()
	if n := countMessages(b, dir); n != want {
		b.Fatalf("%s holds %d messages, want %d", dir, n, want)
	}
}

// Two messages of the same body are two, and a header of a program's own
// changes nothing.
func TestContents(t *testing.T) {
	t.Parallel()
	want := make(contents)
	want.add([]demo.Message{
		{Body: []byte("A: 1\r\n\r\none\r\ntwo\r\n")}, {Body: []byte("A: 2\r\n\r\none\r\ntwo\r\n")}, {Body: []byte("A: 3\r\n\r\nthree\r\n")},
	})
	got := make(contents)
	got[bodySum([]byte("X: mine\nA: 1\n\none\ntwo\n"))] += 2
	if err := want.compare(got); err == nil {
		t.Error("a message that is missing was not noticed")
	}
	got[bodySum([]byte("A: 3\n\nthree\n\n"))]++
	if err := want.compare(got); err != nil {
		t.Error(err)
	}
	got[bodySum([]byte("A: 3\n\nfour\n"))]++
	if err := want.compare(got); err == nil {
		t.Error("a message too many was not noticed")
	}
}
