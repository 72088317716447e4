package mailtest

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
)

// pop3Client speaks with a POP3Server over a pipe.
type pop3Client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// dialPOP3 connects to the server and reads its greeting. The test waits for
// the server's end.
func dialPOP3(t *testing.T, s *POP3Server) *pop3Client {
	t.Helper()
	near, far := net.Pipe()
	var serving sync.WaitGroup
	serving.Go(func() { s.Serve(far) })
	t.Cleanup(func() {
		_ = near.Close() // the server may have closed it first
		serving.Wait()
	})
	c := &pop3Client{t: t, conn: near, in: bufio.NewReader(near)}
	c.want("+OK ready")
	return c
}

// do sends lines in one write and checks the answers, line by line.
func (c *pop3Client) do(lines string, answers ...string) {
	c.t.Helper()
	var writing sync.WaitGroup
	writing.Go(func() { _, _ = io.WriteString(c.conn, lines+"\r\n") }) // the answers tell
	c.want(answers...)
	writing.Wait()
}

func (c *pop3Client) want(lines ...string) {
	c.t.Helper()
	for _, want := range lines {
		if got, err := c.in.ReadString('\n'); got != want+"\r\n" {
			c.t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
}

func (c *pop3Client) wantEnd() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.in); len(rest) > 0 || err != nil {
		c.t.Errorf("got %q, %v, want the end", rest, err)
	}
}

func TestPOP3ServerIsHonest(t *testing.T) {
	t.Parallel()
	s := &POP3Server{
		Username: "isp", Password: "correct horse",
		Messages: POP3Messages("A: 1\r\n\r\none\r\ntwo\r\n", ".x\r\n\r\n.\r\n..", ""),
	}
	c := dialPOP3(t, s)
	c.do("CAPA", "+OK", "SASL PLAIN", "USER", "UIDL", "PIPELINING", "TOP", ".")
	c.do("STAT", "-ERR sign in first")
	c.do("STLS", "-ERR no STLS")
	c.do("USER isp\r\nPASS wrong", "+OK", "-ERR [AUTH] wrong name or password")
	c.do("AUTH CRAM-MD5", "-ERR unknown mechanism")
	c.do("AUTH PLAIN\r\n!", "+ ", "-ERR not a PLAIN response")
	c.do("auth plain AGlzcABjb3JyZWN0IGhvcnNl", "+OK")
	c.do("STAT\r\nLIST\r\nUIDL", "+OK 3 31", "+OK", "1 18", "2 13", "3 0", ".", "+OK", "1 u1", "2 u2", "3 u3", ".")
	c.do("LIST 2\r\nUIDL 2\r\nUIDL 4", "+OK 2 13", "+OK 2 u2", "-ERR no such message")
	c.do("RETR 2\r\nRETR 3", "+OK", "..x", "", "..", "...", ".", "+OK", ".")
	c.do("TOP 1 0\r\nTOP 1 1\r\nTOP 1 x", "+OK", "A: 1", "", ".", "+OK", "A: 1", "", "one", ".", "-ERR how many lines?")
	c.do("NOOP\r\nXYZZY\r\nQUIT", "+OK", "-ERR unknown command", "+OK")
	c.wantEnd()
	if got, want := s.Heard("UIDL"), []string{"UIDL", "UIDL 2", "UIDL 4"}; !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
}

func TestPOP3ServerRemovesAtQuit(t *testing.T) {
	t.Parallel()
	s := &POP3Server{Messages: POP3Messages("1\r\n", "2\r\n", "3\r\n")}
	mark := func() *pop3Client {
		c := dialPOP3(t, s)
		c.do("USER a\r\nPASS b\r\nDELE 1\r\nRSET\r\nDELE 2", "+OK", "+OK", "+OK", "+OK", "+OK")
		c.do("DELE 2\r\nSTAT\r\nLIST", "-ERR no such message", "+OK 2 6", "+OK", "1 3", "3 3", ".")
		return c
	}
	_ = mark().conn.Close() // it cannot fail
	if got := s.Maildrop(); len(got) != 3 {
		t.Errorf("without QUIT: got %v", got)
	}
	c := mark()
	s.SetMessages(POP3Messages("1\r\n", "2\r\n", "3\r\n", "4\r\n")...)
	c.do("STAT\r\nQUIT", "+OK 2 6", "+OK")
	c.wantEnd()
	if got := s.Maildrop(); len(got) != 3 || got[1].UIDL != "u3" || got[2].UIDL != "u4" {
		t.Errorf("got %v", got)
	}
	if s.Sessions() != 2 {
		t.Errorf("got %d sessions", s.Sessions())
	}
}

func TestPOP3ServerTLS(t *testing.T) {
	t.Parallel()
	ca := NewCA(t)
	s := &POP3Server{TLS: ca.Good(t).ServerConfig()}
	c := dialPOP3(t, s)
	c.do("CAPA", "+OK", "SASL PLAIN", "USER", "UIDL", "PIPELINING", "TOP", "STLS", ".")
	c.do("STLS", "+OK")
	secure := tls.Client(c.conn, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"})
	c.conn, c.in = secure, bufio.NewReader(secure)
	c.do("CAPA", "+OK", "SASL PLAIN", "USER", "UIDL", "PIPELINING", "TOP", ".")
	c.do("STLS\r\nQUIT", "-ERR no STLS", "+OK")
}

// writes counts the writes of the server.
type writes struct {
	net.Conn
	n int
}

func (w *writes) Write(p []byte) (int, error) {
	w.n++
	return len(p), nil
}

func (w *writes) Close() error { return nil }

// commands is a connection on which the client has said all it will.
type commands struct {
	writes
	io.Reader
}

func (c *commands) Read(p []byte) (int, error) { return c.Reader.Read(p) }

func TestPOP3ServerAnswersInOneWrite(t *testing.T) {
	t.Parallel()
	conn := &commands{Reader: strings.NewReader("USER a\r\nPASS b\r\nSTAT\r\nRETR 1\r\nQUIT\r\n")}
	(&POP3Server{Messages: POP3Messages("1\r\n")}).Serve(conn)
	if conn.n != 2 {
		t.Errorf("%d writes, want the greeting and one", conn.n)
	}
}

func TestPOP3ServerDoesWhatItIsTold(t *testing.T) {
	t.Parallel()
	s := &POP3Server{Greeting: "+OK ready", On: func(c *POP3Talk, command string) bool {
		switch command {
		case "NOOP":
			c.Raw("before\r\n")
			c.Answer("USER a")
			c.Printf("session %d\r\n", c.Session)
		case "HELLO":
			c.SignIn()
			c.Raw("+OK [IN] come in\r\n")
		case "LEAVE":
			c.Raw("+OK half")
			c.HangUp()
		case "STALL":
			c.Raw("+OK\r\n")
			c.Stall()
		case "FLOOD":
			for c.Alive() {
				c.Raw("x\r\n")
			}
		default:
			return false
		}
		return true
	}}
	c := dialPOP3(t, s)
	c.do("NOOP", "before", "+OK", "session 1")
	c.do("AUTH PLAIN\r\nHELLO\r\nSTAT", "+ ", "+OK [IN] come in", "+OK 0 0")
	c.do("LEAVE")
	if rest, _ := io.ReadAll(c.in); string(rest) != "+OK half" {
		t.Errorf("got %q", rest)
	}
	c = dialPOP3(t, s)
	c.do("FLOOD", "x", "x")
	c = dialPOP3(t, s)
	c.do("STALL\r\nNOOP", "+OK") // and the cleanup hangs up
}
