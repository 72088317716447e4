package pull

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"mailpull/pkg/mail"
)

// ErrPanic marks the error of an account whose worker hit a bug, of ours or of
// a library.
var ErrPanic = errors.New("internal error")

// recovered is Recovered for the goroutines of a pass, whose result tells of it.
func (p *pass) recovered(v any) error {
	p.mu.Lock()
	p.result.Panicked = true
	p.mu.Unlock()
	return Recovered(v, p.Log)
}

// Recovered turns what recover returned into an error of the account, and
// logs the stack. It is called at the root of a worker's goroutine and nowhere
// deeper: what the ladder was doing when it broke is not to be guessed at.
func Recovered(v any, log *slog.Logger) error {
	log.Error("panic", "err", fmt.Sprint(v), "stack", string(debug.Stack()))
	return &mail.Error{
		Op: "pull", Scope: mail.ScopeAccount, Class: mail.ClassLocal, Err: ErrPanic,
		Hint: "this is a bug, and the log above says where; the archive is as the last commit left it",
	}
}
