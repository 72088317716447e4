package mailtest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
)

// IMAPTalk is one connection of an IMAPServer. Its methods belong to the
// connection's goroutine: to the function On.
type IMAPTalk struct {
	// SignedIn has the server take what only a signed-in client may say. A
	// function On that lets a client in by itself sets it.
	SignedIn bool

	server *IMAPServer
	conn   net.Conn
	lines  *bufio.Reader
	w      *bufio.Writer
	box    *IMAPBox // the selected mailbox as it was when it was selected
	gone   bool
}

// use speaks over conn from now on. What was read and not used is forgotten.
func (c *IMAPTalk) use(conn net.Conn) {
	c.conn = conn
	c.w = bufio.NewWriterSize(conn, 32<<10)
	c.lines = bufio.NewReader(flushFirst{c.w, conn})
}

// flushFirst sends what was written before it waits for more to read.
type flushFirst struct {
	w *bufio.Writer
	r io.Reader
}

// Read implements io.Reader.
func (f flushFirst) Read(p []byte) (int, error) {
	if err := f.w.Flush(); err != nil {
		return 0, err
	}
	return f.r.Read(p)
}

// Printf writes a line; its CRLF is added. It is sent when the server waits
// for the client again, at the latest.
func (c *IMAPTalk) Printf(format string, args ...any) { fmt.Fprintf(c.w, format+"\r\n", args...) }

// Raw writes bytes as they are.
func (c *IMAPTalk) Raw(data string) { _, _ = c.w.WriteString(data) } // Flush tells

// Flush sends what was written. A client that has gone is noticed when the
// server reads.
func (c *IMAPTalk) Flush() { _ = c.w.Flush() }

// Line reads what the client says next: a line without its end. It reports
// false when the client has gone.
func (c *IMAPTalk) Line() (string, bool) {
	line, err := c.lines.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err == nil
}

// HangUp sends what was written and closes the connection.
func (c *IMAPTalk) HangUp() {
	c.Flush()
	c.gone = true
	_ = c.conn.Close() // nobody is left to tell
}

// Stall sends what was written, and then nothing ever again, until the client
// goes.
func (c *IMAPTalk) Stall() {
	c.Flush()
	_, _ = io.Copy(io.Discard, c.lines) // it ends in whatever way the client goes
	c.gone = true
}

// Secure reports whether the connection is inside TLS.
func (c *IMAPTalk) Secure() bool {
	_, ok := c.conn.(*tls.Conn)
	return ok
}

// StartTLS sends what was written and goes on inside TLS. It hangs up when the
// client does not want to.
func (c *IMAPTalk) StartTLS() {
	c.Flush()
	conn := tls.Server(c.conn, c.server.TLS)
	if conn.Handshake() != nil {
		c.HangUp()
		return
	}
	c.use(conn)
}

// Compress sends what was written and goes on with a deflate stream (RFC 4978).
func (c *IMAPTalk) Compress() {
	c.Flush()
	conn := Deflated(c.conn, c.lines)
	c.use(conn)
}

// Quietly does what fn does and forgets what it writes: that is how a command
// has its effect on the server without its answer. Nothing may be waiting to be
// sent.
func (c *IMAPTalk) Quietly(fn func()) {
	w := c.w
	c.w = bufio.NewWriter(io.Discard)
	fn()
	c.w = w
}
