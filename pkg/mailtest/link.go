package mailtest

import (
	"bytes"
	"context"
	"net"
	"sync"
)

// Ending is how a connection ends that a Link cuts.
type Ending byte

// The endings.
const (
	EndEOF   Ending = iota + 1 // the server hangs up
	EndReset                   // ECONNRESET
	EndStall                   // no byte ever again, and no end
)

// String names the ending.
func (e Ending) String() string {
	return map[Ending]string{EndEOF: "eof", EndReset: "reset", EndStall: "stall"}[e]
}

// Link is a network between mailpull and one server, in memory: its Dial goes
// into wire.Options. Set the fields before the first Dial. The bytes of both
// directions are counted over all connections.
type Link struct {
	// Serve speaks with one client until the client or the server goes. It
	// runs in a goroutine of its own; Wait waits for all of them.
	Serve func(conn net.Conn)

	// CutAt ends the connection behind that many bytes from the server, in the
	// way of How. It happens once: what is dialled afterwards is whole. 0 never
	// cuts; a Link whose first byte must not come has CutFirst.
	CutAt    int64
	CutFirst bool
	How      Ending

	// Before, if not nil, is called before each operation of the client's
	// side: "dial", "read", "write", "close". Its error is the operation's.
	Before func(op string) error

	// Line, if not nil, makes the way to the client as slow as it says.
	Line *Line

	// Record keeps what the server heard, for Heard.
	Record bool

	servers sync.WaitGroup

	mu    sync.Mutex
	sent  int64 // bytes that reached, or will reach, the client
	cut   bool
	heard bytes.Buffer
	dials int
}

// Dial connects to the server. Its arguments are looked at by nobody.
func (l *Link) Dial(context.Context, string, string) (net.Conn, error) {
	if err := l.before("dial"); err != nil {
		return nil, err
	}
	client, server := Pipe()
	l.mu.Lock()
	l.dials++
	l.mu.Unlock()
	l.servers.Go(func() { // Wait waits for it
		end := &serverEnd{pipeEnd: server.(*pipeEnd), link: l}
		defer end.Close()
		l.Serve(end)
	})
	if l.Line != nil {
		client = l.Line.slow(client, l.servers.Go)
	}
	return &clientEnd{Conn: client, link: l}, nil
}

func (l *Link) before(op string) error {
	if l.Before == nil {
		return nil
	}
	return l.Before(op)
}

// Wait returns when every server has ended: each does when its client is gone.
func (l *Link) Wait() { l.servers.Wait() }

// Sent returns how many bytes the server has sent on all connections.
func (l *Link) Sent() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}

// Dials returns how many connections there were.
func (l *Link) Dials() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dials
}

// WasCut reports whether the connection was cut.
func (l *Link) WasCut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut
}

// Heard returns a copy of every byte that reached the server, as it was on the
// wire, if Record is set.
func (l *Link) Heard() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.heard.Bytes())
}

// Cut has the connection end behind the next n bytes from the server, for a
// test that knows the place only when it comes to it. It may be called at any
// time, and again after a cut.
func (l *Link) Cut(n int64, how Ending) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.CutAt, l.CutFirst, l.How, l.cut = l.sent+n, true, how, false
}

// Mend has no connection end any more that was not cut until now. What a client
// that is gone was still to get counts no more.
func (l *Link) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
}

// admit returns how many of n more bytes the client gets, and how the
// connection is cut behind them, 0 if it is not.
func (l *Link) admit(n int) (pass int, how Ending) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut || l.CutAt == 0 && !l.CutFirst || l.sent+int64(n) < l.CutAt {
		l.sent += int64(n)
		return n, 0
	}
	pass = int(l.CutAt - l.sent)
	l.sent = l.CutAt
	l.cut = true
	return pass, l.How
}

// clientEnd asks Before.
type clientEnd struct {
	net.Conn
	link *Link
}

// Read implements net.Conn.
func (c *clientEnd) Read(p []byte) (int, error) {
	if err := c.link.before("read"); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write implements net.Conn.
func (c *clientEnd) Write(p []byte) (int, error) {
	if err := c.link.before("write"); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close implements net.Conn. The connection is closed whatever Before says.
func (c *clientEnd) Close() error {
	err := c.link.before("close")
	if cerr := c.Conn.Close(); err == nil {
		err = cerr
	}
	return err
}

// serverEnd counts, records and cuts.
type serverEnd struct {
	*pipeEnd
	link  *Link
	ended Ending // how it was cut, or 0; it belongs to the server's goroutine
}

// Read implements net.Conn.
func (s *serverEnd) Read(p []byte) (int, error) {
	n, err := s.pipeEnd.Read(p)
	if s.link.Record {
		s.link.mu.Lock()
		s.link.heard.Write(p[:n])
		s.link.mu.Unlock()
	}
	return n, err
}

// Write implements net.Conn. A server whose connection stalls believes that
// all is well.
func (s *serverEnd) Write(p []byte) (int, error) {
	if s.ended == EndStall {
		return len(p), nil
	}
	pass, how := s.link.admit(len(p))
	if how == 0 {
		return s.pipeEnd.Write(p)
	}
	s.ended = how
	n, err := s.pipeEnd.Write(p[:pass])
	switch how {
	case EndReset:
		s.reset()
	case EndStall:
		return len(p), nil
	default:
		_ = s.pipeEnd.Close() // it only marks the end
	}
	if err == nil {
		err = net.ErrClosed
	}
	return n, err
}

// Close implements net.Conn. A stalled connection gives no sign of an end.
func (s *serverEnd) Close() error {
	if s.ended == EndStall {
		return nil
	}
	return s.pipeEnd.Close()
}
