package demo

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a server for the length of a test.
func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// trust returns a client's TLS configuration that trusts nothing but the
// server's ca_file.
func trust(t *testing.T, s *Server) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.CAFile()) {
		t.Fatal("the ca_file holds no certificate")
	}
	return &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
}

// dial connects and gives up after a while rather than hang.
func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestMessagesAreTheSameEveryTime(t *testing.T) {
	t.Parallel()
	first, second := Messages(), Messages()
	if len(first) != len(second) {
		t.Fatalf("got %d messages, then %d", len(first), len(second))
	}
	for i := range first {
		a, b := first[i], second[i]
		if a.Mailbox != b.Mailbox || !bytes.Equal(a.Body, b.Body) || !slices.Equal(a.Flags, b.Flags) || !a.Date.Equal(b.Date) {
			t.Fatalf("message %d differs between two calls", i)
		}
	}
}

func TestMessagesHoldWhatTheySay(t *testing.T) {
	t.Parallel()
	count, flags := map[string]int{}, map[string]int{}
	large, years := 0, map[int]bool{}
	for _, m := range Messages() {
		count[m.Mailbox]++
		years[m.Date.Year()] = true
		if len(m.Flags) == 0 {
			flags["none"]++
		}
		for _, f := range m.Flags {
			flags[f]++
		}
		if len(m.Body) >= largeSize {
			large++
		}
		if m.Date.Nanosecond() != 0 {
			t.Errorf("%v: a date of INTERNALDATE has whole seconds", m.Date)
		}
	}
	if want := 120 + len(Odd()) + 1; count["INBOX"] != want {
		t.Errorf("INBOX: got %d messages, want %d", count["INBOX"], want)
	}
	for _, box := range []string{"Work", "Work/2024", "Entwürfe", "日本語", "Sent", "Junk"} {
		if count[box] == 0 {
			t.Errorf("%q is empty", box)
		}
	}
	for _, f := range []string{`\Seen`, `\Answered`, `\Flagged`, `\Draft`, "none"} {
		if flags[f] == 0 {
			t.Errorf("no message with flags %s", f)
		}
	}
	if large != 1 || len(years) < 5 {
		t.Errorf("got %d large messages over %d years, want 1 over 5 or more", large, len(years))
	}
}

func TestCloseEndsOpenConnections(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	for _, addr := range []string{s.IMAPAddr(), s.IMAPSAddr(), s.POP3Addr(), s.POP3SAddr()} {
		conn := dial(t, addr)
		defer func() {
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s is still open", addr)
			}
		}()
	}
	// One connection in the middle of a session too, its greeting read.
	conn := dial(t, s.IMAPAddr())
	if _, err := conn.Read(make([]byte, 512)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", s.IMAPAddr()); err == nil {
		t.Error("the listener still accepts")
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}
