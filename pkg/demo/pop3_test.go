package demo

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
)

// popClient speaks POP3 line by line, strictly.
type popClient struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func newPopClient(t *testing.T, conn net.Conn) *popClient {
	t.Helper()
	return &popClient{t: t, conn: conn, r: bufio.NewReader(conn)}
}

func popDial(t *testing.T, s *Server) *popClient {
	t.Helper()
	c := newPopClient(t, tls.Client(dial(t, s.POP3SAddr()), trust(t, s)))
	c.want("+OK")
	return c
}

func popSignIn(t *testing.T, s *Server) *popClient {
	t.Helper()
	c := popDial(t, s)
	c.do("USER "+Username, "+OK")
	c.do("PASS "+Password, "+OK")
	return c
}

func (c *popClient) send(line string) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.conn, "%s\r\n", line); err != nil {
		c.t.Fatal(err)
	}
}

// line reads up to CRLF, not up to a bare LF.
func (c *popClient) line() string {
	c.t.Helper()
	var line []byte
	for !bytes.HasSuffix(line, []byte("\r\n")) {
		more, err := c.r.ReadBytes('\n')
		line = append(line, more...)
		if err != nil {
			c.t.Fatalf("after %.60q: %v", line, err)
		}
	}
	return string(line[:len(line)-2])
}

func (c *popClient) want(prefix string) string {
	c.t.Helper()
	got := c.line()
	if !strings.HasPrefix(got, prefix) {
		c.t.Fatalf("got %q, want %s", got, prefix)
	}
	return got
}

func (c *popClient) do(command, prefix string) string {
	c.t.Helper()
	c.send(command)
	return c.want(prefix)
}

// body reads a multi-line answer up to its dot.
func (c *popClient) body() string {
	c.t.Helper()
	var b strings.Builder
	for {
		line := c.line()
		if line == "." {
			return b.String()
		}
		b.WriteString(strings.TrimPrefix(line, "."))
		b.WriteString("\r\n")
	}
}

func TestPOP3HandsOutEveryMessageByteForByte(t *testing.T) {
	t.Parallel()
	messages := slices.DeleteFunc(Messages(), func(m Message) bool { return m.Mailbox != "INBOX" })
	s := start(t, Options{Messages: messages})
	c := popSignIn(t, s)

	size := 0
	for _, m := range messages {
		size += len(POP3Body(m.Body))
	}
	c.do("STAT", fmt.Sprintf("+OK %d %d", len(messages), size))

	// All commands at once: PIPELINING.
	go func() {
		var commands strings.Builder
		for i := range messages {
			fmt.Fprintf(&commands, "RETR %d\r\n", i+1)
		}
		_, _ = c.conn.Write([]byte(commands.String())) // the reads below notice
	}()
	for i, m := range messages {
		c.want("+OK")
		if got := c.body(); got != string(POP3Body(m.Body)) {
			t.Errorf("message %d: got %d bytes, want %d: %.60q", i+1, len(got), len(POP3Body(m.Body)), m.Body)
		}
	}
	c.do("QUIT", "+OK")

	var total Traffic
	for _, m := range messages {
		total.add(true, len(m.Body))
	}
	if got := s.Served(); got != (Served{POP3: total}) {
		t.Errorf("served %+v, want %+v by POP3 alone", got, total)
	}
}

func TestPOP3BodyOnTheWire(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"":                   ".\r\n",
		".":                  "..\r\n.\r\n",
		"a\r\n.b\r\n":        "a\r\n..b\r\n.\r\n",
		"a\n.\nb\r\n":        "a\n.\nb\r\n.\r\n",
		"a\r.\r\n":           "a\r.\r\n.\r\n",
		"a\r\n.\r\n":         "a\r\n..\r\n.\r\n",
		"a\r":                "a\r\r\n.\r\n",
		"a\n":                "a\n\r\n.\r\n",
		"\r\n\r\n..\r\n\x00": "\r\n\r\n...\r\n\x00\r\n.\r\n",
	} {
		var got bytes.Buffer
		session := &pop3Session{w: bufio.NewWriter(&got)}
		session.send([]byte(body))
		_ = session.w.Flush()
		if got.String() != want {
			t.Errorf("%q: got %q, want %q", body, got.String(), want)
		}
	}
}

