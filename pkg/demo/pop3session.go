package demo

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// pop3Idle is how long a session may say nothing (RFC 1939 section 3: at
// least ten minutes).
const pop3Idle = 10 * time.Minute

// pop3Line is the longest command line that is read. RFC 2449 section 4 asks
// for 255 octets; an initial response of AUTH can be longer.
const pop3Line = 4096

// pop3Session is one POP3 connection, served by one goroutine.
type pop3Session struct {
	server *pop3Server
	conn   net.Conn
	secure bool // inside TLS
	r      *bufio.Reader
	w      *bufio.Writer

	user     string // named by USER
	signedIn bool
	box      *mailbox
	drop     []*message // as it was at sign-in
	deleted  []bool     // by place in drop
	done     bool
}

func newPOP3Session(server *pop3Server, conn net.Conn, secure bool) *pop3Session {
	s := &pop3Session{server: server, secure: secure}
	if secure {
		conn = tls.Server(conn, server.config)
	}
	s.use(conn)
	return s
}

func (s *pop3Session) use(conn net.Conn) {
	s.conn = conn
	s.r = bufio.NewReaderSize(conn, pop3Line)
	s.w = bufio.NewWriterSize(conn, 64<<10)
}

// serve speaks until QUIT or until the connection ends. Leaving without QUIT
// deletes nothing (RFC 1939 section 6).
func (s *pop3Session) serve() {
	s.ok("POP3 server ready")
	for !s.done {
		line, err := s.readLine()
		if err != nil {
			return
		}
		verb, args, _ := strings.Cut(line, " ")
		s.command(strings.ToUpper(verb), args)
	}
	_ = s.w.Flush() // the client may be gone already
}

// readLine reads a command. Answers are sent before the session waits, and
// not sooner: a client that sends many commands at once gets its answers
// packed (RFC 2449 section 6.6).
func (s *pop3Session) readLine() (string, error) {
	if buffered, _ := s.r.Peek(s.r.Buffered()); !bytes.Contains(buffered, []byte{'\n'}) {
		if err := s.w.Flush(); err != nil {
			return "", err
		}
	}
	if err := s.conn.SetDeadline(time.Now().Add(pop3Idle)); err != nil {
		return "", err
	}
	line, err := s.r.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

// command answers one command in the state in which it is allowed.
func (s *pop3Session) command(verb, args string) {
	switch verb {
	case "CAPA":
		s.capa()
	case "QUIT":
		s.quit()
	case "STLS", "USER", "PASS", "AUTH":
		if s.signedIn {
			s.no("already signed in")
			return
		}
		s.authorization(verb, args)
	case "STAT", "LIST", "UIDL", "RETR", "TOP", "DELE", "RSET", "NOOP":
		if !s.signedIn {
			s.no("sign in first")
			return
		}
		s.transaction(verb, args)
	default:
		s.no("unknown command")
	}
}

func (s *pop3Session) authorization(verb, args string) {
	switch verb {
	case "STLS":
		s.startTLS()
	case "USER":
		s.user = args
		s.ok("now the password")
	case "PASS":
		s.signIn(s.user, args)
	case "AUTH":
		s.auth(args)
	}
}

func (s *pop3Session) transaction(verb, args string) {
	switch verb {
	case "STAT":
		s.stat()
	case "LIST":
		s.list(args, func(m *message) string { return strconv.Itoa(pop3Size(m.body)) })
	case "UIDL":
		s.list(args, func(m *message) string { return fmt.Sprintf("%08x%08x", s.box.validity, m.uid) })
	case "RETR":
		s.retr(args)
	case "TOP":
		s.top(args)
	case "DELE":
		s.dele(args)
	case "RSET":
		clear(s.deleted)
		s.ok("nothing is marked")
	case "NOOP":
		s.ok("")
	}
}

// capa lists the capabilities (RFC 2449 section 5).
func (s *pop3Session) capa() {
	s.ok("capabilities follow")
	list := []string{
		"TOP", "UIDL", "USER", "SASL PLAIN", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE", "EXPIRE NEVER",
	}
	if !s.secure && !s.signedIn {
		list = append(list, "STLS")
	}
	for _, c := range list {
		s.printf("%s\r\n", c)
	}
	s.printf(".\r\n")
}

// startTLS goes over to TLS (RFC 2595 section 4). What the client sent after
// the command in the clear could come from somebody else, so it ends the
// session.
func (s *pop3Session) startTLS() {
	if s.secure {
		s.no("this is TLS already")
		return
	}
	if s.r.Buffered() > 0 {
		s.no("nothing may follow STLS before the handshake")
		s.done = true
		return
	}
	s.ok("begin TLS")
	if s.w.Flush() != nil {
		s.done = true
		return
	}
	s.secure, s.user = true, ""
	s.use(tls.Server(s.conn, s.server.config))
}

func (s *pop3Session) ok(text string) { s.printf("%s\r\n", strings.TrimRight("+OK "+text, " ")) }

func (s *pop3Session) no(text string) { s.printf("-ERR %s\r\n", text) }

// printf writes into the buffer; an error comes back from the next Flush.
func (s *pop3Session) printf(format string, args ...any) { _, _ = fmt.Fprintf(s.w, format, args...) }
