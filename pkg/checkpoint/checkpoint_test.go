package checkpoint

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var _ pull.Checkpoint = (*File)(nil)

func options(dir durable.Dir) Options {
	return Options{Dir: dir, Account: "work", Source: "imap"}
}

// newDisk is an empty state directory.
func newDisk() *mailtest.MemDisk { return mailtest.NewMemDisk("/state/work") }

func mustOpen(t testing.TB, dir durable.Dir) *File {
	t.Helper()
	f, err := Open(options(dir))
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// dump is all that a state says, one record per line.
func dump(s *state) string {
	var b strings.Builder
	for r := range s.records() {
		b.Write(r.text(nil))
		b.WriteByte('\n')
	}
	return b.String()
}

func uidRefs(box mail.MailboxName, validity mail.UIDValidity, uids ...mail.UID) []mail.Ref {
	var refs []mail.Ref
	for _, uid := range uids {
		refs = append(refs, mail.Ref{Mailbox: box, Validity: validity, UID: uid})
	}
	return refs
}

func uidlRefs(uidls ...mail.UIDL) []mail.Ref {
	var refs []mail.Ref
	for _, uidl := range uidls {
		refs = append(refs, mail.Ref{Mailbox: mail.Inbox, UIDL: uidl})
	}
	return refs
}

// life is what a checkpoint goes through in many of the tests.
var life = []func(*File) error{
	func(f *File) error { return f.Commit(uidRefs("INBOX", 7, 1, 2, 3, 5, 900)) },
	func(f *File) error { return f.Commit(uidRefs("Work/\u00e9\n\xff", 8, 4294967295, 1)) },
	func(f *File) error {
		if err := f.Complete("INBOX", mail.Status{Validity: 7, UIDNext: 901, Messages: 5, ModSeq: 1 << 60, Size: -1}, 5, mail.Excluded{}); err != nil {
			return err
		}
		return f.EndPass(pass(1, true, ""))
	},
	func(f *File) error { return f.Commit(uidRefs("INBOX", 7, 901, 4)) },
	func(f *File) error { return f.EndPass(pass(2, false, "it broke")) },
	func(f *File) error { return f.Commit(uidlRefs("no uid here")) },
	func(f *File) error {
		if err := f.Reset("INBOX", 9); err != nil {
			return err
		}
		return f.Commit(uidRefs("INBOX", 9, 11, 12))
	},
	func(f *File) error {
		ignored := held(mail.Ref{Mailbox: "INBOX", Validity: 9, UID: 21}, 6)
		ignored.Ignored = true
		if err := f.Quarantine([]mail.Quarantined{
			held(mail.Ref{Mailbox: "INBOX", Validity: 9, UID: 20}, 1), ignored,
			held(mail.Ref{Mailbox: "INBOX", Validity: 9, UID: 22}, 2),
			held(mail.Ref{Mailbox: "pop", UIDL: "\xff \"odd\""}, 1),
		}); err != nil {
			return err
		}
		return f.Commit(nil)
	},
	func(f *File) error {
		if err := f.Release(uidRefs("INBOX", 9, 22)); err != nil {
			return err
		}
		return f.Commit(uidRefs("INBOX", 9, 20))
	},
	func(f *File) error { return f.EndPass(pass(3, false, "")) },
	func(f *File) error { // while messages are matched
		excluded := mail.Excluded{Messages: 3, Since: time.Date(2024, 1, 31, 0, 0, 0, 0, time.UTC)}
		if err := f.Complete("INBOX", mail.Status{Validity: 9, UIDNext: 30, Messages: 7, Size: -1}, 7, excluded); err != nil {
			return err
		}
		return f.Commit(nil)
	},
	func(f *File) error { return f.Commit(uidRefs("INBOX", 9, 30)) },
	func(f *File) error {
		if err := f.Order("pop", mail.Order{Mark: 1<<64 - 1, Whole: time.Unix(1_700_000_000, 7)}); err != nil {
			return err
		}
		return f.Commit(nil)
	},
}

// held is a message in quarantine.
func held(ref mail.Ref, tries int) mail.Quarantined {
	last := time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC)
	return mail.Quarantined{
		Ref: ref, Tries: tries, First: last.Add(-time.Hour), Last: last, Next: last.Add(4 * time.Hour),
		Class: mail.ClassProtocol, Reason: "an \"odd\" answer: \u00e9",
	}
}

