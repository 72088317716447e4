package mailtest

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
)

// POP3Server is a POP3 server in memory that does what a test tells it. It is
// honest where the test says nothing: RFC 1939 with CAPA and PIPELINING (RFC
// 2449), STLS (RFC 2595) and AUTH PLAIN (RFC 5034). The same session gives the
// same bytes.
//
// The fields are set before the first Serve and stay as they are; SetMessages
// changes the maildrop later. There is no lock on the maildrop: a session works
// on the messages that were there when it signed in, so a client that was cut
// off can come back at once.
type POP3Server struct {
	// Caps are the lines of the answer to CAPA; nil means what the server
	// can do, with STLS where there is a TLS and the connection is plain.
	Caps []string

	// Greeting is the first line; empty means "+OK ready".
	Greeting string

	// Messages are the maildrop.
	Messages []POP3Message

	// TLS is what STLS goes over to; nil means that there is none. For TLS
	// from the first byte the test gives Serve a *tls.Conn.
	TLS *tls.Config

	// Username and Password open the maildrop; without a Username everybody
	// is let in.
	Username, Password string

	// On, if it is set, sees each line of the client first, the response
	// that follows AUTH PLAIN among them. It returns true when it has
	// answered. The empty command stands for the greeting.
	On func(c *POP3Talk, command string) bool

	mu       sync.Mutex
	heard    []string
	sessions int
}

// POP3Message is a message of a POP3Server.
type POP3Message struct {
	UIDL string
	Body string
}

// POP3Messages gives bodies the unique-ids u1, u2 and so on.
func POP3Messages(bodies ...string) []POP3Message {
	messages := make([]POP3Message, len(bodies))
	for i, body := range bodies {
		messages[i] = POP3Message{UIDL: fmt.Sprintf("u%d", i+1), Body: body}
	}
	return messages
}

// Serve speaks with one client until it says QUIT or is gone, or until On hangs
// up, and closes the connection. It needs no goroutine beside its own.
func (s *POP3Server) Serve(conn net.Conn) {
	s.mu.Lock()
	s.sessions++
	c := &POP3Talk{Session: s.sessions, server: s}
	s.mu.Unlock()
	c.use(conn)
	c.serve()
}

// Heard returns the lines of all clients that begin with prefix, in their
// order.
func (s *POP3Server) Heard(prefix string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var heard []string
	for _, line := range s.heard {
		if strings.HasPrefix(line, prefix) {
			heard = append(heard, line)
		}
	}
	return heard
}

// Sessions returns how many clients there were.
func (s *POP3Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions
}

// Maildrop returns the messages that are there now.
func (s *POP3Server) Maildrop() []POP3Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.Messages)
}

// SetMessages changes the maildrop for the sessions that sign in from now on.
func (s *POP3Server) SetMessages(messages ...POP3Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Messages = slices.Clone(messages)
}

// remove takes messages out of the maildrop.
func (s *POP3Server) remove(gone []POP3Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := slices.Clone(s.Messages)
	for _, m := range gone {
		if i := slices.Index(left, m); i >= 0 {
			left = slices.Delete(left, i, i+1)
		}
	}
	s.Messages = left
}

func (s *POP3Server) hear(line string) {
	s.mu.Lock()
	s.heard = append(s.heard, line)
	s.mu.Unlock()
}
