package wire

import (
	"bytes"
	"fmt"
	"strings"
)

// POP3Code is the response code that stands in brackets at the beginning of
// an answer's text (RFC 2449 section 8).
type POP3Code string

// The response codes that mean something to us; any other is read as none.
const (
	POP3InUse      POP3Code = "IN-USE"      // RFC 2449 section 8.1.1
	POP3LoginDelay POP3Code = "LOGIN-DELAY" // RFC 2449 section 8.1.2
	POP3SysTemp    POP3Code = "SYS/TEMP"    // RFC 3206 section 4
	POP3SysPerm    POP3Code = "SYS/PERM"    // RFC 3206 section 4
	POP3Auth       POP3Code = "AUTH"        // RFC 3206 section 5
)

// POP3Reply is the first line of an answer.
type POP3Reply struct {
	// OK tells +OK from -ERR.
	OK bool

	// Code is empty when there is none, or none that we know.
	Code POP3Code

	// Text is what follows, with the code. From a Turn it is safe to print.
	Text string
}

// Error returns the refusal for a person to read.
func (r POP3Reply) Error() string {
	if r.Text == "" {
		return "the server said no"
	}
	return fmt.Sprintf("the server said %q", r.Text)
}

// Passing reports whether a refusal is one that waiting can cure: by its code,
// or by its words where it has none.
func (r POP3Reply) Passing() bool {
	switch r.Code {
	case POP3InUse, POP3LoginDelay, POP3SysTemp:
		return !r.OK
	case POP3SysPerm, POP3Auth:
		return false
	}
	return !r.OK && (isLocked(r.Text) || isPassing(r.Text))
}

// parsePOP3Reply reads a status line without its CRLF. The indicator is in
// upper case and ends at a space or at the end of the line (RFC 1939 section
// 3). Everything else is an error, an empty line above all: go-pop3 takes that
// for success.
func parsePOP3Reply(line []byte) (POP3Reply, error) {
	var reply POP3Reply
	rest, ok := bytes.CutPrefix(line, []byte("+OK"))
	reply.OK = ok
	if !ok {
		rest, ok = bytes.CutPrefix(line, []byte("-ERR"))
	}
	if !ok || len(rest) > 0 && rest[0] != ' ' {
		return POP3Reply{}, fmt.Errorf("%w: an answer is neither +OK nor -ERR", ErrProtocol)
	}
	reply.Text = strings.TrimSpace(string(rest))
	reply.Code = parsePOP3Code(reply.Text)
	return reply, nil
}

// parsePOP3Code returns the known code that text begins with. A level below a
// known code means what the known code means (RFC 2449 section 8).
func parsePOP3Code(text string) POP3Code {
	inside, ok := strings.CutPrefix(text, "[")
	if !ok {
		return ""
	}
	inside, _, ok = strings.Cut(inside, "]")
	if !ok {
		return ""
	}
	inside = strings.ToUpper(inside)
	for _, code := range []POP3Code{POP3InUse, POP3LoginDelay, POP3SysTemp, POP3SysPerm, POP3Auth} {
		if inside == string(code) || strings.HasPrefix(inside, string(code)+"/") {
			return code
		}
	}
	return ""
}