func pass(n int, complete bool, text string) mail.Pass {
	start := time.Date(2024, 2, 3, 4, 5, n, 600, time.UTC)
	p := mail.Pass{Start: start, End: start.Add(time.Minute), Complete: complete, New: n, Bytes: int64(n) * 1000, Quarantined: n / 2}
	if text != "" {
		p.Class, p.Error, p.Hint, p.Missing = mail.ClassDNS, text, "Look \"there\".", 2
		p.MissingBytes = 70_000
	}
	return p
}

// live runs the life's steps. The sixth is refused, which changes nothing,
// because an earlier step gave the mailbox a UIDVALIDITY.
func live(t testing.TB, f *File) (states []string) {
	t.Helper()
	states = append(states, dump(f.state))
	for i, step := range life {
		err := step(f)
		if i == 5 {
			if mail.ErrorScope(err) != mail.ScopeMailbox {
				t.Fatalf("step %d: got %v, want an error of the mailbox", i, err)
			}
			continue
		}
		check(t, err)
		states = append(states, dump(f.state))
	}
	return states
}

// livedFile returns the bytes of a file after its life, and what it said
// after each group.
func livedFile(t testing.TB) (data []byte, states []string) {
	t.Helper()
	d := newDisk()
	states = live(t, mustOpen(t, d))
	return d.Bytes(fileName), states
}

func TestGolden(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		f := mustOpen(t, d)
		live(t, f)
		for _, uidl := range []mail.UIDL{"# not a comment", " leading space", "\x00\r\n\"\\"} {
			check(t, f.Commit([]mail.Ref{{Mailbox: "pop", UIDL: uidl}}))
			time.Sleep(time.Hour) // the bubble's clock, not the wall's
		}
		appended := d.Bytes(fileName)
		check(t, f.fold())
		folded := d.Bytes(fileName)
		golden(t, "appended.golden", appended)
		golden(t, "folded.golden", folded)
		if got, want := dump(mustOpen(t, d).state), dump(f.state); got != want {
			t.Errorf("after folding:\n%s\nwant:\n%s", got, want)
		}
	})
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		check(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	check(t, err)
	if string(got) != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir, err := durable.OpenDir(t.TempDir())
	check(t, err)
	defer dir.Close()
	f := mustOpen(t, dir)
	states := live(t, f)
	check(t, f.Close())

	f = mustOpen(t, dir)
	if got, want := dump(f.state), states[len(states)-1]; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	check(t, f.Commit(uidRefs("INBOX", 9, 13)))
	if known, _ := f.Known("INBOX"); known.Seen != 5 {
		t.Errorf("seen %d, want 5", known.Seen)
	}
}

func TestKnown(t *testing.T) {
	t.Parallel()
	f := mustOpen(t, newDisk())
	if _, ok := f.Known("INBOX"); ok {
		t.Error("an empty checkpoint knows a mailbox")
	}
	status := mail.Status{Validity: 7, UIDNext: 4, Messages: 3, ModSeq: 5, Size: 600}
	check(t, f.Commit(uidRefs("INBOX", 7, 1, 2, 3)))
	check(t, f.Complete("INBOX", status, 3, mail.Excluded{}))
	known, ok := f.Known("INBOX")
	if !ok || known.Complete == nil || *known.Complete != status || known.Listed != 3 || known.Seen != 3 {
		t.Errorf("after Complete: %+v", known)
	}

	check(t, f.Commit(uidRefs("INBOX", 7, 2)))
	if known, _ := f.Known("INBOX"); known.Complete == nil {
		t.Error("committing a seen ref ended the completion")
	}
	check(t, f.Commit(uidRefs("INBOX", 7, 4)))
	if known, _ := f.Known("INBOX"); known.Complete != nil || known.Listed != 3 || known.Seen != 4 {
		t.Errorf("after a delivery: %+v", known)
	}

	check(t, f.Reset("INBOX", 8))
	want := mail.Known{Validity: 8, Matching: true}
	if known, _ := f.Known("INBOX"); known != want {
		t.Errorf("after Reset: %+v", known)
	}
	check(t, f.Complete("INBOX", mail.Status{Validity: 8}, 0, mail.Excluded{}))
	if known, _ := f.Known("INBOX"); known.Matching || known.Complete == nil {
		t.Errorf("after matching: %+v", known)
	}
}

