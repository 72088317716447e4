package maildir

import (
	"testing"
	"time"

	"mailpull/pkg/mail"
)

func TestFileName(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	m := &message{key: keyOf(1), stored: 10, virtual: 12}
	key := m.key.String()
	for _, c := range []struct {
		item  mail.Item
		want  string
		inCur bool
	}{
		{mail.Item{Date: someDate}, "1577934245." + key + ".mailpull,S=10,W=12", false},
		{mail.Item{}, "1800000000." + key + ".mailpull,S=10,W=12", false},
		{mail.Item{Date: time.Unix(-5, 0)}, "0." + key + ".mailpull,S=10,W=12", false},
		{mail.Item{Date: someDate, Flags: []string{"$Label1", `\Recent`}}, "1577934245." + key + ".mailpull,S=10,W=12", false},
		{mail.Item{Date: someDate, Flags: []string{`\Flagged`}}, "1577934245." + key + ".mailpull,S=10,W=12:2,F", true},
		{mail.Item{Date: someDate, Flags: []string{`\SEEN`}}, "1577934245." + key + ".mailpull,S=10,W=12:2,S", true},
		{mail.Item{Date: someDate, Flags: []string{`\Seen`, `\Deleted`, "forwarded", "$Forwarded", `\Answered`, `\Draft`, `\Flagged`, `\Seen`}},
			"1577934245." + key + ".mailpull,S=10,W=12:2,DFPRST", true},
	} {
		got, inCur := fileName(m, c.item, now)
		if got != c.want || inCur != c.inCur {
			t.Errorf("%v: got %q, %v, want %q, %v", c.item.Flags, got, inCur, c.want, c.inCur)
		}
		if k, _, ok := parseName(got); !ok || k != m.key {
			t.Errorf("%q is not found by its key", got)
		}
		if isTmpName(got) {
			t.Errorf("%q is taken for an unfinished message", got)
		}
	}
	if name := tmpName(7, m.key); !isTmpName(name) || !isTmpName(secondName(name)) {
		t.Errorf("%q is not taken for an unfinished message", name)
	}
}

func TestParseName(t *testing.T) {
	t.Parallel()
	key := keyOf(1).String()
	for name, want := range map[string]bool{
		"1." + key + ".mailpull":                  true,
		"1." + key + ".mailpull:2,":               true,
		"1." + key + ".mailpull,S=1,W=1:2,FS":     true,
		"1." + key + ".mailpull,U=7,FMD5=x:2,Sab": true, // offlineimap's
		"1." + key + ".mailpull,S=1!2,S":          true, // readers on file systems without colons
		"1." + key + ".mailpull;2,S":              true,
		"1." + key + ".mailpull.bak":              true,
		"1." + key + ".mailpullx":                 false,
		"1." + key + ".mailpul":                   false,
		"1." + key[1:] + ".mailpull":              false,
		"1." + key + "a.mailpull":                 false,
		"x." + key + ".mailpull":                  false,
		"." + key + ".mailpull":                   false,
		"1" + key + ".mailpull":                   false,
		"1.M2P3.host,S=5:2,S":                     false,
		"1." + key:                                false,
		"dovecot-uidlist":                         false,
		"":                                        false,
	} {
		if k, _, ok := parseName(name); ok != want || ok && k != keyOf(1) {
			t.Errorf("%q: got %v, want %v", name, ok, want)
		}
	}
}

func FuzzParseName(f *testing.F) {
	key := keyOf(1).String()
	f.Add("1."+key+".mailpull", "")
	f.Add("1577934245."+key+".mailpull,S=10,W=12", ":2,FS")
	f.Add("1.M2P3.host,S=5", ":2,S")
	f.Fuzz(func(t *testing.T, name, info string) {
		k, rest, ok := parseName(name)
		if !ok {
			return
		}
		if want := k.String() + suffix + rest; len(name) < len(want) || name[len(name)-len(want):] != want {
			t.Errorf("%q does not end in %q", name, want)
		}
		// What readers put behind a colon changes nothing.
		if again, _, ok := parseName(name + ":" + info); !ok || again != k {
			t.Errorf("%q is lost when a reader appends %q", name, info)
		}
	})
}