func TestPOP3ListsAndTops(t *testing.T) {
	t.Parallel()
	messages := []Message{
		{Body: []byte("A: 1\r\n\r\none\r\ntwo\r\n")},
		{Body: []byte("B: 2\r\n\r\n.dot")},
	}
	s := start(t, Options{Messages: messages})
	c := popSignIn(t, s)
	c.do("LIST", "+OK")
	if got, want := c.body(), "1 18\r\n2 14\r\n"; got != want {
		t.Errorf("LIST: got %q, want %q", got, want)
	}
	c.do("LIST 2", "+OK 2 14")
	c.do("UIDL", "+OK")
	uidls := c.body()
	first := strings.TrimPrefix(c.do("UIDL 1", "+OK 1 "), "+OK 1 ")
	if !strings.HasPrefix(uidls, "1 "+first+"\r\n2 ") || strings.Count(uidls, first) != 1 {
		t.Errorf("UIDL: got %q, want two different ids, %s first", uidls, first)
	}
	c.do("TOP 1 0", "+OK")
	if got, want := c.body(), "A: 1\r\n\r\n"; got != want {
		t.Errorf("TOP 1 0: got %q, want %q", got, want)
	}
	c.do("TOP 1 1", "+OK")
	if got, want := c.body(), "A: 1\r\n\r\none\r\n"; got != want {
		t.Errorf("TOP 1 1: got %q, want %q", got, want)
	}
	c.do("TOP 2 99", "+OK")
	if got, want := c.body(), "B: 2\r\n\r\n.dot\r\n"; got != want {
		t.Errorf("TOP 2 99: got %q, want %q", got, want)
	}
}

func TestPOP3UIDLsStayTheSame(t *testing.T) {
	t.Parallel()
	uidls := func(o Options) string {
		s := start(t, o)
		c := popSignIn(t, s)
		c.do("UIDL", "+OK")
		return c.body()
	}
	odd := Odd()
	all := uidls(Options{Messages: odd})
	if again := uidls(Options{Messages: odd}); again != all {
		t.Errorf("another server with the same messages: got %q, want %q", again, all)
	}
}

func TestPOP3DeletesOnlyAtQuit(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Messages: []Message{{Body: []byte("1")}, {Body: []byte("2")}, {Body: []byte("3")}}})
	c := popSignIn(t, s)
	c.do("DELE 2", "+OK")
	c.do("RETR 2", "-ERR")
	c.do("DELE 2", "-ERR")
	c.do("STAT", "+OK 2 6")
	c.do("RSET", "+OK")
	c.do("STAT", "+OK 3 9")
	c.do("DELE 1", "+OK")
	if err := c.conn.Close(); err != nil {
		t.Fatal(err)
	}

	c = popSignIn(t, s)
	c.do("STAT", "+OK 3 9")
	c.do("DELE 1", "+OK")
	c.do("DELE 3", "+OK")
	c.do("QUIT", "+OK")

	c = popSignIn(t, s)
	c.do("LIST", "+OK")
	if got, want := c.body(), "1 3\r\n"; got != want {
		t.Errorf("left %q, want %q", got, want)
	}
	s.Append(Message{Body: []byte("four")})
	c.do("STAT", "+OK 1 3") // the session's maildrop is the one it signed in to
	c.do("QUIT", "+OK")
	popSignIn(t, s).do("STAT", "+OK 2 9")
}

func TestPOP3STLS(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	conn := dial(t, s.POP3Addr())
	c := newPopClient(t, conn)
	c.want("+OK")
	c.do("CAPA", "+OK")
	if got := c.body(); !strings.Contains(got, "STLS\r\n") || !strings.Contains(got, "PIPELINING\r\n") {
		t.Errorf("CAPA: got %q, want STLS and PIPELINING", got)
	}
	c.do("STLS", "+OK")
	c = newPopClient(t, tls.Client(conn, trust(t, s)))
	c.do("CAPA", "+OK")
	if got := c.body(); strings.Contains(got, "STLS") {
		t.Errorf("CAPA inside TLS: got %q, want no STLS", got)
	}
	c.do("STLS", "-ERR")
	c.do("AUTH PLAIN AGRlbW8AZGVtby1wYXNzd29yZA==", "+OK")
}

func TestPOP3RefusesWhatFollowsSTLS(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	c := newPopClient(t, dial(t, s.POP3Addr()))
	c.want("+OK")
	c.send("STLS\r\nUSER injected")
	c.want("-ERR")
	if line, err := c.r.ReadString('\n'); err == nil {
		t.Errorf("got %q, want the end", line)
	}
}

func TestPOP3SignIn(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	c := popDial(t, s)
	c.do("STAT", "-ERR")
	c.do("PASS "+Password, "-ERR [AUTH]")
	c.do("USER "+Username, "+OK")
	c.do("PASS wrong", "-ERR [AUTH]")
	c.do("AUTH CRAM-MD5", "-ERR")
	c.do("AUTH PLAIN", "+ ")
	c.do("*", "-ERR")
	c.do("AUTH PLAIN", "+ ")
	c.do("!!!", "-ERR")
	c.do("AUTH PLAIN", "+ ")
	c.do("AGRlbW8AZGVtby1wYXNzd29yZA==", "+OK")
	c.do("USER again", "-ERR")
	c.do("NONSENSE", "-ERR")
	c.do("RETR 1", "-ERR")
	c.do("RETR x", "-ERR")
	c.do("TOP 1", "-ERR")
	c.do("NOOP", "+OK")
	c.do("quit", "+OK")
}

func TestPOP3EndsAnEndlessLine(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	c := popDial(t, s)
	go func() { _, _ = c.conn.Write(bytes.Repeat([]byte("x"), 1<<20)) }() // fails when the server hangs up
	if b, err := c.r.ReadByte(); err == nil {
		t.Errorf("got %q, want the end of the connection", b)
	}
}