func TestMatchingSurvives(t *testing.T) {
	t.Parallel()
	d := newDisk()
	f := mustOpen(t, d)
	check(t, f.Commit(uidlRefs("a", "b")))
	check(t, f.Reset(mail.Inbox, 0)) // POP3: the same UIDVALIDITY, none
	check(t, f.Commit(uidlRefs("c")))
	for _, how := range []string{"appended", "folded"} {
		f = mustOpen(t, d)
		known, _ := f.Known(mail.Inbox)
		if want := (mail.Known{Seen: 3, Matching: true}); known != want {
			t.Errorf("%s: got %+v, want %+v", how, known, want)
		}
		check(t, f.fold())
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	d := newDisk()
	f := mustOpen(t, d)
	check(t, f.Commit(uidRefs("INBOX", 7, 1, 2, 5)))
	check(t, f.Commit([]mail.Ref{{Mailbox: "pop", UIDL: "b"}, {Mailbox: "pop", UIDL: "b"}}))
	if n := strings.Count(string(d.Bytes(fileName)), "\nuidl "); n != 1 {
		t.Errorf("a UIDL committed twice has %d lines", n)
	}
	for _, c := range []struct {
		listing mail.Refs
		want    string
	}{
		{mail.Refs{Mailbox: "INBOX", Validity: 7, UIDs: mail.UIDSet{{Lo: 1, Hi: 6}}}, "3:4,6"},
		{mail.Refs{Mailbox: "INBOX", Validity: 8, UIDs: mail.UIDSet{{Lo: 1, Hi: 6}}}, "1:6"},
		{mail.Refs{Mailbox: "other", Validity: 7, UIDs: mail.UIDSet{{Lo: 1, Hi: 6}}}, "1:6"},
		{mail.Refs{Mailbox: "pop", UIDLs: []mail.UIDL{"c", "b", "a"}}, "[c a]"},
	} {
		got := f.New(c.listing)
		text := got.UIDs.String()
		if got.UIDLs != nil {
			text = fmt.Sprint(got.UIDLs)
		}
		if text != c.want || got.Mailbox != c.listing.Mailbox || got.Validity != c.listing.Validity {
			t.Errorf("New(%v) = %v, want %s", c.listing, got, c.want)
		}
	}
}

func TestCommitRefuses(t *testing.T) {
	t.Parallel()
	d := newDisk()
	f := mustOpen(t, d)
	check(t, f.Commit(uidRefs("INBOX", 7, 1)))
	before := string(d.Bytes(fileName))
	long := strings.Repeat("x", maxName+1)
	for _, ref := range []mail.Ref{
		{Mailbox: "INBOX", Validity: 7},
		{Mailbox: "INBOX", Validity: 7, UID: 1, UIDL: "a"},
		{Mailbox: "INBOX", Validity: 8, UID: 1},
		{Mailbox: "INBOX", Validity: 7, UIDL: mail.UIDL(long)},
		{Mailbox: mail.MailboxName(long), Validity: 7, UID: 1},
	} {
		err := f.Commit([]mail.Ref{{Mailbox: "INBOX", Validity: 7, UID: 2}, ref})
		if mail.ErrorScope(err) != mail.ScopeMailbox {
			t.Errorf("Commit(%.80v) = %v, want an error of the mailbox", ref, err)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	}
	if got := string(d.Bytes(fileName)); got != before {
		t.Errorf("a refused commit wrote %q", got[len(before):])
	}
	check(t, f.Commit(uidRefs("INBOX", 7, 1)))
	if got := string(d.Bytes(fileName)); got != before {
		t.Error("committing a seen ref wrote something")
	}
	longest := mail.MailboxName(strings.Repeat("\x00", maxName))
	check(t, f.Commit([]mail.Ref{{Mailbox: longest, UIDL: mail.UIDL(longest)}}))
	if known, ok := mustOpen(t, d).Known(longest); !ok || known.Seen != 1 {
		t.Errorf("the longest name: %v %+v", ok, known)
	}
}

func TestFirstSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		f := mustOpen(t, d)
		want := time.Now().Truncate(time.Second)
		check(t, f.Commit(uidlRefs("a")))
		time.Sleep(time.Hour) // the bubble's clock, not the wall's
		check(t, f.Commit(uidlRefs("a", "b")))
		if got, ok := mustOpen(t, d).FirstSeen(mail.Inbox, "a"); !ok || !got.Equal(want) {
			t.Errorf("got %v %v, want %v", got, ok, want)
		}
		if _, ok := f.FirstSeen(mail.Inbox, "c"); ok {
			t.Error("a UIDL that was never committed has a first sight")
		}
	})
}

