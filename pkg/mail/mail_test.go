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
