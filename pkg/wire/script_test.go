package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"mailpull/pkg/mailtest"
	"mailpull/pkg/secret"
	"mailpull/pkg/signin"
)

const (
	testHost     = "imap.example.com"
	testUser     = "work"
	testPassword = "s3cret-pass phrase"
)

// script is a server that says and hears what a test tells it.
type script struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
	tag  string // of the last command

	mu    sync.Mutex
	heard bytes.Buffer // every byte the client sent, in plain text
}

// serve returns options that connect to a server which runs play. When play
// returns, the server hangs up, unless it stalls. The test waits for it.
func serve(t testing.TB, play func(s *script)) (Options, *script) {
	t.Helper()
	near, pipe := net.Pipe()
	far := newBuffered(pipe)
	s := &script{t: t, conn: far}
	done := make(chan struct{})
	started := false
	t.Cleanup(func() {
		_ = near.Close()
		_ = far.Close()
		if started {
			<-done
		}
	})
	o := Options{
		Host: testHost, Security: None, AllowPlaintext: true,
		Login: signin.Login{Username: testUser, Password: func(context.Context) (secret.String, error) {
			return secret.New(testPassword), nil
		}},
		Dial: func(context.Context, string, string) (net.Conn, error) {
			started = true
			s.in = bufio.NewReader(s)
			go func() { // the cleanup waits for it
				defer close(done)
				defer func() { _ = s.conn.Close() }()
				play(s)
			}()
			return near, nil
		},
	}
	return o, s
}

// Read keeps what it reads for the transcript.
func (s *script) Read(p []byte) (int, error) {
	n, err := s.conn.Read(p)
	s.mu.Lock()
	s.heard.Write(p[:n])
	s.mu.Unlock()
	return n, err
}

// transcript returns all that the client sent.
func (s *script) transcript() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard.String()
}

// say sends lines; "$" becomes the last command's tag.
func (s *script) say(lines ...string) {
	for _, line := range lines {
		if strings.HasPrefix(line, "$ ") {
			line = s.tag + line[1:]
		}
		s.raw(line + "\r\n")
	}
}

func (s *script) raw(text string) {
	if _, err := io.WriteString(s.conn, text); err != nil {
		s.t.Logf("server: cannot send %.60q: %v", text, err)
	}
}

// line reads a line without its end; "" when the client hung up.
func (s *script) line() string {
	line, err := s.in.ReadString('\n')
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(line, "\r\n")
}

// want reads a command and checks what stands behind its tag.
func (s *script) want(command string) {
	s.t.Helper()
	tag, rest, _ := strings.Cut(s.line(), " ")
	s.tag = tag
	if rest != command {
		s.t.Errorf("server: got %q, want %q", rest, command)
	}
}

// stall keeps the connection open and silent until the client hangs up.
func (s *script) stall() { _, _ = io.Copy(io.Discard, s) }

// tls starts the server's side of TLS.
func (s *script) tls(config *tls.Config) bool {
	conn := tls.Server(s.conn, config)
	if err := conn.Handshake(); err != nil {
		return false
	}
	s.conn = conn
	s.in = bufio.NewReader(s)
	return true
}

// buffered is one end of a pipe whose writes do not wait for the other end, as
// on a network: with a bare pipe both sides can write and wait for ever.
type buffered struct {
	net.Conn
	mu     sync.Mutex
	chunks chan []byte
	closed bool
	done   chan struct{}
}

func newBuffered(conn net.Conn) *buffered {
	b := &buffered{Conn: conn, chunks: make(chan []byte, 1<<14), done: make(chan struct{})}
	go func() { // Close waits for it
		defer close(b.done)
		for chunk := range b.chunks {
			_, _ = conn.Write(chunk) // it fails when the client hung up
		}
	}()
	return b
}

func (b *buffered) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, net.ErrClosed
	}
	b.chunks <- bytes.Clone(p)
	return len(p), nil
}

// Close hangs up once all was written.
func (b *buffered) Close() error {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.chunks)
	}
	b.mu.Unlock()
	<-b.done
	return b.Conn.Close()
}

// config returns a server's configuration with a certificate for testHost, or
// what change makes of it.
func config(t testing.TB, ca *mailtest.CA, change func(*x509.Certificate)) *tls.Config {
	t.Helper()
	return ca.Issue(t, nil, func(c *x509.Certificate) {
		c.DNSNames, c.IPAddresses = []string{testHost}, nil
		if change != nil {
			change(c)
		}
	}).ServerConfig()
}
