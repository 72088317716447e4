package imap

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

// message is what the peer serves.
type message struct {
	uid   mail.UID
	flags string
	body  string
}

// sized returns n messages with ascending UIDs and bodies of about size bytes.
func sized(n, size int) []message {
	messages := make([]message, n)
	for i := range messages {
		body := fmt.Sprintf("Subject: %d\r\n\r\n", i+1)
		body += strings.Repeat("x", max(0, size-len(body)-2)) + "\r\n"
		messages[i] = message{uid: mail.UID(10 + i), flags: `\Seen`, body: body}
	}
	return messages
}

// peer is a small IMAP server that tells the truth, except where on does
// otherwise.
type peer struct {
	caps     string
	list     []string // answers to LIST
	examine  []string // more answers to EXAMINE
	messages []message

	// on sees each command first; true means that it has answered it.
	on func(c *talk, tag, command string) bool

	mu       sync.Mutex
	commands []string
}

// talk is one connection of a peer.
type talk struct {
	net.Conn
	w *bufio.Writer
}

func (c *talk) printf(format string, args ...any) { fmt.Fprintf(c.w, format+"\r\n", args...) }

// said returns the commands after sign-in that begin with the prefix.
func (p *peer) said(prefix string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []string
	for _, command := range p.commands {
		if strings.HasPrefix(command, prefix) {
			found = append(found, command)
		}
	}
	return found
}

// listen serves the peer on loopback until the test ends.
func (p *peer) listen(t testing.TB) *Source {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	return New(Options{Wire: optionsFor(l.Addr())})
}

// serve speaks with one client until it goes.
func (p *peer) serve(conn net.Conn) {
	defer conn.Close()
	c := &talk{conn, bufio.NewWriterSize(conn, 64<<10)}
	c.printf("* OK hello")
	c.w.Flush()
	lines := bufio.NewReader(conn)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		tag, command, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		p.mu.Lock()
		p.commands = append(p.commands, command)
		p.mu.Unlock()
		if p.on == nil || !p.on(c, tag, command) {
			p.answer(c, tag, command)
		}
		if lines.Buffered() == 0 {
			c.w.Flush()
		}
	}
}

// answer answers a command truthfully.
func (p *peer) answer(c *talk, tag, command string) {
	words := strings.Fields(command)
	switch strings.ToUpper(words[0]) {
	case "CAPABILITY":
		c.printf("* CAPABILITY IMAP4rev1 %s", p.caps)
	case "LIST":
		for _, line := range p.list {
			c.printf("* LIST %s", line)
		}
	case "STATUS":
		name, _, _ := strings.Cut(command[len("STATUS "):], " (")
		c.printf("* STATUS %s (MESSAGES %d UIDNEXT 100 UIDVALIDITY 7)", name, len(p.messages))
	case "EXAMINE":
		c.printf("* %d EXISTS", len(p.messages))
		for _, line := range p.examine {
			c.printf("* %s", line)
		}
		if p.examine == nil {
			c.printf("* OK [UIDVALIDITY 7] ok")
			c.printf("* OK [UIDNEXT 100] ok")
		}
	case "LOGOUT":
		c.printf("* BYE bye")
	case "FETCH":
		p.fetch(c, words[1], command, func(i int) int { return i + 1 })
	case "UID":
		if strings.EqualFold(words[1], "SEARCH") {
			p.search(c, tag, strings.Contains(command, "RETURN"))
			break
		}
		p.fetch(c, words[2], command, func(i int) int { return int(p.messages[i].uid) })
	}
	c.printf("%s OK done", tag)
}

// search answers UID SEARCH ALL.
func (p *peer) search(c *talk, tag string, extended bool) {
	var set mail.UIDSet
	words := ""
	for _, m := range p.messages {
		set.Add(m.uid, m.uid)
		words += fmt.Sprintf(" %d", m.uid)
	}
	if extended {
		c.printf("* ESEARCH (TAG %q) UID ALL %s", tag, set)
		return
	}
	c.printf("* SEARCH%s", words)
}

// fetch answers FETCH or UID FETCH.
func (p *peer) fetch(c *talk, set, command string, number func(i int) int) {
	for i, m := range p.messages {
		if !inSet(set, number(i)) {
			continue
		}
		if strings.Contains(command, "BODY.PEEK[]") {
			c.sendMessage(i+1, m)
			continue
		}
		c.printf("* %d FETCH (UID %d)", i+1, m.uid)
	}
}

// sendMessage sends one message as it should be.
func (c *talk) sendMessage(seq int, m message) {
	c.printf(`* %d FETCH (UID %d FLAGS (%s) INTERNALDATE "17-Jul-2024 02:44:25 -0700" RFC822.SIZE %d BODY[] {%d}`+"\r\n%s)",
		seq, m.uid, m.flags, len(m.body), len(m.body), m.body)
}

// inSet reports whether a set of the wire holds n.
func inSet(set string, n int) bool {
	for part := range strings.SplitSeq(set, ",") {
		from, to, isRange := strings.Cut(part, ":")
		if !isRange {
			to = from
		}
		lo, _ := strconv.Atoi(from)
		hi, err := strconv.Atoi(to)
		if err != nil { // a star
			hi = 1 << 32
		}
		if lo <= n && n <= hi {
			return true
		}
	}
	return false
}

// optionsFor returns how to reach a test server.
func optionsFor(addr net.Addr) wire.Options {
	tcp := addr.(*net.TCPAddr)
	return wire.Options{
		Host:     tcp.IP.String(),
		Port:     tcp.Port,
		Security: wire.None,
		Login:    testLogin(),
	}
}

// open opens a session and ends it with the test.
func open(t testing.TB, s *Source) *Session {
	t.Helper()
	session, err := s.Open(context.Background())
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(session.Abort)
	return session
}

// inbox is the mailbox that most tests open.
func inbox() mail.Mailbox { return mail.Mailbox{Name: mail.Inbox, Wire: "INBOX"} }

// selectInbox opens a session and INBOX.
func selectInbox(t testing.TB, s *Source) (*Session, mail.Refs) {
	t.Helper()
	session := open(t, s)
	refs, _, err := session.Select(context.Background(), inbox())
	if err != nil {
		t.Fatalf("select: %v", err)
	}
	return session, refs
}
