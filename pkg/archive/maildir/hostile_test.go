package maildir

import (
	"fmt"
	"io/fs"
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

// hostileLevels are what a server may send as one level of a name.
func hostileLevels() []string {
	levels := []string{
		"", ".", "..", "...", ".a", "a.", "a..", "..a", "a..b", " ", "  ", " a", "a ", "a  ", "a. ", "a .",
		"/", "//", "/etc/passwd", "../../etc", "a/b", "a/../b", "\\", "..\\..", "a\\b", "C:\\x", "C:",
		"\x00", "a\x00b", "\x00\x00", "\n", "a\nb", "\r\n", "\x1b[31m", "\x07", "\x7f", "\t", "\x01\x02",
		"cur", "new", "tmp", "CUR", "New", "tMP", "cur ", " cur", "cur.", "=63ur", "cur=u",
		"INBOX", "inbox", "Inbox", "INBOX ", "INBOX.", "iNBOX", "subscriptions", "Subscriptions", "maildirfolder",
		"dovecot", "dovecot-uidlist", "dovecot.index", "dovecot.index.log", "DOVECOT-keywords", "courierimapkeywords",
		"Work", "work", "WORK", "wORK", "WoRk", "work=u", "WORK=uf", "Work=u8", "work=u0", "=u", "=uf", "a=u=u",
		"=", "==", "=n", "=N", "=2e", "=2E", "=2", "a=", "=zz", "=h", "=hx", "=haaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"&", "&-", "&&", "&APw-", "&apw-", "&APx-", "&AAA-", "&ZeVnLIqe-", "&2D0-", "&-&-", "a&b", "&AGE-",
		"ü", "u\u0308", "\u00c5", "\u212b", "A\u030a", "Ω", "\u2126", "ß", "ss", "ẞ", "ﬁ", "fi", "İ", "i", "I", "ı",
		"가", "\u1100\u1161", "日本語", "日本語 ", "😀", "\U0010ffff", "\ufeff", "\u200b", "\u202egnp.exe", "\u2028", "\u0085", "é", "É",
		"\xff", "\xfe\xff", "\xc3", "\xc3(", "a\xffb", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\uFFFD", "\uFFFD\xff", "\uFFFDabc",
		"~", "~root", "~/x", "-rf", "--help", "*", "%", "a*b", "$(reboot)", "`id`", "|sh", ";", "\"", "'", "<x>", "?", "#", "a:2,S",
		"CON", "nul", "com1.txt", "AUX", "aux", "PRN.", "lpt1", "CLOCK$", "a\u0308\u0323", "a\u0323\u0308", "\u1e69", "s\u0323\u0307", "\u03a3", "\u03c3", "\u03c2", "\u200e\u200f", "\u2066x\u2069",
	}
	for _, n := range []int{200, 221, 222, 223, 253, 254, 255, 256, 257, 300, 1000} {
		levels = append(levels,
			strings.Repeat("a", n), strings.Repeat("A", n), strings.Repeat("aB", n/2), strings.Repeat(".", n),
			strings.Repeat("ü", n), strings.Repeat("日", n), strings.Repeat("\xff", n), strings.Repeat("a", n-1)+"=",
			strings.Repeat("a", n-1)+"b", strings.Repeat("&", n), strings.Repeat("😀", n/2))
	}
	return levels
}

// hostilePaths are the levels above, alone and in combinations.
func hostilePaths() [][]string {
	var paths [][]string
	levels := hostileLevels()
	for i, l := range levels {
		paths = append(paths, []string{l}, []string{"Work", l}, []string{l, "work"}, []string{l, levels[(i*7+3)%len(levels)], l})
	}
	for _, n := range []int{15, 16, 17, 18, 100, 400} {
		paths = append(paths, slices.Repeat([]string{"a"}, n), slices.Repeat([]string{"A"}, n), slices.Repeat([]string{".."}, n),
			slices.Repeat([]string{""}, n), slices.Repeat([]string{"日本語日本語日本語"}, n))
	}
	return paths
}

func randomPaths(n int) [][]string {
	rng := rand.New(rand.NewPCG(1, 2))
	alphabet := []string{"a", "A", "b", "B", ".", "/", "=", "&", "-", "n", "u", "h", "2", "e", "f", " ", "~", "ü", "u\u0308", "日", "\xff", "\x00", "😀", ",", "8", "cur", "inbox", "APw"}
	paths := make([][]string, n)
	for i := range paths {
		paths[i] = make([]string, 1+rng.IntN(3))
		for j := range paths[i] {
			var level strings.Builder
			for range rng.IntN(8) {
				level.WriteString(alphabet[rng.IntN(len(alphabet))])
			}
			paths[i][j] = level.String()
		}
	}
	return paths
}

// delimiters are what servers part the levels of a name with; 0 is a flat name.
var delimiters = []rune{'/', '.', '\\', 0, '\x1f', '\u00a7'}

// hostileMailboxes are mailboxes of a server with that delimiter: each hostile
// level alone, below and above others, and deep trees.
func hostileMailboxes(delimiter rune) []mail.Mailbox {
	parted := ""
	if delimiter != 0 {
		parted = string(delimiter)
	}
	var boxes []mail.Mailbox
	for i, path := range hostilePaths() {
		if i%4 > 1 && len(path) < 15 {
			continue // half of them are enough on a real disk
		}
		boxes = append(boxes, mail.Mailbox{Name: mail.MailboxName(strings.Join(path, parted)), Delimiter: delimiter})
	}
	return boxes
}

// randomNames are as many different names of random bytes, characters and
// traps.
func randomNames(n int) []mail.Mailbox {
	rng := rand.New(rand.NewPCG(7, 7))
	levels := hostileLevels()
	known := make(map[string]bool)
	var boxes []mail.Mailbox
	for len(boxes) < n {
		var name []byte
		for range 1 + rng.IntN(6) {
			switch rng.IntN(5) {
			case 0:
				name = append(name, byte(rng.IntN(256)))
			case 1:
				name = utf8.AppendRune(name, rune(rng.IntN(0x3000)))
			case 2:
				name = append(name, []string{"/", "..", ".", "&", "-", "=", "INBOX", "cur", "Work", "work"}[rng.IntN(10)]...)
			default:
				level := levels[rng.IntN(len(levels))]
				name = append(name, level[:min(len(level), 40)]...)
			}
		}
		if !known[string(name)] {
			known[string(name)] = true
			boxes = append(boxes, mail.Mailbox{Name: mail.MailboxName(name), Delimiter: '/'})
		}
	}
	return boxes
}

// yard is a folder on the real disk with an account's folder in it, and things
// beside that which nobody may touch.
type yard struct{ path, root string }

func newYard(t testing.TB) yard {
	t.Helper()
	y := yard{path: t.TempDir()}
	y.root = filepath.Join(y.path, "account")
	for _, dir := range []string{"account", "account2", "etc", "new"} {
		if err := os.Mkdir(filepath.Join(y.path, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(y.path, "etc", "passwd"), []byte("root"), 0o600); err != nil {
		t.Fatal(err)
	}
	return y
}

// checkOutside fails when anything but the account's folder was touched.
func (y yard) checkOutside(t testing.TB) {
	t.Helper()
	var found []string
	err := filepath.WalkDir(y.path, func(p string, e fs.DirEntry, err error) error {
		if p == y.root {
			return fs.SkipDir
		}
		found = append(found, strings.TrimPrefix(p, y.path))
		return err
	})
	if want := []string{"", "/account2", "/etc", "/etc/passwd", "/new"}; err != nil || !slices.Equal(found, want) {
		t.Errorf("outside there is %q, %v", found, err)
	}
}

// folders remembers whose each folder is, as a file system takes it that folds
// case and characters.
type folders struct {
	layout Layout
	root   *os.Root // of the account, or nil
	taken  map[string]mail.Mailbox
}

// check holds what is promised of one mailbox's folder: it is nobody else's,
// it lies below the account's folder where that is on a real disk, and it leads
// back to the name.
func (f *folders) check(t testing.TB, m mail.Mailbox, folder []string) {
	t.Helper()
	where := fmt.Sprintf("%s %.80q (%q)", f.layout, m.Name, m.Delimiter)
	name := strings.Join(folder, "/")
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Errorf("%s: %q is not ASCII, and could be folded into another one", where, name)
	}
	if other, ok := f.taken[fold(name)]; ok {
		t.Errorf("%s has the folder of %.80q: %q", where, other.Name, name)
	}
	f.taken[fold(name)] = m
	if f.root != nil {
		if info, err := f.root.Lstat(filepath.Join(append(folder, "cur")...)); err != nil || !info.IsDir() {
			t.Errorf("%s: %q has no cur: %v", where, name, err)
		}
	}
	path, ok := MailboxPath(f.layout, folder)
	if whole := !strings.Contains(name, cutMark); ok != whole || whole && !slices.Equal(path, m.Path()) {
		t.Errorf("%s: %q leads back to %q, %t", where, name, path, ok)
	}
}

// open opens a box for each different name and checks its folder.
func (f *folders) open(t *testing.T, s *Store, mailboxes []mail.Mailbox) (boxes []mail.Box) {
	t.Helper()
	f.taken = make(map[string]mail.Mailbox)
	seen := make(map[mail.MailboxName]bool)
	for _, m := range mailboxes {
		if seen[m.Name] {
			continue
		}
		seen[m.Name] = true
		box, err := s.Box(m)
		if err != nil {
			t.Errorf("%s %.80q: %v", f.layout, m.Name, err)
			continue
		}
		f.check(t, m, box.(*Box).Folder())
		boxes = append(boxes, box)
	}
	return boxes
}

// openAll opens all of them on a real disk, and sees that nothing outside of
// the account's folder was touched.
func openAll(t *testing.T, layout Layout, mailboxes []mail.Mailbox) (yard, []mail.Box) {
	t.Helper()
	y := newYard(t)
	root, err := os.OpenRoot(y.root)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	all := folders{layout: layout, root: root}
	boxes := all.open(t, openStore(t, y.root, layout), mailboxes)
	y.checkOutside(t)
	return y, boxes
}

// TestHostileNames opens every hostile name, as servers with each delimiter
// send it: one folder for each, and every folder leads back to its name. On a
// real disk none is outside.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	names := make(map[mail.MailboxName]bool)
	for _, layout := range []Layout{Maildirpp, FS} {
		for _, delimiter := range delimiters {
			all := folders{layout: layout}
			boxes := all.open(t, inMemory(t, layout), hostileMailboxes(delimiter))
			for _, box := range boxes {
				names[box.Name()] = true
			}
		}
		openAll(t, layout, hostileMailboxes('/'))
	}
	mailtest.Figure(t, "T7", "hostile mailbox names", len(names), 120)
}

// TestHostileNamesHoldMail delivers a message to each of them; the next run
// finds it in its mailbox and nowhere else.
func TestHostileNamesHoldMail(t *testing.T) {
	t.Parallel()
	for _, layout := range []Layout{Maildirpp, FS} {
		var some []mail.Mailbox
		for _, level := range hostileLevels() {
			some = append(some, mail.Mailbox{Name: mail.MailboxName(level), Delimiter: '.'})
		}
		y, boxes := openAll(t, layout, some)
		s := openStore(t, y.root, layout)
		for n, box := range boxes {
			again, err := s.Box(mail.Mailbox{Name: box.Name(), Delimiter: '.'})
			if err != nil {
				t.Fatal(err)
			}
			put(t, s, again, keyOf(n+1), strings.NewReader("x"), mail.Item{})
		}
		for n, box := range boxes {
			if keys, err := box.Keys(mailtest.EveryKey); err != nil || len(keys) != 1 || !keys.Contains(keyOf(n+1)) {
				t.Errorf("%s %.80q holds %v, %v", layout, box.Name(), keys, err)
			}
		}
		y.checkOutside(t)
	}
}

// inMemory is a store on a disk in memory.
func inMemory(t testing.TB, layout Layout) *Store {
	t.Helper()
	s, err := Open(Options{Dir: mailtest.NewMemDisk("/mail/work"), Layout: layout})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRandomNames opens random names, all of them in memory and a part on a
// real disk.
func TestRandomNames(t *testing.T) {
	t.Parallel()
	names := randomNames(10_000 / mailtest.Every(20))
	for _, layout := range []Layout{Maildirpp, FS} {
		all := folders{layout: layout}
		if n := len(all.open(t, inMemory(t, layout), names)); n != len(names) {
			t.Errorf("%s: %d boxes of %d names", layout, n, len(names))
		}
		openAll(t, layout, names[:len(names)/20])
	}
	mailtest.Figure(t, "T7", "random mailbox names", len(names), 10_000)
}
