package pop3

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

// cutConn ends the connection with an error after so many bytes were read.
type cutConn struct {
	net.Conn
	left int
	err  error
}

func (c *cutConn) Read(p []byte) (int, error) {
	if c.left == 0 {
		_ = c.Conn.Close() // the server's side ends, too
		return 0, c.err
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// whole runs a session from Open to Close.
func whole(ctx context.Context, source *Source, r mail.Receiver) error {
	s, err := source.Open(ctx)
	if err != nil {
		return err
	}
	defer s.Abort()
	refs, _, err := s.Select(ctx, mail.Mailbox{Name: mail.Inbox})
	if err != nil {
		return err
	}
	if err := s.Fetch(ctx, refs, r); err != nil {
		return err
	}
	return s.Close(ctx)
}

// sessionSize is how many bytes the server says in a whole session.
func sessionSize(t *testing.T, drop *maildrop) int {
	t.Helper()
	var counters wire.Counters
	source := drop.source(t, wire.Limits{})
	source.options.Wire.Counters = &counters
	if err := whole(t.Context(), source, newReceiver()); err != nil {
		t.Fatal(err)
	}
	return int(counters.In.Load())
}

// A connection that is cut after any byte, in two ways, never leaves a message
// settled with other bytes than the server's, and always a typed error.
// TestMain looks for goroutines that are left.
func TestCutAtEveryByte(t *testing.T) {
	t.Parallel()
	for _, serial := range []bool{false, true} {
		size := sessionSize(t, &maildrop{bodies: fourMessages(), serial: serial})
		for _, end := range []error{io.EOF, syscall.ECONNRESET} {
			for n := range size {
				cutAt(t, serial, n, end)
			}
		}
	}
}

func cutAt(t *testing.T, serial bool, n int, end error) {
	t.Helper()
	drop := &maildrop{bodies: fourMessages(), serial: serial}
	var server sync.WaitGroup
	source := drop.dialled(wire.Limits{}, func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		server.Go(func() { drop.serve(far) })
		return &cutConn{near, n, end}, nil
	})
	r := newReceiver()
	err := whole(t.Context(), source, r)
	server.Wait()

	var e *mail.Error
	if !errors.As(err, &e) || e.Scope != mail.ScopeAccount || e.Class != mail.ClassConnect {
		t.Errorf("cut at %d by %v: got %#v (%v)", n, end, e, err)
	}
	if errors.Is(err, io.EOF) {
		t.Errorf("cut at %d by %v: %v looks like an end", n, end, err)
	}
	for uidl, got := range r.settled {
		i := slices.Index([]mail.UIDL{"u1", "u2", "u3", "u4"}, uidl)
		if got.err != nil || got.body != fourMessages()[i] {
			t.Errorf("cut at %d by %v: %q was settled with %+v", n, end, uidl, got)
		}
	}
}

// stallConn says so many bytes and then nothing, and hears whatever comes.
type stallConn struct {
	net.Conn
	left int
}

func (c *stallConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p[:min(len(p), c.left)])
	c.left -= n
	if err == nil && n < len(p) {
		_, _ = io.Copy(io.Discard, c.Conn) // until the client hangs up
		err = io.ErrClosedPipe
	}
	return n, err
}

// A server that falls silent after any byte costs one time-out: that of an
// idle connection, or of the opening.
func TestStallAtEveryByte(t *testing.T) {
	t.Parallel()
	limits := wire.Limits{Open: 30 * time.Second, Idle: 20 * time.Second}
	for _, serial := range []bool{false, true} {
		size := sessionSize(t, &maildrop{bodies: fourMessages(), serial: serial})
		for n := range size {
			synctest.Test(t, func(t *testing.T) {
				drop := &maildrop{bodies: fourMessages(), serial: serial}
				drop.wrap = func(c net.Conn) net.Conn { return &stallConn{c, n} }
				begin := time.Now()
				err := whole(t.Context(), drop.source(t, limits), newReceiver())
				retry := mail.RetryLater
				if slices.Contains(drop.commands(), "RETR 1") && !slices.Contains(drop.commands(), "QUIT") {
					retry = mail.RetryNow // and in another way
				}
				wantError(t, err, mail.ScopeAccount, mail.ClassTimeout, retry)
				if took := time.Since(begin); took != limits.Idle {
					t.Errorf("silent after %d bytes: it took %v", n, took)
				}
			})
		}
	}
}

// slowConn says one byte a while.
type slowConn struct {
	net.Conn
	every time.Duration
}

func (c *slowConn) Write(p []byte) (int, error) {
	for i := range p {
		time.Sleep(c.every) // of the fake clock
		if _, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// A large body may take as long as it likes while it keeps coming; a session
// may not.
func TestSlowBodyIsNoFault(t *testing.T) {
	t.Parallel()
	for _, session := range []time.Duration{24 * time.Hour, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			drop := &maildrop{bodies: []string{strings.Repeat("x", 1000) + "\r\n"}}
			drop.wrap = func(c net.Conn) net.Conn { return &slowConn{c, 10 * time.Second} }
			limits := wire.Limits{Open: time.Hour, Session: session}
			r := newReceiver()
			err := whole(t.Context(), drop.source(t, limits), r)
			if session == time.Hour {
				wantError(t, err, mail.ScopeAccount, mail.ClassTimeout, mail.RetryNow)
				return
			}
			if err != nil || r.settled["u1"].body != drop.bodies[0] {
				t.Errorf("got %v, %d bytes", err, len(r.settled["u1"].body))
			}
		})
	}
}

// Cancelling any method ends it at once, with the cause.
func TestCancelled(t *testing.T) {
	t.Parallel()
	cause := errors.New("the daemon stops")
	for step, said := range map[string]string{
		"STAT": "", "UIDL": "+OK\r\n1 ha", "RETR 2": "+OK\r\nhalf a bo", "QUIT": "+O",
	} {
		synctest.Test(t, func(t *testing.T) {
			drop := &maildrop{bodies: fourMessages(), silent: step, answers: map[string]string{step: said}}
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(cause) })
			begin := time.Now()
			err := whole(ctx, drop.source(t, wire.Limits{}), newReceiver())
			if !errors.Is(err, cause) || mail.ErrorScope(err) != mail.ScopeAccount {
				t.Errorf("%s: got %v, want the cause", step, err)
			}
			if took := time.Since(begin); took != time.Second {
				t.Errorf("%s: it took %v", step, took)
			}
		})
	}
}
