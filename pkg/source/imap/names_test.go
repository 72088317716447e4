package imap

import (
	"strings"
	"testing"
	"unicode/utf8"

	"mailpull/pkg/mail"
)

func TestMailboxName(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, wire string
		want       mail.MailboxName
	}{
		{"inbox", "InBoX", "INBOX"},
		{"below inbox", "inbox.Work", "inbox.Work"},
		{"plain", "Archive/2024", "Archive/2024"},
		{"ampersand", "R&-D", "R&D"},
		{"umlaut", "Entw&APw-rfe", "Entwürfe"},
		{"three scripts", "~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"},
		{"surrogate pair", "&2D3cDA-", "🐌"},
		{"quotes and backslash", `a"b\c`, `a"b\c`},
		{"empty", "", ""},

		{"bare ampersand", "R&D", "\uFFFDR&D"},
		{"never closed", "a&APw", "\uFFFDa&APw"},
		{"printable in base64", "&AGE-", "\uFFFD&AGE-"},
		{"two runs that should be one", "&APw-&APw-", "\uFFFD&APw-&APw-"},
		{"padding bits set", "&APx-", "\uFFFD&APx-"},
		{"odd number of bytes", "&AA-", "\uFFFD&AA-"},
		{"slash is not in the alphabet", "&U/BTFw-", "\uFFFD&U/BTFw-"},
		{"line end inside base64", "&AP\nw-", "\uFFFD&AP\nw-"},
		{"lone surrogate", "&2D0-", "\uFFFD&2D0-"},
		{"control characters", "a&AAoAAA-b", "\uFFFDa&AAoAAA-b"},
		{"encoded replacement character", "&,,0-", "\uFFFD&,,0-"},
		{"latin-1", "Entw\xfcrfe", "\uFFFDEntw\xfcrfe"},
		{"plain utf-8", "Entwürfe", "\uFFFDEntwürfe"},
		{"tab", "a\tb", "\uFFFDa\tb"},
		{"encoded inbox", "&AEk-NBOX", "\uFFFD&AEk-NBOX"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := mailboxName(tt.wire); got != tt.want {
				t.Errorf("mailboxName(%q) = %q, want %q", tt.wire, got, tt.want)
			}
		})
	}
}

func TestDelimiterOf(t *testing.T) {
	t.Parallel()
	for wireDelimiter, want := range map[string]rune{
		"/": '/', ".": '.', "\\": '\\', "§": '§', "": 0, "//": 0, "\xff": 0,
	} {
		if got := delimiterOf(wireDelimiter); got != want {
			t.Errorf("delimiterOf(%q) = %q, want %q", wireDelimiter, got, want)
		}
	}
}

// wireName is the inverse of mailboxName, but for the case of INBOX.
func wireName(name mail.MailboxName) string {
	if raw, ok := strings.CutPrefix(string(name), rawMark); ok {
		return raw
	}
	return encodeUTF7(string(name))
}

// FuzzMailboxName shows that a name leads back to the bytes of the wire, so
// that no two of them share a name.
func FuzzMailboxName(f *testing.F) {
	for _, seed := range []string{
		"INBOX", "inbox", "R&-D", "R&D", "Entw&APw-rfe", "&2D3cDA-", "&2D0-", "&AGE-", "&APw-&APw-", "\xff", "\uFFFDx", "a\x00b", "&,,0-",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, wire string) {
		name := mailboxName(wire)
		if name == mail.Inbox {
			if !strings.EqualFold(wire, "INBOX") {
				t.Fatalf("%q became INBOX", wire)
			}
			return
		}
		if got := wireName(name); got != wire {
			t.Fatalf("%q became %q, which leads back to %q", wire, name, got)
		}
		if !strings.HasPrefix(string(name), rawMark) && (!utf8.ValidString(string(name)) || !printable(string(name))) {
			t.Fatalf("%q became %q, which is not printable", wire, name)
		}
	})
}

// FuzzEncodeUTF7 shows that every printable name survives the wire.
func FuzzEncodeUTF7(f *testing.F) {
	for _, seed := range []string{"Archive", "R&D", "台北/日本語", "🐌", "&-", "a&b-c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !utf8.ValidString(name) || !printable(name) || strings.EqualFold(name, "INBOX") {
			return
		}
		if got := mailboxName(encodeUTF7(name)); string(got) != name {
			t.Fatalf("%q came back as %q by way of %q", name, got, encodeUTF7(name))
		}
	})
}
