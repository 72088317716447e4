package mailtest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
)

// POP3Talk is the server's side of one connection. A hook speaks through it,
// from the hook's own goroutine. Writing has no errors: when the client is
// gone, the session ends at the next flush.
type POP3Talk struct {
	// Session counts the server's connections from 1.
	Session int

	server *POP3Server
	conn   net.Conn
	in     *bufio.Reader
	out    *bufio.Writer
	done   bool

	secure   bool
	user     string
	asked    bool // AUTH PLAIN wants its response in the next line
	response bool // the line in hand is that response
	signedIn bool
	drop     []POP3Message // as it was at sign-in
	marked   []bool        // by place in drop
}

// Printf writes formatted text; line ends are the caller's.
func (c *POP3Talk) Printf(format string, args ...any) { _, _ = fmt.Fprintf(c.out, format, args...) }

// Raw writes text as it is.
func (c *POP3Talk) Raw(text string) { _, _ = c.out.WriteString(text) }

// Flush sends what was written.
func (c *POP3Talk) Flush() {
	if c.out.Flush() != nil {
		c.done = true
	}
}

// Await sends what was written and waits until the client says more.
func (c *POP3Talk) Await() {
	c.Flush()
	_, _ = c.in.Peek(1) // the next line tells of an end
}

// HangUp sends what was written and ends the session.
func (c *POP3Talk) HangUp() {
	c.Flush()
	c.done = true
}

// Stall sends what was written, and nothing more: it waits until the client
// hangs up.
func (c *POP3Talk) Stall() {
	c.HangUp()
	_, _ = io.Copy(io.Discard, c.in) // it has no other end than the client's
}

// StartTLS sends what was written and goes over to the server's TLS. What the
// client sent in the clear behind its command is lost with the plain reader.
func (c *POP3Talk) StartTLS() {
	c.Flush()
	c.use(tls.Server(c.conn, c.server.TLS))
}

// SignIn opens the maildrop as it is now, and says nothing.
func (c *POP3Talk) SignIn() {
	c.signedIn = true
	c.drop = c.server.Maildrop()
	c.marked = make([]bool, len(c.drop))
}

// Alive reports whether the client took everything until now. A hook that
// writes without end asks for it.
func (c *POP3Talk) Alive() bool {
	c.Flush()
	return !c.done
}

// Answer gives the honest answer to a line of the client, so that a hook can
// say something before or behind it.
func (c *POP3Talk) Answer(command string) {
	if command == "" {
		greeting := c.server.Greeting
		if greeting == "" {
			greeting = "+OK ready"
		}
		c.Printf("%s\r\n", greeting)
		return
	}
	if c.response {
		c.plain(command)
		return
	}
	verb, args, _ := strings.Cut(command, " ")
	c.command(strings.ToUpper(verb), args)
}

func (c *POP3Talk) use(conn net.Conn) {
	_, c.secure = conn.(*tls.Conn)
	c.conn = conn
	c.in = bufio.NewReader(conn)
	c.out = bufio.NewWriterSize(conn, 32<<10)
}

// serve answers line by line until the session is done.
func (c *POP3Talk) serve() {
	defer func() { _ = c.conn.Close() }() // the client may have closed it first
	c.hook("")
	for !c.done {
		line, err := c.readLine()
		if err != nil {
			return
		}
		c.server.hear(line)
		c.hook(line)
	}
	c.Flush()
}

func (c *POP3Talk) hook(line string) {
	c.response, c.asked = c.asked, false
	if c.server.On == nil || !c.server.On(c, line) {
		c.Answer(line)
	}
}

// readLine reads a line. Answers are sent before the session waits and not
// sooner, so that commands that came together are answered together.
func (c *POP3Talk) readLine() (string, error) {
	if buffered, _ := c.in.Peek(c.in.Buffered()); bytes.IndexByte(buffered, '\n') < 0 {
		if err := c.out.Flush(); err != nil {
			return "", err
		}
	}
	line, err := c.in.ReadString('\n')
	if err != nil {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}
