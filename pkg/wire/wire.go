// Package wire is what lies between a protocol library and the network. The
// libraries are used and none is trusted with time, memory or bytes:
//
//   - Open dials, reads the greeting, does TLS or STARTTLS, signs in and hands
//     a live connection to the library (OpenIMAP, OpenPOP3);
//   - Conn keeps our deadlines and counts bytes, whatever the library asks;
//   - Guard follows IMAP's lines, quotes and literals and bounds them;
//   - Turn gives go-pop3 one line at a time, so that bodies and listings are
//     read beside it by a strict reader of ours;
//   - Aside speaks an IMAP command of ours while the library has none in
//     flight;
//   - Compress puts a deflate stream under all of this, with an inflater of
//     ours.
//
// No object of a library ever sits on a bare socket.
package wire

import (
	"errors"
	"fmt"
	"time"
)

// Errors that end a connection. They come wrapped.
var (
	// ErrTimeout says that the server said nothing for too long.
	ErrTimeout = errors.New("the server stopped answering")

	// ErrTooMuch says that the server sent more than a limit allows.
	ErrTooMuch = errors.New("the server sent more than the limit allows")

	// ErrTooLarge is the ErrTooMuch of one message, beyond Limits.Literal.
	ErrTooLarge = fmt.Errorf("%w: a message", ErrTooMuch)

	// ErrProtocol says that the server broke the protocol.
	ErrProtocol = errors.New("the server broke the protocol")

	// ErrDamaged is the ErrProtocol of what cannot be inflated, see
	// IMAP.Compress.
	ErrDamaged = fmt.Errorf("%w: the compressed data is damaged", ErrProtocol)
)

// HintTooLarge is what to do about ErrTooLarge, for both protocols: the message
// may be honest mail.
const HintTooLarge = "raise max_message_size for this account to have the message too; all others are fetched without it"

// Security is how a connection is protected.
type Security string

// The ways of protection. For POP3, StartTLS means STLS.
const (
	TLS      Security = "tls"
	StartTLS Security = "starttls"
	None     Security = "none"
)

// Limits bounds what a server can cost. A zero field means its default.
type Limits struct {
	Open    time.Duration // connect, TLS and sign-in together; 60 s
	Idle    time.Duration // without a single byte; 60 s
	Session time.Duration // a whole session; 24 h

	// Response is the time from a command to its answer; 10 min. What the
	// command asks for many of, a body above all, gives new time when it
	// comes; what nobody asked for does not. While a body comes only Idle
	// counts.
	Response time.Duration

	Bytes     int64 // received in one session; 0 means no limit
	Literal   int64 // one message; 2 GiB
	Line      int   // one line without its literals; 1 MiB
	Listing   int   // all names of a LIST, what is held at once of a SEARCH or ESEARCH, or all lines of a UIDL; 16 MiB and 128 MiB
	Depth     int   // nested parentheses; 64
	Mailboxes int   // entries of one LIST; 100,000
	Messages  int   // of one mailbox, which bounds a SEARCH or ESEARCH; 10,000,000
}

// WithDefaults returns the limits with every zero field set to its default.
func (l Limits) WithDefaults() Limits {
	defaults := Limits{
		Open:      time.Minute,
		Idle:      time.Minute,
		Response:  10 * time.Minute,
		Session:   24 * time.Hour,
		Literal:   2 << 30,
		Line:      1 << 20,
		Listing:   16 << 20,
		Depth:     64,
		Mailboxes: 100_000,
		Messages:  10_000_000,
	}
	setDefault(&l.Open, defaults.Open)
	setDefault(&l.Idle, defaults.Idle)
	setDefault(&l.Response, defaults.Response)
	setDefault(&l.Session, defaults.Session)
	setDefault(&l.Literal, defaults.Literal)
	setDefault(&l.Line, defaults.Line)
	setDefault(&l.Listing, defaults.Listing)
	setDefault(&l.Depth, defaults.Depth)
	setDefault(&l.Mailboxes, defaults.Mailboxes)
	setDefault(&l.Messages, defaults.Messages)
	return l
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
