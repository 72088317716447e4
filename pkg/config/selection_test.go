package config

import (
	"strings"
	"testing"

	"mailpull/pkg/mail"
)

func TestSelect(t *testing.T) {
	t.Parallel()
	box := func(name string, use ...string) mail.Mailbox {
		return mail.Mailbox{Name: mail.MailboxName(name), Delimiter: '/', Use: use}
	}
	noSelect := box("Archive")
	noSelect.NoSelect = true
	s := Selection{Include: []string{"inbox", "Work/*", "20??", `\SENT`, "Spam*"}, Exclude: []string{`\junk`, "Spam*", "*/tmp"}}
	for _, tc := range []struct {
		selection Selection
		box       mail.Mailbox
		ok        bool
		reason    string
	}{
		{s, box("INBOX"), true, `included by "inbox"`},
		{s, box("Inbox"), true, `included by "inbox"`},
		{s, box("INBOX/a"), false, "not included"},
		{s, box("Work"), false, "not included"},
		{s, box("Work/a/b"), true, `included by "Work/*"`},
		{s, box("work/a"), false, "not included"},
		{s, box("Work/tmp"), false, `excluded by "*/tmp"`},
		{s, box("2024"), true, `included by "20??"`},
		{s, box("20äö"), true, `included by "20??"`},
		{s, box("20\xff\xfe"), true, `included by "20??"`},
		{s, box("202"), false, "not included"},
		{s, box("Gesendet", `\HasNoChildren`, `\Sent`), true, `included by "\SENT"`},
		{s, box("Spam"), false, `excluded by "Spam*"`},
		{s, box("Work/Müll", `\Junk`), false, `excluded by "\junk"`},
		{Selection{}, box("any"), true, `included by "*"`},
		{Selection{Exclude: []string{"a"}}, box("a"), false, `excluded by "a"`},
		{Selection{}, noSelect, false, "holds no messages"},
		{Selection{Include: []string{"Archive"}}, noSelect, false, "holds no messages"},
	} {
		ok, reason := tc.selection.Select(tc.box)
		if ok != tc.ok || reason != tc.reason {
			t.Errorf("%q: got %v, %s, want %v, %s", tc.box.Name, ok, reason, tc.ok, tc.reason)
		}
	}
}

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"?", "", false},
		{"**", "abc", true},
		{"a*b*c", "aXbYbZc", true},
		{"a*b*c", "aXbYbZ", false},
		{"*ab", "aab", true},
		{"?ö*", "äöü", true},
		{"[a]", "[a]", true},
		{"[a]", "a", false},
		{"a.b", "axb", false},
	} {
		if got := glob(tc.pattern, tc.name); got != tc.want {
			t.Errorf("%q, %q: got %v, want %v", tc.pattern, tc.name, got, tc.want)
		}
	}
	// Backtracking over every star would never end.
	if glob(strings.Repeat("*a", 50)+"b", strings.Repeat("a", 10000)) {
		t.Error("matched what it does not have")
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a*b?", "axxbc")
	f.Add("*?ä", "\xff\xc3")
	f.Add("", "*")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if got, want := glob(pattern, name), slowGlob([]rune(pattern), []rune(name)); got != want && plainText(pattern) && plainText(name) {
			t.Errorf("%q, %q: got %v, want %v", pattern, name, got, want)
		}
		if !glob("*", name) || !glob(name, name) && plainText(name) {
			t.Errorf("%q does not match itself or *", name)
		}
	})
}

// plainText reports whether runes and bytes tell the same story, and the slow
// way is not too slow.
func plainText(s string) bool {
	return !strings.ContainsRune(s, '\uFFFD') && len(s) < 100
}

// slowGlob says what a pattern means, and is checked by looking at it.
func slowGlob(pattern, name []rune) bool {
	good := make([]bool, len(name)+1) // whether the pattern so far matches name[:i]
	good[0] = true
	for _, p := range pattern {
		next := make([]bool, len(name)+1)
		for i := range next {
			switch {
			case p == '*':
				next[i] = good[i] || i > 0 && next[i-1]
			case i > 0 && (p == '?' || p == name[i-1]):
				next[i] = good[i-1]
			}
		}
		good = next
	}
	return good[len(name)]
}

func TestNearest(t *testing.T) {
	t.Parallel()
	keys := []string{"host", "port", "security", "allow_plaintext", "username", "password", "mailboxes"}
	for word, want := range map[string]string{
		"pasword": "password", "passwrod": "password", "PASSWORD": "password", "pass": "password",
		"user": "username", "allow-plaintext": "allow_plaintext", "prot": "port", "hots": "host",
		"securty": "security", "p": "", "x": "", "": "", "colour": "", "pw": "",
		strings.Repeat("password", 100): "",
	} {
		if got := nearest(word, keys); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
