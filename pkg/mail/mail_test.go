package mail

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestKeysTellRefsApart(t *testing.T) {
	t.Parallel()
	refs := []struct {
		account string
		ref     Ref
	}{
		{"work", Ref{Mailbox: "INBOX", Validity: 1, UID: 2}},
		{"work", Ref{Mailbox: "INBOX", Validity: 2, UID: 1}},
		{"work", Ref{Mailbox: "INBOX", Validity: 1, UID: 3}},
		{"work", Ref{Mailbox: "INBOX2", Validity: 1, UID: 2}},
		{"workI", Ref{Mailbox: "NBOX", Validity: 1, UID: 2}},
		{"work", Ref{Mailbox: "INBOX", UIDL: "1"}},
		{"work", Ref{Mailbox: "INBOX1", UIDL: ""}},
	}
	seen := make(map[Key]int)
	for i, r := range refs {
		key := NewKey(r.account, r.ref)
		if j, ok := seen[key]; ok {
			t.Errorf("%+v and %+v have one key", r, refs[j])
		}
		seen[key] = i
		back, ok := ParseKey(key.String())
		if !ok || back != key || len(key.String()) != KeyLen {
			t.Errorf("%s: read back as %s, %v", key, back, ok)
		}
	}
}

// A key names files for years: it must never change.
func TestKeyIsStable(t *testing.T) {
	t.Parallel()
	got := NewKey("work", Ref{Mailbox: "INBOX", Validity: 7, UID: 4711}).String()
	if want := "qtm4ri4omg5ufoo7klablz6j"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseKeyRefuses(t *testing.T) {
	t.Parallel()
	good := NewKey("a", Ref{}).String()
	for _, text := range []string{"", good[1:], good + "a", strings.ToUpper(good), good[1:] + "1", good[1:] + "\n"} {
		if _, ok := ParseKey(text); ok {
			t.Errorf("%q was taken for a key", text)
		}
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("pass: %w", &Error{
		Op: "imap fetch", Mailbox: "INBOX", UID: 4711, Scope: ScopeMessage, Class: ClassConnect, Retry: RetryNow,
		Err: &Error{Op: "read", Hint: "wait", Err: io.ErrUnexpectedEOF},
	})
	if got, want := err.Error(), `pass: imap fetch "INBOX" uid 4711: read: unexpected EOF`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if ErrorScope(err) != ScopeMessage || ErrorClass(err) != ClassConnect || ErrorRetry(err) != RetryNow {
		t.Error("class, scope or retry was not found")
	}
	if got := ErrorHint(err); got != "wait" {
		t.Errorf("hint: got %q", got)
	}
	unknown := errors.New("odd")
	if ErrorScope(unknown) != ScopeAccount || ErrorClass(unknown) != ClassLocal || ErrorRetry(unknown) != RetryLater {
		t.Error("an unclassified error must spoil the session and be tried later")
	}
}

func TestMailboxPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  MailboxName
		delim rune
		want  []string
	}{
		{"Work/2024", '/', []string{"Work", "2024"}},
		{"Work/2024", 0, []string{"Work/2024"}},
		{"/a//", '/', []string{"", "a", "", ""}},
		{"日本・語", '・', []string{"日本", "語"}},
	} {
		if got := (Mailbox{Name: c.name, Delimiter: c.delim}).Path(); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q", c.name, got)
		}
	}
}

// A name in an error is cut when it is long in quotes, where a byte can become
// four, and never inside a character.
func TestNamesAreShownShort(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"INBOX", strings.Repeat("a", maxShown), strings.Repeat("a", 1024), strings.Repeat("\xff", 1024), strings.Repeat("語", 300),
	} {
		e := &Error{Op: "op", Mailbox: MailboxName(name), UIDL: UIDL(name)}
		if n := len(e.Error()); n > 2*maxShown+20 {
			t.Errorf("an error of %d bytes: %v", n, e)
		}
		shown := MailboxName(name).Shown()
		if head, cut := strings.CutSuffix(shown, "..."); !strings.HasPrefix(name, head) || cut != (len(name) > maxShown) {
			t.Errorf("%.20q is shown as %q", name, shown)
		}
		if utf8.ValidString(name) != utf8.ValidString(shown) {
			t.Errorf("%q is cut inside a character", shown)
		}
	}
}

func TestRefsAndFlags(t *testing.T) {
	t.Parallel()
	r := Refs{Mailbox: "INBOX", UIDLs: []UIDL{"a", "b"}}
	var got []UIDL
	for ref := range r.All {
		got = append(got, ref.UIDL)
		break
	}
	if r.Len() != 2 || !slices.Equal(got, []UIDL{"a"}) {
		t.Errorf("got %d, %v", r.Len(), got)
	}
	it := Item{Flags: []string{`\SEEN`}}
	if !it.HasFlag(`\Seen`) || it.HasFlag(`\Draft`) {
		t.Error("flags are compared without case")
	}
}

func TestRefsCut(t *testing.T) {
	t.Parallel()
	for _, refs := range []Refs{
		{Mailbox: "a", Validity: 7, UIDs: UIDSet{{Lo: 2, Hi: 4}, {Lo: 9, Hi: 9}}},
		{Mailbox: "a", UIDLs: []UIDL{"one", "two", "three", "four"}},
	} {
		all := slices.Collect(refs.All)
		for n := range len(all) + 2 {
			head, tail := refs.Cut(n)
			if head.Len() != min(n, len(all)) {
				t.Errorf("cut at %d: the head has %d", n, head.Len())
			}
			if got := slices.AppendSeq(slices.Collect(head.All), tail.All); !slices.Equal(got, all) {
				t.Errorf("cut at %d: got %v, want %v", n, got, all)
			}
		}
	}
}

// TestKeyParts holds that the parts of all keys are in order, about equal, and
// leave none out.
func TestKeyParts(t *testing.T) {
	t.Parallel()
	var keys []Key
	for uid := range UID(10_000) {
		keys = append(keys, NewKey("work", Ref{Mailbox: Inbox, UID: uid + 1}))
	}
	for _, parts := range []int{1, 2, 7, 100} {
		sizes, before := make([]int, parts), 0
		for _, key := range NewKeySet(keys) {
			part := key.Part(parts)
			if part < before || part >= parts {
				t.Fatalf("part %d of %d behind part %d", part, parts, before)
			}
			before = part
			sizes[part]++
		}
		if least, most := slices.Min(sizes), slices.Max(sizes); least < 6_000/parts || most > 14_000/parts {
			t.Errorf("%d parts have %d to %d keys", parts, least, most)
		}
	}
}

func BenchmarkNewKey(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		NewKey("work", Ref{Mailbox: "Work/2024", Validity: 7, UID: 12})
	}
}
