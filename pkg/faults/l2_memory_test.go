//go:build linux

package faults

import (
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"mailpull/pkg/mailtest"
)

// l2Limit is all the memory that a pass has in these tests, with what the
// kernel keeps of its files.
const l2Limit = 64 << 20

// A message of one gigabyte arrives, is on disk byte for byte, and is in the
// manifest with its hash, in 64 MB of memory.
func TestLevel2Giant(t *testing.T) {
	level2(t)
	memory := l2LimitMemory(t, l2Limit)
	wire, file := l2GiantSum("\r\n"), l2GiantSum("\n")
	for protocol, serve := range map[string]func() *rig{"imap": l2GiantIMAP, "pop3": l2GiantPOP3} {
		t.Run(protocol, func(t *testing.T) {
			r := serve()
			server := &l2Server{protocol: protocol, port: l2Listen(t, r.link.Serve), oracle: r.oracle, rig: r}
			a := l2NewAccount(t, server, t.TempDir())
			if code, said := a.run(t, memory.under()...); code != 0 {
				t.Fatalf("ended with %d: %s", code, said)
			}
			if got := l2OnlyFile(t, a); got != file {
				t.Errorf("the file has the hash %x, want %x", got, file)
			}
			records, err := a.records()
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range records.Listed {
				if d.SHA256 != wire || d.Size != l2GiantSize {
					t.Errorf("the manifest says %d bytes with hash %x, want %d with %x", d.Size, d.SHA256, l2GiantSize, wire)
				}
			}
			mailtest.Figure(t, "C9", "messages of a gigabyte over "+protocol+" in 64 MB", len(records.Listed), 1)
		})
	}
	if n := memory.oomKills(t); n > 0 {
		t.Errorf("%d processes were killed for their memory", n)
	}
}

// A message of one gigabyte whose connection to a real Dovecot is cut in the
// middle, twice: it arrives in one pass, byte for byte, in 64 MB of memory, and no
// more of it crosses the line than it has, but for some KB.
func TestLevel2GiantCut(t *testing.T) {
	level2(t)
	memory := l2LimitMemory(t, l2Limit)
	d := mailtest.StartDovecot(t, mailtest.DovecotOptions{Config: "passdb {\n  driver = static\n  args = nopassword=y\n}\n"})
	d.DeliverLarge(username, "INBOX", l2GiantSize-l2GiantLineEnds, func(w io.Writer) { l2WriteGiant(w, "\n") })
	line := &l2Scissors{target: d.IMAPAddr, cuts: []int64{l2GiantSize / 3, l2GiantSize / 3}}
	server := &l2Server{protocol: "imap", port: l2Listen(t, line.relay), oracle: mailtest.NewOracle(account)}
	a := l2NewAccount(t, server, t.TempDir())
	if code, said := a.run(t, memory.under()...); code != 0 {
		t.Fatalf("ended with %d: %s", code, said)
	}
	if got := l2OnlyFile(t, a); got != l2GiantSum("\n") {
		t.Errorf("the file has the hash %x", got)
	}
	if n := line.sent.Load(); n > l2GiantSize+64<<10 {
		t.Errorf("%d bytes crossed the line for %d", n, l2GiantSize)
	}
	if n := memory.oomKills(t); n > 0 {
		t.Errorf("%d processes were killed for their memory", n)
	}
	mailtest.Figure(t, "C9", "cuts in a message of a gigabyte from Dovecot, in 64 MB", len(line.cuts)-line.left(), 2)
}

// l2OnlyFile returns the hash of the one message in the archive.
func l2OnlyFile(t *testing.T, a *l2Account) (sum [sha256.Size]byte) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(a.archive, account, "[cn][ue][rw]", "*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d files in the archive, want 1; %v", len(found), err)
	}
	f, err := os.Open(found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // it was only read
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	copy(sum[:], h.Sum(nil))
	return sum
}

