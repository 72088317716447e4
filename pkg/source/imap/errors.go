package imap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

// The operations, as errors name them.
const (
	opOpen   = "imap open"
	opList   = "imap list"
	opSelect = "imap examine"
	opFetch  = "imap fetch"
	opWatch  = "imap idle"
	opClose  = "imap logout"
)

var (
	errNoBody     = errors.New("the server lists the message and sends no body")
	errOtherUID   = errors.New("the server sent a body without saying that it is this message's")
	errNotOpen    = errors.New("the mailbox is not the selected one")
	errUnread     = errors.New("the receiver did not read the body to its end")
	errUnsendable = errors.New("the mailbox's name cannot be sent back to the server")
)

// refused is a tagged NO or BAD.
type refused struct{ wire.Status }

// Error returns the server's answer, made safe to print.
func (e *refused) Error() string { return "the server answered " + e.Status.String() }

// class says what a refusal means. Servers that throttle often say so in
// words only; the words are those of large providers.
func (e *refused) class() mail.Class {
	switch e.Code {
	case "LIMIT", "THROTTLED":
		return mail.ClassThrottled
	case "OVERQUOTA":
		return mail.ClassQuota
	}
	if wire.SaysThrottled(e.Text) {
		return mail.ClassThrottled
	}
	return mail.ClassServer
}

// passes reports whether a command that the server knows may be taken another
// time. A BAD is of the command's form (RFC 9051 section 7.1.3) unless it names
// a delay, as Exchange's does.
func (e *refused) passes() bool {
	if e.Condition == "BAD" {
		return wire.SaidDelay(e.Text) > 0
	}
	return e.Code == "UNAVAILABLE" || e.Code == "INUSE" || e.class() != mail.ClassServer // RFC 5530 section 3
}

// refusal returns the error for a command that the server refused.
func (s *Session) refusal(op string, ref mail.Ref, scope mail.Scope, cause *refused) *mail.Error {
	return &mail.Error{
		Op: op, Mailbox: s.shown(ref.Mailbox), UID: ref.UID,
		Scope: scope, Retry: mail.RetryLater, Class: cause.class(), After: wire.SaidDelay(cause.Text), Err: cause,
	}
}

// hintIndexing is what may be the matter with a server that falls silent when it
// is to tell what a mailbox holds: Dovecot 2.3.19 says nothing for more than a
// minute while it indexes a million files for the first time.
const hintIndexing = "a server that looks into a large mailbox for the first time can be silent for minutes; raise idle_timeout if it goes on"

// lost returns the error for a session that is of no use any more. What ended
// the connection is the cause, whatever the library above it said; the
// server's last words are added, because they often are the only explanation.
func (s *Session) lost(ctx context.Context, op string, err error) *mail.Error {
	e := s.cause(ctx, err)
	e.Op, e.Scope, e.Mailbox = op, mail.ScopeAccount, s.shown(s.selected)
	if op == opList || op == opClose {
		e.Mailbox = ""
	}
	if e.Class == mail.ClassTimeout && (op == opList || op == opSelect) { // host and port are right
		e.Hint = hintIndexing
	}
	words := s.wire.LastText()
	if e.Class == mail.ClassConnect {
		e.Retry = mail.RetryNow // servers cut long sessions
		if wire.SaysThrottled(words) {
			e.Class, e.Retry, e.After = mail.ClassThrottled, mail.RetryLater, wire.SaidDelay(words)
		}
	}
	if words != "" && !strings.Contains(e.Err.Error(), words) {
		e.Err = fmt.Errorf("%w; the server's last words were \"%s\"", e.Err, words)
	}
	return e
}

// cause says what ended a session. err is what the command in hand ended with.
func (s *Session) cause(ctx context.Context, err error) *mail.Error {
	if ctx.Err() != nil {
		return &mail.Error{Class: mail.ClassLocal, Err: context.Cause(ctx)}
	}
	for _, err := range []error{err, s.wire.Err()} {
		if errors.Is(err, wire.ErrTooLarge) {
			return &mail.Error{Class: mail.ClassProtocol, Err: err, Hint: wire.HintTooLarge}
		}
	}
	if errors.Is(err, wire.ErrTooMuch) || errors.Is(err, errTooManyUIDs) { // found by us
		return &mail.Error{Class: mail.ClassProtocol, Err: err}
	}
	ended := s.wire.Err()
	if errors.Is(ended, net.ErrClosed) && !s.aborted.Load() && err != nil {
		// Neither the guard nor we closed it: go-imap could not read an answer.
		return &mail.Error{Class: mail.ClassProtocol, Err: errors.New(wire.Text(err.Error()))}
	}
	for _, err := range []error{err, ended} {
		if known, ok := errors.AsType[*mail.Error](err); ok {
			return &mail.Error{Class: known.Class, Retry: known.Retry, After: known.After, Hint: known.Hint, Err: known.Err}
		}
	}
	return &mail.Error{Class: mail.ClassConnect, Err: err}
}
