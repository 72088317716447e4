package pop3

import (
	"context"
	"errors"
	"fmt"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

// lost classifies an error that ended the connection. uidl names the message
// in hand, or is empty.
func lost(op string, uidl mail.UIDL, err error) *mail.Error {
	e := &mail.Error{
		Op:      op,
		Mailbox: mail.Inbox,
		UIDL:    uidl,
		Scope:   mail.ScopeAccount,
		Class:   mail.ClassConnect,
		Retry:   mail.RetryNow, // a connection breaks now and then
		Err:     err,
	}
	switch {
	case errors.Is(err, wire.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		e.Class, e.Retry = mail.ClassTimeout, mail.RetryLater
	case errors.Is(err, wire.ErrTooLarge):
		e.Class, e.Retry = mail.ClassProtocol, mail.RetryLater
		e.Hint = wire.HintTooLarge
	case errors.Is(err, wire.ErrProtocol), errors.Is(err, wire.ErrTooMuch):
		e.Class, e.Retry = mail.ClassProtocol, mail.RetryLater
	case errors.Is(err, context.Canceled):
		e.Class, e.Retry = mail.ClassLocal, mail.RetryLater
	}
	return e
}

// refused classifies an -ERR by its response code (RFC 2449, RFC 3206).
func refused(op string, scope mail.Scope, reply wire.POP3Reply) *mail.Error {
	e := &mail.Error{
		Op:      op,
		Mailbox: mail.Inbox,
		Scope:   scope,
		Class:   mail.ClassServer,
		After:   wire.SaidDelay(reply.Text),
		Err:     reply,
	}
	switch reply.Code {
	case wire.POP3SysPerm:
		e.Retry = mail.RetryNever
	case wire.POP3LoginDelay:
		e.Class = mail.ClassThrottled
	case wire.POP3Auth:
		e.Class, e.Retry = mail.ClassAuth, mail.RetryNever
	}
	return e
}

// broken says that the server's answer is whole but makes no sense. The
// connection can go on.
func broken(op, format string, args ...any) *mail.Error {
	return &mail.Error{
		Op:      op,
		Mailbox: mail.Inbox,
		Scope:   mail.ScopeMailbox,
		Class:   mail.ClassProtocol,
		Err:     fmt.Errorf("%w: %w", wire.ErrProtocol, fmt.Errorf(format, args...)),
	}
}
