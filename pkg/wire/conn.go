package wire

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Counters counts the bytes of one or many connections. It may be read at any
// time from any goroutine.
type Counters struct {
	In  atomic.Int64
	Out atomic.Int64
}

// errKicked says that a read was interrupted by kick. It is the one error
// that does not end the connection, and never leaves this package.
var errKicked = errors.New("the read was interrupted")

// Conn is a connection with deadlines of ours under it. A library above it
// may set deadlines as it likes: they are ignored. The first error, time-out
// or not, closes the connection for good and is what every later call
// returns.
//
// Read and Write may be called from two goroutines; the rest from any.
type Conn struct {
	net.Conn
	limits   Limits
	counters *Counters
	paces    []*Pace
	end      time.Time // of the session

	mu       sync.Mutex
	response time.Time     // when the response in hand must be complete; zero: none awaited
	left     time.Duration // of the time for it, while it is paused
	resting  bool          // nothing is due: a read may wait until the session ends
	kicked   bool          // reads return errKicked
	deflates bool          // what is written goes out as a deflate stream
	err      error         // the first one
}

// newConn puts conn under our limits. The session's time begins now.
func newConn(conn net.Conn, limits Limits, counters *Counters) *Conn {
	if counters == nil {
		counters = &Counters{}
	}
	return &Conn{Conn: conn, limits: limits, counters: counters, end: time.Now().Add(limits.Session)}
}

// Await says that a response is due: it must be complete, as told by Answered
// or by another Await, within the limit for one response. A read that waits
// already is held to the limits from now on.
func (c *Conn) Await() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = c.limits.Response
	c.response = time.Now().Add(c.left)
	if c.resting {
		c.resting = false
		_ = c.armRead() // the read that waits gives the error
	}
}

// pause stops the time for the response in hand, and proceed lets it go on: who
// does not read in between cannot blame the server for it.
func (c *Conn) pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.response.IsZero() {
		c.left = time.Until(c.response)
		c.response = time.Time{}
	}
}

// proceed lets the time go on that pause has stopped.
func (c *Conn) proceed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.response = time.Now().Add(c.left)
	c.resting = false
}

// Answered says that nothing is due from the server.
func (c *Conn) Answered() {
	c.mu.Lock()
	c.response = time.Time{}
	c.mu.Unlock()
}

// awaitBytes says that more of a literal is due: it may take as long as it
// likes, as long as bytes arrive.
func (c *Conn) awaitBytes() {
	c.mu.Lock()
	c.response = time.Time{}
	c.resting = false
	c.mu.Unlock()
}

// rest says that nothing is due and that somebody reads all the same, as
// go-imap does: silence is then no fault, until the next Await.
func (c *Conn) rest() {
	c.mu.Lock()
	c.response = time.Time{}
	c.left = c.limits.Response
	c.resting = true
	c.mu.Unlock()
}

// kick makes the read that waits, and every later one, return errKicked until
// unkick. No byte is lost by that, under TLS neither: crypto/tls keeps what
// it has of a record when a read times out.
func (c *Conn) kick() {
	c.mu.Lock()
	c.kicked = true
	_ = c.armRead() // the read that waits gives the error
	c.mu.Unlock()
}

func (c *Conn) unkick() {
	c.mu.Lock()
	c.kicked = false
	c.mu.Unlock()
}

// Read reads what is there, waiting no longer than the limits allow.
func (c *Conn) Read(p []byte) (int, error) {
	if err := c.beforeRead(); err != nil {
		return 0, err
	}
	for _, pace := range c.paces {
		p = p[:min(len(p), pace.most())]
	}
	n, err := c.Conn.Read(p)
	for _, pace := range c.paces {
		c.later(pace.took(n))
	}
	if total := c.counters.In.Add(int64(n)); err == nil && c.limits.Bytes > 0 && total > c.limits.Bytes {
		err = ErrTooMuch
	}
	if err != nil {
		return n, c.readFailed(err)
	}
	return n, nil
}

// later puts off when the response in hand is due: what we waited ourselves is
// not the server's fault.
func (c *Conn) later(d time.Duration) {
	if d <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.response.IsZero() {
		c.response = c.response.Add(d)
	}
}

// beforeRead sets the deadline under the lock, so that an Await of another
// goroutine comes before it or after it, but is never undone by it.
func (c *Conn) beforeRead() error {
	c.mu.Lock()
	if c.err == nil && c.kicked {
		c.mu.Unlock()
		return errKicked
	}
	err := c.err
	if err == nil {
		err = c.armRead()
	}
	c.mu.Unlock()
	if err != nil {
		return c.fail(err)
	}
	return nil
}

// readFailed ends the connection, unless the read was only kicked.
func (c *Conn) readFailed(err error) error {
	c.mu.Lock()
	kicked := c.kicked && c.err == nil && errors.Is(err, os.ErrDeadlineExceeded)
	c.mu.Unlock()
	if kicked {
		return errKicked
	}
	return c.fail(err)
}

// armRead sets the deadline of the read that waits or comes next. The lock is
// held.
func (c *Conn) armRead() error {
	deadline := c.end
	switch {
	case c.kicked:
		deadline = time.Unix(1, 0) // long ago
	case !c.resting:
		deadline = c.soonest()
	}
	return c.Conn.SetReadDeadline(deadline)
}

// Write writes all of p, waiting no longer than the limits allow.
func (c *Conn) Write(p []byte) (int, error) {
	deadline, err := c.deadline()
	if err != nil {
		return 0, err
	}
	if err := c.Conn.SetWriteDeadline(deadline); err != nil {
		return 0, c.fail(err)
	}
	n, err := c.Conn.Write(c.outgoing(p))
	c.counters.Out.Add(int64(n))
	if err != nil {
		return min(n, len(p)), c.fail(err)
	}
	return len(p), nil
}

// deadline returns when the next write must have moved its bytes.
func (c *Conn) deadline() (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return time.Time{}, c.err
	}
	return c.soonest(), nil
}

// soonest returns the first of the limits to be reached. The lock is held.
func (c *Conn) soonest() time.Time {
	deadline := time.Now().Add(c.limits.Idle)
	if !c.response.IsZero() && c.response.Before(deadline) {
		deadline = c.response
	}
	if c.end.Before(deadline) {
		deadline = c.end
	}
	return deadline
}

// Fail closes the connection with err as the reason that every later call
// gives, unless there was one before.
func (c *Conn) Fail(err error) { _ = c.fail(err) }

// fail keeps the first error and closes the connection: go-imap reads on after
// an error, and a second wait must not begin.
func (c *Conn) fail(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrTimeout
	}
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	err = c.err
	conn := c.Conn
	c.mu.Unlock()
	_ = conn.Close() // it is of no use any more, whatever closing says
	return err
}

// Err returns the error that ended the connection, or nil.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close closes the connection. It may be called any number of times.
func (c *Conn) Close() error {
	c.Fail(net.ErrClosed)
	return nil
}

// SetDeadline does nothing: the limits are ours.
func (c *Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing: the limits are ours.
func (c *Conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing: the limits are ours.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// CloseOn closes the connection when ctx ends, with ctx's cause as the reason,
// until stop is called.
func (c *Conn) CloseOn(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { c.Fail(context.Cause(ctx)) })
}
