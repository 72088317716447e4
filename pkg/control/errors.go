package control

import (
	"context"
	"errors"
	"fmt"

	"mailpull/pkg/mail"
)

// Errors that callers test for with errors.Is.
var (
	// ErrNoDaemon says that nobody listens on the socket.
	ErrNoDaemon = errors.New("no daemon is running")

	// ErrInUse says that somebody listens on the socket already.
	ErrInUse = errors.New("another daemon listens on it")

	// ErrUnknownAccount is found in every *UnknownAccountError.
	ErrUnknownAccount = errors.New("unknown account")

	// ErrStopping says that the daemon is being stopped and did not finish what
	// it was asked.
	ErrStopping = errors.New("the daemon is stopping")
)

// UnknownAccountError names an account that the daemon does not know. It crosses
// the socket: the client gets what the handler returned.
type UnknownAccountError struct{ Account string }

// Error names the account.
func (e *UnknownAccountError) Error() string {
	return fmt.Sprintf("account %q is not in the configuration that the daemon has loaded", e.Account)
}

// Unwrap returns ErrUnknownAccount.
func (e *UnknownAccountError) Unwrap() error { return ErrUnknownAccount }

// code says over the socket which error it is. The list is part of the protocol.
type code string

const (
	codeRequest   code = "bad_request"
	codeNotFound  code = "not_found"
	codeVersion   code = "version"
	codeForbidden code = "forbidden"
	codeUnknown   code = "unknown_account"
	codeStopping  code = "stopping"
	codeFailed    code = "failed"
	codeBug       code = "bug"
)

// failure is an error as it goes over the socket.
type failure struct {
	Code    code       `json:"code"`
	Message string     `json:"message"`
	Account string     `json:"account,omitempty"`
	Class   mail.Class `json:"class,omitempty"`
	Hint    string     `json:"hint,omitempty"`

	// Final says that asking again is of no use until somebody changes
	// something: mail.RetryNever.
	Final bool `json:"final,omitempty"`
}

// newFailure makes of a handler's error what the client is told. ctx is the one
// that the handler had.
func newFailure(ctx context.Context, err error) *failure {
	var unknown *UnknownAccountError
	switch {
	case errors.As(err, &unknown):
		return &failure{Code: codeUnknown, Message: unknown.Error(), Account: unknown.Account}
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), ErrStopping):
		return &failure{Code: codeStopping, Message: ErrStopping.Error()}
	}
	return &failure{
		Code: codeFailed, Message: err.Error(),
		Class: mail.ErrorClass(err), Hint: mail.ErrorHint(err), Final: mail.ErrorRetry(err) == mail.RetryNever,
	}
}

// restored makes an error again of what came over the socket.
func (f *failure) restored(op string) error {
	switch f.Code {
	case codeUnknown:
		return &UnknownAccountError{Account: f.Account}
	case codeStopping:
		return &mail.Error{Op: op, Class: mail.ClassLocal, Err: ErrStopping}
	}
	e := &mail.Error{Op: op, Class: f.Class, Hint: f.Hint, Err: errors.New(f.Message)}
	if e.Class == "" {
		e.Class = mail.ClassLocal
	}
	if f.Final {
		e.Retry = mail.RetryNever
	}
	return e
}

// localError classifies what this machine gave for the socket.
func localError(err error, hint string) error {
	return &mail.Error{Op: "control socket", Retry: mail.RetryNever, Class: mail.ClassLocal, Err: err, Hint: hint}
}
