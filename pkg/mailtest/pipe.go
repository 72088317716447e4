package mailtest

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// window is how many bytes wait in one direction of a Pipe before its writer
// has to wait: about what a socket holds.
const window = 256 << 10

// Pipe returns the two ends of a connection in memory. Other than with
// net.Pipe a write does not wait for the reader until a window is full, as on
// a network, so both sides may write at the same time. Both ends say that they
// are on this machine. They keep deadlines, and work in a bubble of
// testing/synctest.
func Pipe() (client, server net.Conn) {
	up, down := newStream(), newStream()
	return &pipeEnd{in: down, out: up, port: 1}, &pipeEnd{in: up, out: down, port: 2}
}

// pipeEnd is one end of a Pipe.
type pipeEnd struct {
	in, out *stream
	port    int
}

// Read implements net.Conn.
func (e *pipeEnd) Read(p []byte) (int, error) { return e.in.read(p) }

// Write implements net.Conn.
func (e *pipeEnd) Write(p []byte) (int, error) { return e.out.write(p) }

// Close implements net.Conn: the other end reads what is there, and then
// io.EOF.
func (e *pipeEnd) Close() error {
	e.out.end(io.EOF)
	e.in.abandon(net.ErrClosed)
	return nil
}

// reset ends both directions as a RST does: the other end reads what is there,
// and then fails, and so do its writes.
func (e *pipeEnd) reset() {
	e.out.end(syscall.ECONNRESET)
	e.in.abandon(syscall.ECONNRESET)
}

// LocalAddr implements net.Conn.
func (e *pipeEnd) LocalAddr() net.Addr { return loopback(e.port) }

// RemoteAddr implements net.Conn.
func (e *pipeEnd) RemoteAddr() net.Addr { return loopback(3 - e.port) }

func loopback(port int) net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }

// SetDeadline implements net.Conn.
func (e *pipeEnd) SetDeadline(t time.Time) error {
	e.in.readBy.set(e.in, t)
	e.out.writeBy.set(e.out, t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (e *pipeEnd) SetReadDeadline(t time.Time) error { e.in.readBy.set(e.in, t); return nil }

// SetWriteDeadline implements net.Conn.
func (e *pipeEnd) SetWriteDeadline(t time.Time) error { e.out.writeBy.set(e.out, t); return nil }

// stream is one direction.
type stream struct {
	mu      sync.Mutex
	changed sync.Cond
	buf     []byte
	ended   error // what the reader gets behind the last byte
	gone    error // the reader is gone: what a write gives
	readBy  deadline
	writeBy deadline
}

func newStream() *stream {
	s := &stream{}
	s.changed.L = &s.mu
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.gone != nil:
			return 0, s.gone
		case s.readBy.passed:
			return 0, os.ErrDeadlineExceeded
		case len(s.buf) > 0:
			n := copy(p, s.buf)
			s.buf = s.buf[n:]
			s.changed.Broadcast()
			return n, nil
		case s.ended != nil:
			return 0, s.ended
		}
		s.changed.Wait()
	}
}

func (s *stream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.gone != nil:
			return n, writeError(s.gone)
		case s.ended != nil:
			return n, net.ErrClosed
		case s.writeBy.passed:
			return n, os.ErrDeadlineExceeded
		case len(p) == n:
			return n, nil
		case len(s.buf) < window:
			more := min(window-len(s.buf), len(p)-n)
			s.buf = append(s.buf, p[n:n+more]...)
			n += more
			s.changed.Broadcast()
			continue
		}
		s.changed.Wait()
	}
}

// writeError is what a write gives whose reader is gone.
func writeError(gone error) error {
	if errors.Is(gone, net.ErrClosed) {
		return syscall.EPIPE
	}
	return gone
}

// end says that the writer writes no more.
func (s *stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil {
		s.ended = err
	}
	s.changed.Broadcast()
}

// abandon says that the reader reads no more.
func (s *stream) abandon(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone == nil {
		s.gone = err
	}
	s.buf = nil
	s.changed.Broadcast()
}

// deadline is the time by which one side of a stream must be done. The
// stream's lock guards it.
type deadline struct {
	passed bool
	timer  *time.Timer
	number int // of the last call of set: a timer of an earlier one does nothing
}

func (d *deadline) set(s *stream, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.number++
	d.passed = false
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.passed = true
		s.changed.Broadcast()
		return
	}
	number := d.number
	d.timer = time.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if d.number == number {
			d.passed = true
			s.changed.Broadcast()
		}
	})
}
