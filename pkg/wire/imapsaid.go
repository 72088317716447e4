package wire

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"

	"mailpull/pkg/signin"
)

// said keeps what a server said to people. Its methods may be called from any
// goroutine.
type said struct {
	mu          sync.Mutex
	log         *slog.Logger        // nil: nothing is logged yet
	credentials *signin.Credentials // nil until they are known
	last        string              // of the last BYE, ALERT or NO
	bye         *Status
}

// hide takes the password out of every text from now on.
func (s *said) hide(credentials *signin.Credentials) {
	s.mu.Lock()
	s.credentials = credentials
	s.mu.Unlock()
}

// tell logs alerts from now on. What came before TLS is nobody's word.
func (s *said) tell(log *slog.Logger) {
	s.mu.Lock()
	s.log = log
	s.mu.Unlock()
}

// clean makes a server's text safe to show: without the password first,
// because an escaped or shortened one would not be recognised.
func (s *said) clean(text []byte) string {
	s.mu.Lock()
	credentials := s.credentials
	s.mu.Unlock()
	text = bytes.TrimSpace(text)
	if credentials == nil {
		return Text(string(text))
	}
	return Text(credentials.Redact(string(text)))
}

// keep remembers a status that a person may want to read later.
func (s *said) keep(status Status) {
	bye := status.Condition == "BYE"
	if !bye && status.Condition != "NO" && status.Code != "ALERT" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log != nil && status.Code == "ALERT" {
		// RFC 9051 section 7.1: a person must get to see it.
		s.log.Warn("the server alerts", "text", status.Text)
	}
	if s.bye == nil || bye {
		s.last = status.Text
	}
	if bye {
		s.bye = &status
	}
}

// text returns what the server said last in a BYE, an ALERT or a NO. A BYE
// stays: it is why the connection ends.
func (s *said) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// forget drops every text: what came before TLS can be anybody's.
func (s *said) forget() {
	s.mu.Lock()
	s.last, s.bye = "", nil
	s.mu.Unlock()
}

// farewell returns the server's BYE, or nil.
func (s *said) farewell() *Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bye
}

// isPassing reports whether a refusal is one that waiting can cure: the codes
// of RFC 5530 and RFC 9738, and the words of servers that send none (Gmail,
// Exchange; 2026).
func isPassing(status Status) bool {
	switch status.Code {
	case "UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "THROTTLED", "OVERQUOTA":
		return true
	case "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED", "CONTACTADMIN":
		return false
	}
	text := strings.ToLower(status.Text)
	for _, word := range []string{
		"too many", "throttled", "rate limit", "not connected", "temporar", "bandwidth", "maximum number",
	} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}