// A server that never comes to an end gets to the bounds and no further: the
// pass ends by itself, with a code that says so, in 64 MB of memory.
func TestLevel2Endless(t *testing.T) {
	level2(t)
	memory := l2LimitMemory(t, l2Limit)
	n := 0
	for name, serve := range l2Endless() {
		t.Run(name, func(t *testing.T) {
			r := serve()
			protocol, _, _ := strings.Cut(name, " ")
			a := l2NewAccount(t, &l2Server{protocol: protocol, port: l2Listen(t, r.link.Serve), oracle: r.oracle, rig: r}, t.TempDir())
			code, said := a.run(t, memory.under()...)
			if code != 69 && code != 75 || !l2OneLine(said) {
				t.Errorf("ended with %d, want 69 or 75 and one line: %.2000s", code, said)
			}
			if err := a.judge(false); err != nil {
				t.Error(err)
			}
			n++
		})
	}
	if kills := memory.oomKills(t); kills > 0 {
		t.Errorf("%d processes were killed for their memory", kills)
	}
	mailtest.Figure(t, "C9", "servers without an end, survived in 64 MB", n, len(l2Endless()))
}

// A program that takes more than the limit is killed, and the group counts it.
func TestLevel2MemoryNotices(t *testing.T) {
	level2(t)
	memory := l2LimitMemory(t, l2Limit)
	a := l2NewAccount(t, l2Serve(t, "imap", l2Messages(1, 500)), t.TempDir())
	greedy := append(memory.under(), "sh", "-c", "head -c 100000000 /dev/zero | tail -c 99000000 >/dev/null; true")
	_, _ = a.run(t, greedy...) // how it ends depends on which of them was killed
	if n := memory.oomKills(t); n == 0 {
		t.Error("100 MB were taken, and nothing was killed")
	}
}

// l2Endless are servers that say one thing for ever, by protocol and what they
// say.
func l2Endless() map[string]func() *rig {
	imap := func(command, begin, again string) func() *rig {
		return func() *rig {
			server := &mailtest.IMAPServer{Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", bodies()...)}}
			server.On = func(c *mailtest.IMAPTalk, tag, heard string) bool {
				if !strings.HasPrefix(heard, command) {
					return false
				}
				c.Raw(begin)
				l2Forever(rawWriter{c.Raw}, c.Flush, again)
				return true
			}
			return imapRig(server)
		}
	}
	pop3 := func(command, begin, again string) func() *rig {
		return func() *rig {
			server := &mailtest.POP3Server{Messages: mailtest.POP3Messages(bodies()...)}
			server.On = func(c *mailtest.POP3Talk, heard string) bool {
				if !strings.HasPrefix(heard, command) || command == "" && heard != "" {
					return false
				}
				c.Raw(begin)
				l2Forever(rawWriter{c.Raw}, c.Flush, again)
				return true
			}
			return pop3Rig(server)
		}
	}
	return map[string]func() *rig{
		"imap line":          imap("LIST", "* LIST () ", "x"),
		"imap quoted":        imap("LIST", `* LIST () "/" "`, "x"),
		"imap literal":       imap("LIST", "* LIST () \"/\" {999999999}\r\n", "x"),
		"imap list":          imap("LIST", "", "* LIST () \"/\" x%d\r\n"),
		"imap fetch literal": imap("UID FETCH", "* 1 FETCH (UID 1 BODY[] {99999999999}\r\n", "x"),
		"imap fetch flags":   imap("UID FETCH", "* 1 FETCH (UID 1 FLAGS (", "flag%d "),
		"imap parentheses":   imap("UID FETCH", "* 1 FETCH ", "("),
		"imap search":        imap("UID SEARCH", "* SEARCH", " %d"),
		"imap capabilities":  imap("CAPABILITY", "* CAPABILITY", " X%d"),
		"pop3 greeting":      pop3("", "+OK ", "x"),
		"pop3 line":          pop3("STAT", "+OK ", "1"),
		"pop3 uidl":          pop3("UIDL", "+OK\r\n", "%d u%d\r\n"),
		"pop3 capa":          pop3("CAPA", "+OK\r\n", "X%d\r\n"),
	}
}

// l2Forever says again, with a number that counts up where it has a place for
// one, until far more was said than any bound allows.
func l2Forever(w io.Writer, flush func(), again string) {
	const most, piece = 160 << 20, 64 << 10
	if !strings.Contains(again, "%d") {
		again = strings.Repeat(again, piece)
	}
	parts := strings.Split(again, "%d")
	text := make([]byte, 0, 2*piece)
	said := 0
	for n := int64(1); said < most; n++ {
		text = append(text, parts[0]...)
		for _, part := range parts[1:] {
			text = append(strconv.AppendInt(text, n, 10), part...)
		}
		if len(text) >= piece {
			_, _ = w.Write(text) // the end of the session tells
			said += len(text)
			text = text[:0]
		}
	}
	flush()
}
