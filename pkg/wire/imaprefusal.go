package wire

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"mailpull/pkg/mail"
)

// Reasons to give up a connection that was to become encrypted.
var (
	errNoStartTLS = errors.New("the server does not do STARTTLS")
	errPreauth    = errors.New("the server calls us signed in on a connection that is not encrypted")
	errInjected   = fmt.Errorf("%w: plain text behind the answer that agrees to TLS", ErrProtocol)
)

// refusal is a server's NO, BAD or BYE as an error.
type refusal struct{ status Status }

func (r *refusal) Error() string { return `the server said "` + r.status.String() + `"` }

// classify makes the refusal of a step an error of the given class, unless it
// is one that will pass by itself.
func (r *refusal) classify(op string, class mail.Class, retry mail.Retry) *mail.Error {
	e := &mail.Error{Op: op, Scope: mail.ScopeAccount, Class: class, Retry: retry, After: SaidDelay(r.status.Text), Err: r}
	switch {
	case class == mail.ClassAuth && r.status.passes(), class != mail.ClassAuth && r.status.throttles():
		e.Class, e.Retry = mail.ClassThrottled, mail.RetryLater
		e.Hint = "the server asks to wait; run again later"
	case r.status.Code == "CONTACTADMIN": // RFC 5530 section 3
		e.Hint = "the server says that only whoever runs it can help; ask them"
	case class == mail.ClassAuth:
		e.Hint = "check username and password; many providers want an app password instead of the usual one"
	}
	return e
}

// isHangup reports whether err says no more than that the other side closed
// the connection.
func isHangup(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
