package maildir

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// Every goroutine of a batch has ended when the batch has.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// someDate is the INTERNALDATE of messages whose date does not matter.
var someDate = time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)

// openFaulty opens a store over path whose disk can fail.
func openFaulty(t testing.TB, path string, layout Layout, f *faults) (*Store, error) {
	t.Helper()
	d, err := durable.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return Open(Options{Dir: &faultDir{d, f}, Layout: layout})
}

// openStore opens a store on a good disk.
func openStore(t testing.TB, path string, layout Layout) *Store {
	t.Helper()
	s, err := openFaulty(t, path, layout, &faults{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// openReal opens a store that really flushes.
func openReal(t testing.TB, path string, layout Layout) *Store {
	t.Helper()
	d, err := durable.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	s, err := Open(Options{Dir: d, Layout: layout})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openBox(t testing.TB, s *Store, name mail.MailboxName) mail.Box {
	t.Helper()
	b, err := s.Box(mail.Mailbox{Name: name, Delimiter: '/'})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func keyOf(n int) mail.Key {
	return mail.NewKey("work", mail.Ref{Mailbox: mail.Inbox, Validity: 1, UID: mail.UID(n)})
}

// put delivers one message and returns what is known of it.
func put(t testing.TB, s *Store, box mail.Box, key mail.Key, body io.Reader, item mail.Item) mail.Delivery {
	t.Helper()
	b := s.NewBatch()
	if err := b.Add(box, key, body); err != nil {
		t.Fatal(err)
	}
	sealed, err := b.Seal()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(map[mail.Key]mail.Item{key: item}); err != nil {
		t.Fatal(err)
	}
	return sealed[key]
}

// tree returns all files below path, without their folders' own entries, as
// "folder/file", sorted.
func tree(t testing.TB, path string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(path, func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(path, p)
		files = append(files, rel)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

// inTmp returns those of the files that are in a tmp/.
func inTmp(files []string) []string {
	return slices.DeleteFunc(slices.Clone(files), func(f string) bool {
		return filepath.Base(filepath.Dir(f)) != "tmp"
	})
}

func readAll(t testing.TB, box mail.Box, key mail.Key, form mail.Form) string {
	t.Helper()
	text, ok := read(t, box, key, form)
	if !ok {
		t.Fatalf("%v is not in the archive", key)
	}
	return text
}

// read reads one message; ok is false when it is not there.
func read(t testing.TB, box mail.Box, key mail.Key, form mail.Form) (text string, ok bool) {
	t.Helper()
	err := box.Read(map[mail.Key]mail.Form{key: form}, func(_ mail.Key, body io.Reader) error {
		data, err := io.ReadAll(body)
		if ok {
			t.Errorf("%v came twice", key)
		}
		text, ok = string(data), true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return text, ok
}

// body is a message of about n bytes with proper line ends.
func body(n int) string {
	head := fmt.Sprintf("Subject: %d\r\nMessage-ID: <%d@example.com>\r\n\r\n", n, n)
	return head + strings.Repeat("0123456789 abcdefghij\r\n", n/23)
}
