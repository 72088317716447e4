package maildir

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// ordinary are names that must stay readable, with their folders in both
// layouts. Dovecot shows each of them as it is on the server.
var ordinary = []struct{ name, maildirpp, fs string }{
	{"INBOX", "", "INBOX"},
	{"Work", ".Work", "Work"},
	{"Work/2024", ".Work.2024", "Work/2024"},
	{"work and play", ".work and play", "work and play"},
	{"INBOX/Sent", ".INBOX.Sent", "INBOX/Sent"},
	{"[Gmail]/All Mail", ".[Gmail].All Mail", "[Gmail]/All Mail"},
	{"Entwürfe", ".Entw&APw-rfe", "Entw&APw-rfe"},
	{"日本語", ".&ZeVnLIqe-", "&ZeVnLIqe-"},
	{"台北/日本語", ".&U,BTFw-.&ZeVnLIqe-", "&U,BTFw-/&ZeVnLIqe-"}, // RFC 3501 section 5.1.3
	{"😀", ".&2D3eAA-", "&2D3eAA-"},
	{"R&D", ".R&-D", "R&-D"},
	{"a.b", ".a=2eb", "a.b"},
	{"100%", ".100%", "100%"},
	{"x=y", ".x=3dy", "x=3dy"},
	{".hidden", ".=2ehidden", "=2ehidden"},
	{"~root", ".=7eroot", "=7eroot"},
	{"end. ", ".end=2e=20", "end.=20"},
	{"..", ".=2e=2e", "=2e=2e"},
	{"cur", ".cur", "=63ur"},
	{"Lists/dovecot", ".Lists.dovecot", "Lists/dovecot"},
	{"subscriptions", ".subscriptions", "=73ubscriptions"},
	{"Dovecot-uidlist", ".Dovecot-uidlist", "=44ovecot-uidlist"},
	{"inbox", ".inbox=u", "inbox=u"},
	{"Inbox/x", ".Inbox=u8.x", "Inbox=u8/x"},
	{"a//b", ".a.=n.b", "a/=n/b"},
	{"", ".=n", "=n"},
	{"tab\tnul\x00", ".tab=09nul=00", "tab=09nul=00"},
	{"\uFFFD\xff", ".&,,0-=ff", "&,,0-=ff"},
}

func TestFolderNames(t *testing.T) {
	t.Parallel()
	for _, c := range ordinary {
		path := strings.Split(c.name, "/")
		for layout, want := range map[Layout]string{Maildirpp: c.maildirpp, FS: c.fs} {
			folder := folderName(layout, path)
			if got := strings.Join(folder, "/"); got != want {
				t.Errorf("%s %q: got %q, want %q", layout, c.name, got, want)
			}
			if back, ok := MailboxPath(layout, folder); !ok || !slices.Equal(back, path) {
				t.Errorf("%s %q: decoded to %q, %v", layout, want, back, ok)
			}
		}
	}
}

// The disk's rules hold for every name, and no two mailboxes have one folder:
// neither of their two possible names is another mailbox's, folded or not. All
// names being ASCII, no file system can normalise them.
func TestFolderNamesAreSafe(t *testing.T) {
	t.Parallel()
	paths := append(hostilePaths(), randomPaths(10_000)...)
	if n := len(hostileLevels()); n < 120 {
		t.Fatalf("%d hostile levels, want 120 at least", n)
	}
	for _, layout := range []Layout{Maildirpp, FS} {
		exact := make(map[string]string) // a folder's plain name to its mailbox
		clash := make(map[string]string) // a folder's other name, folded, to its mailbox
		for _, path := range paths {
			id := fmt.Sprintf("%q", path)
			folder := folderName(layout, path)
			checkFolder(t, layout, path, folder)

			name := strings.Join(folder, "/")
			if other, ok := exact[name]; ok && other != id {
				t.Errorf("%s: %s and %s are both %q", layout, id, other, name)
			}
			exact[name] = id
			var others []string
			for _, component := range folder {
				others = append(others, fold(clashForm(component)))
			}
			form := strings.Join(others, "/")
			if other, ok := clash[form]; ok && other != id {
				t.Errorf("%s: %s and %s would both be %q after a clash", layout, id, other, form)
			}
			clash[form] = id
		}
		for name, id := range exact {
			if other, ok := clash[fold(name)]; ok && other != id && name != "" {
				t.Errorf("%s: %q of %s is what %s would be after a clash", layout, name, id, other)
			}
		}
	}
}

func checkFolder(t *testing.T, layout Layout, path, folder []string) {
	t.Helper()
	if len(folder) == 0 && !slices.Equal(path, []string{"INBOX"}) {
		t.Errorf("%s %.80q: is the account's own folder", layout, path)
	}
	if len(folder) > maxDepth {
		t.Errorf("%s %.80q: %d levels", layout, path, len(folder))
	}
	whole := true
	for i, name := range folder {
		for _, form := range []string{name, clashForm(name)} {
			bad := form == "" || form == "." || form == ".." || len(form) > 255 ||
				strings.ContainsFunc(form, func(r rune) bool { return r < ' ' || r > '~' || r == '/' })
			if layout == Maildirpp {
				bad = bad || form[0] != '.' || strings.Contains(form, "..")
			} else {
				lower := fold(form)
				bad = bad || form[0] == '.' || lower == "cur" || lower == "new" || lower == "tmp"
			}
			if bad || strings.HasSuffix(form, ".") || strings.HasSuffix(form, " ") {
				t.Errorf("%s %.80q: component %d is %q", layout, path, i, form)
			}
		}
		whole = whole && !strings.Contains(name, cutMark)
	}
	back, ok := MailboxPath(layout, folder)
	if ok != whole || whole && !slices.Equal(back, path) {
		t.Errorf("%s %.80q: %.80q decodes to %.80q, %v", layout, path, folder, back, ok)
	}
}

