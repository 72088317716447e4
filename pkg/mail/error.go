package mail

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Scope says how much of an account an error spoils.
type Scope byte

// The scopes, from small to large. The zero value is unknown and is treated
// as ScopeAccount.
const (
	ScopeMessage Scope = iota + 1 // this message; go on with the next
	ScopeMailbox                  // this mailbox; go on with the next one
	ScopeAccount                  // the session is dead; close it
)

// Retry says when the same attempt may succeed.
type Retry byte

// The retry classes.
const (
	RetryLater Retry = iota // the zero value: at the next pass, with backoff
	RetryNow                // once more at once, on a new session
	RetryNever              // not until someone changes something
)

// Class says what kind of thing failed. The list is closed: exit codes, logs
// and metrics read it.
type Class string

// The classes.
const (
	ClassDNS       Class = "dns"       // the host name does not resolve
	ClassConnect   Class = "connect"   // no connection, or it broke
	ClassTLS       Class = "tls"       // the certificate or the handshake
	ClassAuth      Class = "auth"      // sign-in refused
	ClassThrottled Class = "throttled" // the server asks us to wait
	ClassQuota     Class = "quota"     // the server's daily limit
	ClassProtocol  Class = "protocol"  // the server broke the protocol
	ClassServer    Class = "server"    // the server said no
	ClassTimeout   Class = "timeout"   // the server said nothing
	ClassDisk      Class = "disk"      // the archive or the state folder
	ClassLocal     Class = "local"     // anything else on this machine
	ClassConfig    Class = "config"    // the configuration
)

// Classes returns all classes.
func Classes() []Class {
	return []Class{
		ClassDNS, ClassConnect, ClassTLS, ClassAuth, ClassThrottled, ClassQuota,
		ClassProtocol, ClassServer, ClassTimeout, ClassDisk, ClassLocal, ClassConfig,
	}
}

// ErrGone marks a message that the server listed and no longer has. It is an
// outcome, not a failure.
var ErrGone = errors.New("gone from the server")

// ErrCannotWatch says that a server does not tell of new messages by itself.
var ErrCannotWatch = errors.New("the server does not tell of new mail")

// ErrNoDates says that a server does not tell messages by the day of their
// arrival.
var ErrNoDates = errors.New("the server does not search by date")

// Error is the one error type that crosses the seams. Adapters make it where
// a foreign error enters; nobody above them looks at texts.
type Error struct {
	Op      string // "imap fetch", "pop3 retr", "maildir deliver"
	Mailbox MailboxName
	UID     UID
	UIDL    UIDL
	Scope   Scope
	Retry   Retry
	Class   Class

	// After is how long the server asks to be left alone, 0 where it does not
	// say.
	After time.Duration

	// Hint is a whole sentence for the person at the terminal that says what
	// to do, or empty.
	Hint string

	Err error
}

// Error returns the operation, the place and the cause in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Mailbox != "" {
		fmt.Fprintf(&b, " %q", e.Mailbox.Shown())
	}
	if e.UID != 0 {
		fmt.Fprintf(&b, " uid %d", e.UID)
	}
	if e.UIDL != "" {
		fmt.Fprintf(&b, " uidl %q", shorten(string(e.UIDL)))
	}
	if e.Err != nil {
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrorScope returns the scope of the first Error in err's chain, and
// ScopeAccount when there is none: what nobody classified spoils the session.
func ErrorScope(err error) Scope {
	var e *Error
	if errors.As(err, &e) && e.Scope != 0 {
		return e.Scope
	}
	return ScopeAccount
}

// ErrorRetry returns the retry class of the first Error in err's chain, and
// RetryLater when there is none.
func ErrorRetry(err error) Retry {
	var e *Error
	if errors.As(err, &e) {
		return e.Retry
	}
	return RetryLater
}

// ErrorClass returns the class of the first Error in err's chain, and
// ClassLocal when there is none.
func ErrorClass(err error) Class {
	var e *Error
	if errors.As(err, &e) && e.Class != "" {
		return e.Class
	}
	return ClassLocal
}

// ErrorAfter returns how long the server of the first Error in err's chain asks
// to be left alone, or 0.
func ErrorAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return max(0, e.After)
	}
	return 0
}

// ErrorHint returns the first hint in err's chain, or the empty string.
func ErrorHint(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}

// AsksToWait reports whether another sign-in soon after this error would do harm:
// the server is busy, counts our bytes, or refuses us.
func AsksToWait(err error) bool {
	switch ErrorClass(err) {
	case ClassThrottled, ClassQuota, ClassAuth:
		return true
	}
	return false
}
