package mailtest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
)

// TestStore is the suite of pull.Store. open returns an empty archive.
func TestStore(t *testing.T, open func(t *testing.T) pull.Store) {
	t.Run("what was flushed is there", func(t *testing.T) { testStoreFlush(t, open(t)) })
	t.Run("what was dropped is not", func(t *testing.T) { testStoreDrop(t, open(t)) })
	t.Run("aborted batches leave nothing", func(t *testing.T) { testStoreAbort(t, open(t)) })
	t.Run("nothing is overwritten", func(t *testing.T) { testStoreExists(t, open(t)) })
	t.Run("a body that breaks off", func(t *testing.T) { testStoreBrokenBody(t, open(t)) })
	t.Run("a key can be changed", func(t *testing.T) { testStoreRekey(t, open(t)) })
	t.Run("mailboxes are apart", func(t *testing.T) { testStoreMailboxes(t, open(t)) })
	t.Run("batches in parallel", func(t *testing.T) { testStoreParallel(t, open(t)) })
}

func suiteKey(uid mail.UID) mail.Key {
	return mail.NewKey("suite", mail.Ref{Mailbox: mail.Inbox, Validity: 1, UID: uid})
}

func suiteBox(t *testing.T, s pull.Store, name mail.MailboxName) mail.Box {
	t.Helper()
	b, err := s.Box(mail.Mailbox{Name: name, Wire: string(name), Delimiter: '/'})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// deliver takes bodies up the rungs, with UIDs counted from first.
func deliver(t *testing.T, s pull.Store, box mail.Box, first mail.UID, bodies ...string) map[mail.Key]mail.Delivery {
	t.Helper()
	b := s.NewBatch()
	items := make(map[mail.Key]mail.Item)
	for i, body := range bodies {
		key := suiteKey(first + mail.UID(i))
		if err := b.Add(box, key, iotest.HalfReader(strings.NewReader(body))); err != nil {
			t.Fatal(err)
		}
		items[key] = mail.Item{Flags: []string{`\Seen`}, Date: time.Unix(1_500_000_000, 0)}
	}
	if b.Len() != len(bodies) {
		t.Errorf("batch has %d, want %d", b.Len(), len(bodies))
	}
	sealed, err := b.Seal()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(items); err != nil {
		t.Fatal(err)
	}
	return sealed
}

func mustHave(t *testing.T, box mail.Box, d mail.Delivery, want string) {
	t.Helper()
	got := "nothing"
	err := box.Read(map[mail.Key]mail.Form{d.Key: d.Form}, func(key mail.Key, body io.Reader) error {
		data, err := io.ReadAll(body)
		if key != d.Key {
			t.Errorf("read another key than the wanted one")
		}
		got = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("got %.80q, want %.80q", got, want)
	}
	if d.Size != int64(len(want)) || d.SHA256 != sha256.Sum256([]byte(want)) {
		t.Errorf("%.80q: sealed with size %d and hash %x", want, d.Size, d.SHA256)
	}
}

func mustHoldKeys(t *testing.T, box mail.Box, want int) mail.KeySet {
	t.Helper()
	keys, err := box.Keys(EveryKey)
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != want {
		t.Fatalf("%q holds %d keys, want %d", box.Name(), len(keys), want)
	}
	return keys
}

func testStoreFlush(t *testing.T, s pull.Store) {
	box := suiteBox(t, s, mail.Inbox)
	mustHoldKeys(t, box, 0)
	large := strings.Repeat("0123456789abcdef\r\n", 100_000)
	bodies := append(SuiteBodies(), "", "\n", "\r", "a\r\nb", "a\nb\n", "a\r\r\n", "\x00\r\n", large, large+"\n", large+"x")
	sealed := deliver(t, s, box, 1, bodies...)
	keys := mustHoldKeys(t, box, len(bodies))
	for i, body := range bodies {
		key := suiteKey(mail.UID(i + 1))
		if !keys.Contains(key) {
			t.Errorf("key of message %d is not there", i)
		}
		d := sealed[key]
		d.Key = key
		mustHave(t, box, d, body)
	}
	stop := errors.New("enough")
	read := 0
	err := box.Read(map[mail.Key]mail.Form{suiteKey(9999): mail.FormWire, suiteKey(1): mail.FormWire, suiteKey(2): mail.FormWire}, func(mail.Key, io.Reader) error {
		read++
		return stop
	})
	if err != stop || read != 1 {
		t.Errorf("read %d after the first error, and got %v", read, err)
	}
}

func testStoreDrop(t *testing.T, s pull.Store) {
	box := suiteBox(t, s, mail.Inbox)
	b := s.NewBatch()
	for uid := mail.UID(1); uid <= 4; uid++ {
		if err := b.Add(box, suiteKey(uid), strings.NewReader(fmt.Sprint(uid))); err != nil {
			t.Fatal(err)
		}
	}
	b.Drop(suiteKey(1))
	b.Drop(suiteKey(77))
	if _, err := b.Seal(); err != nil {
		t.Fatal(err)
	}
	b.Drop(suiteKey(2))
	if err := b.Flush(map[mail.Key]mail.Item{suiteKey(4): {}}); err != nil {
		t.Fatal(err)
	}
	if keys := mustHoldKeys(t, box, 1); !keys.Contains(suiteKey(4)) {
		t.Errorf("got %v", keys)
	}
}

func testStoreAbort(t *testing.T, s pull.Store) {
	box := suiteBox(t, s, mail.Inbox)
	for _, seal := range []bool{false, true} {
		b := s.NewBatch()
		if err := b.Add(box, suiteKey(1), strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		if seal {
			if _, err := b.Seal(); err != nil {
				t.Fatal(err)
			}
		}
		b.Abort()
		mustHoldKeys(t, box, 0)
	}
	s.NewBatch().Abort()
	deliver(t, s, box, 1, "x")
	mustHoldKeys(t, box, 1)
}

func testStoreExists(t *testing.T, s pull.Store) {
	box := suiteBox(t, s, mail.Inbox)
	first := deliver(t, s, box, 1, "first\r\n")
	b := s.NewBatch()
	if err := b.Add(box, suiteKey(1), strings.NewReader("other\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Seal(); err != nil {
		t.Fatal(err)
	}
	err := b.Flush(map[mail.Key]mail.Item{suiteKey(1): {Flags: []string{`\Seen`}, Date: time.Unix(1_500_000_000, 0)}})
	if err == nil {
		t.Error("a key that is taken was flushed a second time")
	}
	mustHoldKeys(t, box, 1)
	d := first[suiteKey(1)]
	d.Key = suiteKey(1)
	mustHave(t, box, d, "first\r\n")
}

func testStoreBrokenBody(t *testing.T, s pull.Store) {
	box := suiteBox(t, s, mail.Inbox)
	b := s.NewBatch()
	cut := errors.New("connection cut")
	for i, whole := range []string{"", "half of a", strings.Repeat("large\r\n", 300_000)} {
		err := b.Add(box, suiteKey(mail.UID(i+1)), io.MultiReader(strings.NewReader(whole), iotest.ErrReader(cut)))
		if !errors.Is(err, cut) {
			t.Errorf("got %v, want the reader's own error", err)
		}
	}
	if err := b.Add(box, suiteKey(9), strings.NewReader("good")); err != nil {
		t.Fatal(err)
	}
	sealed, err := b.Seal()
	if err != nil || len(sealed) != 1 {
		t.Fatalf("sealed %d, %v", len(sealed), err)
	}
	if err := b.Flush(map[mail.Key]mail.Item{suiteKey(9): {}}); err != nil {
		t.Fatal(err)
	}
	mustHoldKeys(t, box, 1)
}

func testStoreRekey(t *testing.T, s pull.Store) {
	box := suiteBox(t, s, mail.Inbox)
	sealed := deliver(t, s, box, 1, "one\r\n", "two\r\n")
	b := s.NewBatch()
	if _, err := b.Seal(); err != nil {
		t.Fatal(err)
	}
	b.Rekey(box, suiteKey(1), suiteKey(11))
	b.Rekey(box, suiteKey(5), suiteKey(15)) // a mail reader took it away
	if err := b.Flush(nil); err != nil {
		t.Fatal(err)
	}
	keys := mustHoldKeys(t, box, 2)
	if !keys.Contains(suiteKey(11)) || !keys.Contains(suiteKey(2)) {
		t.Errorf("got %v", keys)
	}
	d := sealed[suiteKey(1)]
	d.Key = suiteKey(11)
	mustHave(t, box, d, "one\r\n")
}

func testStoreMailboxes(t *testing.T, s pull.Store) {
	names := []mail.MailboxName{mail.Inbox, "Work", "Work/2024", "work", "日本語", "..", "a/../b", "cur", "new/tmp", ".Work", "Work.2024", "\uFFFD\xff"}
	for i, name := range names {
		deliver(t, s, suiteBox(t, s, name), mail.UID(i+1), string(name))
	}
	for i, name := range names {
		if keys := mustHoldKeys(t, suiteBox(t, s, name), 1); !keys.Contains(suiteKey(mail.UID(i + 1))) {
			t.Errorf("%q holds another mailbox's message", name)
		}
	}
}

func testStoreParallel(t *testing.T, s pull.Store) {
	var wg sync.WaitGroup
	for lane := range 4 {
		box := suiteBox(t, s, mail.MailboxName(fmt.Sprintf("lane %d", lane)))
		wg.Go(func() {
			b := s.NewBatch()
			items := make(map[mail.Key]mail.Item)
			for i := range 50 {
				key := suiteKey(mail.UID(1000*lane + i + 1))
				if err := b.Add(box, key, bytes.NewReader(bytes.Repeat([]byte("x\r\n"), i*100))); err != nil {
					t.Error(err)
				}
				items[key] = mail.Item{}
			}
			if _, err := b.Seal(); err != nil {
				t.Error(err)
			}
			if err := b.Flush(items); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for lane := range 4 {
		mustHoldKeys(t, suiteBox(t, s, mail.MailboxName(fmt.Sprintf("lane %d", lane))), 50)
	}
}

// EveryKey is what Keys of a mail.Box is given by who wants them all.
func EveryKey(mail.Key) bool { return true }
