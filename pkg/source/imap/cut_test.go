package imap

import (
	"context"
	"net"
	"testing"

	"mailpull/pkg/mail"
)

// scissors cuts a connection after a number of bytes from the server.
type scissors struct {
	net.Conn
	left  int
	reset bool
	sent  int
}

func (s *scissors) Write(p []byte) (int, error) {
	if s.left >= 0 && len(p) > s.left {
		n, _ := s.Conn.Write(p[:s.left])
		if s.reset {
			_ = s.Conn.(*net.TCPConn).SetLinger(0) // closing resets
		}
		_ = s.Conn.Close()
		return n, net.ErrClosed
	}
	s.left -= len(p)
	s.sent += len(p)
	return s.Conn.Write(p)
}

// A session is cut behind each of its bytes. Whatever was settled well by then
// has the right bytes, and the error is one of the connection.
func TestFetchCutAnywhere(t *testing.T) {
	t.Parallel()
	p := &peer{caps: "ESEARCH", messages: sized(4, 120)}
	total, b, err := pullOnce(t, p, -1, false)
	if err != nil || len(b.whole) != 4 {
		t.Fatalf("uncut: %d messages, %v", len(b.whole), err)
	}
	for _, reset := range []bool{false, true} {
		for n := range total {
			_, b, err := pullOnce(t, p, n, reset)
			b.checkWhole(p.messages)
			if err == nil && n < total-len("T2 OK done\r\n") {
				t.Fatalf("cut behind byte %d of %d (reset: %v): no error", n, total, reset)
			}
			if err != nil && mail.ErrorScope(err) != mail.ScopeAccount {
				t.Fatalf("cut behind byte %d (reset: %v): %v has another scope", n, reset, err)
			}
			for uid, outcome := range b.failed {
				if mail.ErrorScope(outcome) != mail.ScopeMessage {
					t.Errorf("cut behind byte %d: uid %d settled with %v", n, uid, outcome)
				}
			}
		}
	}
}

// pullOnce fetches INBOX over a connection that is cut behind n bytes, if n is
// not negative, and returns how many bytes the server sent.
func pullOnce(t *testing.T, p *peer, n int, reset bool) (sent int, b *box, err error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan *scissors, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			served <- &scissors{}
			return
		}
		cut := &scissors{Conn: conn, left: n, reset: reset}
		p.serve(cut)
		served <- cut
	}()
	b = newBox(t)
	err = pullInbox(New(Options{Wire: optionsFor(l.Addr())}), b)
	_ = l.Close()
	return (<-served).sent, b, err
}

// pullInbox opens, selects, fetches and aborts.
func pullInbox(s *Source, b *box) error {
	ctx := context.Background()
	session, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer session.Abort()
	refs, _, err := session.Select(ctx, inbox())
	if err != nil {
		return err
	}
	return session.Fetch(ctx, refs, b)
}
