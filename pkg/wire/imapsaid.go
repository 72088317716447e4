package wire

import (
	"bytes"
	"log/slog"
	"sync"

	"mailpull/pkg/signin"
)

// said keeps what a server said to people. Its methods may be called from any
// goroutine.
type said struct {
	credentials *signin.Credentials // taken out of every text; nil: nothing is

	mu       sync.Mutex
	warnings *Warnings // nil: nothing is logged yet
	last     string    // of the last BYE, ALERT or NO
	bye      *Status
}

// tell logs alerts from now on. What came before TLS is nobody's word.
func (s *said) tell(log *slog.Logger) {
	s.mu.Lock()
	s.warnings = NewWarnings(log)
	s.mu.Unlock()
}

// sum ends what is told for the session.
func (s *said) sum() {
	s.mu.Lock()
	warnings := s.warnings
	s.mu.Unlock()
	if warnings != nil {
		warnings.Sum()
	}
}

// redact takes the password out of a text.
func (s *said) redact(text string) string {
	if s.credentials == nil {
		return text
	}
	return s.credentials.Redact(text)
}

// clean makes a server's text safe to show: without the password first,
// because an escaped or shortened one would not be recognised.
func (s *said) clean(text []byte) string {
	return Text(s.redact(string(bytes.TrimSpace(text))))
}

// keep remembers a status that a person may want to read later.
func (s *said) keep(status Status) {
	bye := status.Condition == "BYE"
	if !bye && status.Condition != "NO" && status.Code != "ALERT" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.warnings != nil && status.Code == "ALERT" {
		// RFC 9051 section 7.1: a person must get to see it.
		s.warnings.Warn("the server alerts", "text", status.Text)
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

// throttles reports whether a status asks us to come back later.
func (s Status) throttles() bool {
	switch s.Code {
	case "INUSE", "LIMIT", "THROTTLED", "OVERQUOTA":
		return true
	}
	return SaysThrottled(s.Text)
}

// passes reports whether the refusal of a sign-in is one that waiting can
// cure: the codes of RFC 5530 and RFC 9738, and the words of servers that send
// none.
func (s Status) passes() bool {
	switch s.Code {
	case "UNAVAILABLE", "SERVERBUG":
		return true
	case "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED":
		return false
	}
	return s.throttles() || isPassing(s.Text)
}