func TestSummary(t *testing.T) {
	t.Parallel()
	d := newDisk()
	if _, err := Read(d, "work"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no checkpoint: %v", err)
	}
	live(t, mustOpen(t, d))
	d.Put(fileName, append(d.Bytes(fileName), "seen 1 1:5"...))
	before, steps := string(d.Bytes(fileName)), &mailtest.Steps{}

	s, err := Read(mailtest.Disk(d, steps), "work")
	check(t, err)
	if string(d.Bytes(fileName)) != before || steps.Count() != 2 || steps.Name(1) != "open" || steps.Name(2) != "close" {
		t.Errorf("reading did %d things: %s, %s", steps.Count(), steps.Name(1), steps.Name(2))
	}
	if s.Account != "work" || s.Source != "imap" || len(s.Mailboxes) != 3 {
		t.Fatalf("got %+v", s)
	}
	if got, want := s.Mailboxes[0], (MailboxSummary{Name: "INBOX", Validity: 9, Seen: 4, Server: 7, Excluded: 3, Quarantined: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	ignored, uidl := held(mail.Ref{Mailbox: "INBOX", Validity: 9, UID: 21}, 6), held(mail.Ref{Mailbox: "pop", UIDL: "\xff \"odd\""}, 1)
	ignored.Ignored = true
	if want := []mail.Quarantined{ignored, uidl}; !slices.Equal(s.Quarantined, want) {
		t.Errorf("in quarantine: got %+v, want %+v", s.Quarantined, want)
	}
	for _, c := range []struct {
		got  *mail.Pass
		want mail.Pass
	}{{s.LastPass, pass(3, false, "")}, {s.LastComplete, pass(1, true, "")}, {s.LastFailed, pass(2, false, "it broke")}} {
		if c.got == nil || *c.got != c.want {
			t.Errorf("got %+v, want %+v", c.got, c.want)
		}
	}
	if _, err := Read(d, "home"); !errors.Is(err, ErrMismatch) {
		t.Errorf("another account's: %v", err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	f := mustOpen(t, newDisk())
	check(t, f.Close())
	check(t, f.Close())
	if err := f.Commit(uidRefs("INBOX", 7, 1)); !errors.Is(err, errClosed) {
		t.Errorf("Commit: %v", err)
	}
	if err := f.EndPass(mail.Pass{}); !errors.Is(err, errClosed) {
		t.Errorf("EndPass: %v", err)
	}
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	d := newDisk()
	f := mustOpen(t, d)
	var wg sync.WaitGroup
	for i := range 4 {
		box := mail.MailboxName(fmt.Sprint("box", i%2))
		wg.Go(func() { // waited for below
			for n := range mail.UID(50) {
				if err := f.Commit(uidRefs(box, 7, n*4+mail.UID(i)+1)); err != nil {
					t.Error(err)
				}
				f.New(mail.Refs{Mailbox: box, Validity: 7, UIDs: mail.UIDSet{{Lo: 1, Hi: 300}}})
				f.Known(box)
			}
			if err := f.Complete(box, mail.Status{Validity: 7}, 100, mail.Excluded{}); err != nil {
				t.Error(err)
			}
			if err := f.EndPass(pass(i, true, "")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, box := range []mail.MailboxName{"box0", "box1"} {
		if known, _ := mustOpen(t, d).Known(box); known.Seen != 100 {
			t.Errorf("%s: seen %d, want 100", box, known.Seen)
		}
	}
}
