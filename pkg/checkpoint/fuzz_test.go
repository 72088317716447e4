package checkpoint

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"mailpull/pkg/mail"
)

// TestAnyName commits mailboxes and UIDLs of 1 to 512 arbitrary bytes.
func TestAnyName(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(5, 6))
	d := newDisk()
	f := mustOpen(t, d)
	var refs []mail.Ref
	for n := 1; n <= 512; n++ {
		name := make([]byte, n)
		for i := range name {
			name[i] = byte(rnd.Uint32())
		}
		refs = append(refs, mail.Ref{Mailbox: mail.MailboxName(name), UIDL: mail.UIDL(name)})
	}
	for b := range 256 {
		for _, s := range []string{string([]byte{byte(b)}), string([]byte{byte(b), 'x'})} {
			refs = append(refs, mail.Ref{Mailbox: mail.Inbox, UIDL: mail.UIDL(s)})
		}
	}
	check(t, f.Commit(refs))
	for range 2 {
		f = mustOpen(t, d)
		for _, ref := range refs {
			if _, ok := f.FirstSeen(ref.Mailbox, ref.UIDL); !ok {
				t.Fatalf("%q is not found again", ref.UIDL)
			}
		}
		check(t, f.fold())
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"INBOX", " ", "#", "\x00", "\"", "\\", "\ufffd", "\xff", "\r\n", "e\u0301", "'`"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, box, uidl string) {
		if uidl == "" || len(uidl) > maxName || len(box) > maxName {
			return
		}
		d := newDisk()
		ref := mail.Ref{Mailbox: mail.MailboxName(box), UIDL: mail.UIDL(uidl)}
		check(t, mustOpen(t, d).Commit([]mail.Ref{ref}))
		if _, ok := mustOpen(t, d).FirstSeen(ref.Mailbox, ref.UIDL); !ok {
			t.Fatalf("%q in %q is not found again", uidl, box)
		}
	})
}

// FuzzOpen reads arbitrary files. What is accepted must say the same when it
// is folded.
func FuzzOpen(f *testing.F) {
	lived, _ := livedFile(f)
	f.Add(lived)
	f.Add(file(head, `mailbox 1 "a" validity 7`, `uidl 1 5 "x"`, "seen 1 4:9", "commit 0"))
	f.Add(file(head, "commit 0", "commit 1")[:100])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		d := diskWith(data)
		file, err := Open(options(d))
		if err != nil {
			if !bytes.Equal(d.Bytes(fileName), data) {
				t.Fatal("a refused file was changed")
			}
			return
		}
		want := dump(file.state)
		check(t, file.fold())
		if got := dump(mustOpen(t, d).state); got != want {
			t.Fatalf("folded:\n%s\nwant:\n%s", got, want)
		}
	})
}

// FuzzRecord reads arbitrary records, which need no checksum here.
func FuzzRecord(f *testing.F) {
	lived, _ := livedFile(f)
	for l := range bytes.Lines(lived) {
		text, _, _ := unseal(bytes.TrimSuffix(l, []byte("\n")))
		f.Add(string(text))
	}
	f.Add(`uidl 1 1700000000 "\x00"`)
	f.Add("order 1 mark 0 whole -62135596800 broken")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRecord(text)
		if err != nil {
			return
		}
		written := r.text(nil)
		again, err := parseRecord(string(written))
		if err != nil {
			t.Fatalf("%q was read and written as %q: %v", text, written, err)
		}
		if got := again.text(nil); !bytes.Equal(got, written) {
			t.Fatalf("%q became %q", written, got)
		}
	})
}

func TestMergeAgainstUnion(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(7, 8))
	for range 2000 {
		var sets [2][]mail.UIDRange
		for i := range sets {
			for range rnd.IntN(8) {
				lo := mail.UID(1 + rnd.IntN(40))
				sets[i] = append(sets[i], mail.UIDRange{Lo: lo, Hi: lo + mail.UID(rnd.IntN(4))})
			}
		}
		sets[rnd.IntN(2)] = append(sets[0], mail.UIDRange{Lo: 1<<32 - 2, Hi: 1<<32 - 1})
		s, u := mail.NewUIDSet(sets[0]), mail.NewUIDSet(sets[1])
		if got, want := merge(s, u).String(), s.Union(u).String(); got != want {
			t.Fatalf("%v and %v: got %s, want %s", s, u, got, want)
		}
	}
}