// What was cut is still told apart: by case, by what was cut off, and by where
// the levels part.
func TestCutNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 300)
	paths := [][]string{{long}, {long + "b"}, {strings.ToUpper(long)}, {long, "b"}, {long + "." + "b"}, {"b", long}, {strings.Repeat("日本", 200)}}
	for _, layout := range []Layout{Maildirpp, FS} {
		seen := make(map[string]bool)
		for _, path := range paths {
			name := fold(strings.Join(folderName(layout, path), "/"))
			if seen[name] {
				t.Errorf("%s: %.20q shares %q", layout, path, name)
			}
			seen[name] = true
		}
	}
	got := folderName(Maildirpp, []string{"Lists", strings.Repeat("日本", 200)})[0]
	head, _, _ := strings.Cut(got, cutMark)
	if back, ok := MailboxPath(Maildirpp, []string{head}); !ok || !strings.HasPrefix(back[1], "日本日本") {
		t.Errorf("%q: the beginning does not read %q, %v", got, back, ok)
	}
}

// Mailboxes that differ only in case have folders that differ in more, and
// each finds its own again whichever is opened first.
func TestCaseClash(t *testing.T) {
	t.Parallel()
	for _, layout := range []Layout{Maildirpp, FS} {
		path := t.TempDir()
		names := []mail.MailboxName{"Work", "work", "WORK", "Work/a", "work/a", "WORK/A", "&", "Ü", "INBOX", "inbox"}
		folders := make(map[mail.MailboxName]string)
		for pass := range 4 {
			s := openStore(t, path, layout)
			for _, name := range names {
				folder := strings.Join(openBox(t, s, name).(*Box).Folder(), "/")
				if was, ok := folders[name]; ok && was != folder {
					t.Errorf("%s pass %d: %q moved from %q to %q", layout, pass, name, was, folder)
				}
				folders[name] = folder
			}
			rand.New(rand.NewPCG(uint64(pass), 0)).Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		}
		seen := make(map[string]mail.MailboxName)
		for name, folder := range folders {
			if other, ok := seen[fold(folder)]; ok {
				t.Errorf("%s: %q and %q are one folder where case is folded", layout, name, other)
			}
			seen[fold(folder)] = name
			if back, ok := MailboxPath(layout, split(folder)); !ok || strings.Join(back, "/") != string(name) {
				t.Errorf("%s: %q of %q decodes to %q, %v", layout, folder, name, back, ok)
			}
		}
		if layout == FS && folders["work"] != "work=u" {
			t.Errorf("got %q", folders["work"])
		}
	}
}

// A mailbox keeps its folder also when the one that it had to make way for is
// removed.
func TestCaseClashIsForEver(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := openStore(t, path, FS)
	openBox(t, s, "Work")
	put(t, s, openBox(t, s, "work"), keyOf(1), strings.NewReader("x"), mail.Item{})
	if err := os.RemoveAll(filepath.Join(path, "Work")); err != nil {
		t.Fatal(err)
	}
	if keys, err := openBox(t, openStore(t, path, FS), "work").Keys(mailtest.EveryKey); err != nil || !keys.Contains(keyOf(1)) {
		t.Errorf("the message is lost with the other mailbox: %v, %v", keys, err)
	}
}

func split(folder string) []string {
	if folder == "" {
		return nil
	}
	return strings.Split(folder, "/")
}

func FuzzFolderName(f *testing.F) {
	for _, l := range hostileLevels() {
		if len(l) < 100 {
			f.Add(l, "x")
		}
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, layout := range []Layout{Maildirpp, FS} {
			for _, path := range [][]string{{a}, {a, b}} {
				checkFolder(t, layout, path, folderName(layout, path))
			}
		}
		if a != b && slices.Equal(folderName(FS, []string{a}), folderName(FS, []string{b})) {
			t.Errorf("%q and %q are one folder", a, b)
		}
	})
}

// FuzzMailboxPath reads any folder that somebody else may have made.
func FuzzMailboxPath(f *testing.F) {
	for _, c := range ordinary {
		f.Add(c.maildirpp)
		f.Add(c.fs)
	}
	f.Add(".&AAA-")
	f.Add("=")
	f.Fuzz(func(t *testing.T, name string) {
		for _, layout := range []Layout{Maildirpp, FS} {
			path, ok := MailboxPath(layout, []string{name})
			if !ok {
				continue
			}
			if got := folderName(layout, path); got[0] != name && clashForm(got[0]) != name {
				t.Errorf("%s %q: decoded to %q, which is %q", layout, name, path, got)
			}
			for _, level := range path {
				if utf8.ValidString(level) && len(level) > len(name) {
					t.Errorf("%q is longer than %q", level, name)
				}
			}
		}
	})
}
