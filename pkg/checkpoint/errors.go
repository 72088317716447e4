package checkpoint

import (
	"errors"
	"fmt"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// The reasons for which a checkpoint is refused. Each comes inside a
// *mail.Error of class disk with a hint.
var (
	// ErrDamaged says that a line which was durable once is not whole, or
	// means nothing. The text names the line.
	ErrDamaged = errors.New("checkpoint is damaged")

	// ErrVersion says that the file has a format that this program does not
	// know.
	ErrVersion = errors.New("unknown format version")

	// ErrMismatch says that the file is of another account or source.
	ErrMismatch = errors.New("checkpoint of another account")
)

// errClosed is what every method returns after Close.
var errClosed = errors.New("checkpoint is closed")

// damage is an ErrDamaged with its place.
type damage struct {
	line   int
	reason string
}

func (d *damage) Error() string { return fmt.Sprintf("line %d: %s", d.line, d.reason) }
func (d *damage) Unwrap() error { return ErrDamaged }

// versionError is an ErrVersion that says both versions.
type versionError struct{ found uint64 }

func (e *versionError) Error() string {
	return fmt.Sprintf("the file has format version %d, this program knows version %d", e.found, formatVersion)
}
func (e *versionError) Unwrap() error { return ErrVersion }

// What two files can differ in.
const (
	whatAccount = "account"
	whatSource  = "source"
)

// mismatch is an ErrMismatch that says whose the file is.
type mismatch struct{ what, found, want string }

func (e *mismatch) Error() string {
	return fmt.Sprintf("the file is of %s %q, not %q", e.what, clip(e.found), clip(e.want))
}
func (e *mismatch) Unwrap() error { return ErrMismatch }

// failure makes the one error type of the seams out of err.
func failure(account, path string, err error) *mail.Error {
	out := &mail.Error{
		Op:    fmt.Sprintf("checkpoint %q", account),
		Scope: mail.ScopeAccount,
		Class: mail.ClassDisk,
		Err:   err,
	}
	switch {
	case errors.Is(err, ErrDamaged):
		out.Retry = mail.RetryNever
		out.Hint = fmt.Sprintf("move %s away and run again; the archive knows by key what it holds, "+
			"so nothing is fetched twice that is still in the Maildir", path)
	case errors.Is(err, ErrVersion):
		out.Retry = mail.RetryNever
		out.Hint = fmt.Sprintf("use the version of mailpull that wrote %s, or a newer one", path)
	case isSourceMismatch(err):
		out.Retry = mail.RetryNever
		out.Hint = fmt.Sprintf("give the account a new name with its new protocol; or move %s away and run again: "+
			"the archive knows what it holds, so nothing is stored twice", path)
	case errors.Is(err, ErrMismatch):
		out.Retry = mail.RetryNever
		out.Hint = fmt.Sprintf("each account needs a name of its own; if this one is meant to begin anew, "+
			"move %s away and run again", path)
	default:
		out.Hint = durable.Hint(err)
	}
	return out
}

// isSourceMismatch reports whether the account was pulled over another
// protocol until now.
func isSourceMismatch(err error) bool {
	m, ok := errors.AsType[*mismatch](err)
	return ok && m.what == whatSource
}

// clip bounds what an error text repeats of a file.
func clip(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "..."
}
