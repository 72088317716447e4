package record

import (
	"errors"
	"fmt"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// The reasons for which a file is refused.
var (
	// ErrDamaged says that the file is not as it was written. The text names
	// the line.
	ErrDamaged = errors.New("the file is damaged")

	// ErrVersion says that the file has a format that this program does not
	// know.
	ErrVersion = errors.New("unknown format version")

	// ErrMismatch says that the file is of another account or source.
	ErrMismatch = errors.New("the file is of another account")
)

// Damage is an ErrDamaged with its place.
type Damage struct {
	Line   int // counted from 1; 0 when no single line is to blame
	Reason string
}

// Error returns the line and the reason.
func (d *Damage) Error() string {
	if d.Line == 0 {
		return d.Reason
	}
	return fmt.Sprintf("line %d: %s", d.Line, d.Reason)
}

// Unwrap returns ErrDamaged.
func (d *Damage) Unwrap() error { return ErrDamaged }

// versionError is an ErrVersion that says both versions.
type versionError struct{ found, known uint64 }

func (e *versionError) Error() string {
	return fmt.Sprintf("the file has format version %d, this program knows version %d", e.found, e.known)
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
	return fmt.Sprintf("the file is of %s %q, not %q", e.what, Clip(e.found), Clip(e.want))
}
func (e *mismatch) Unwrap() error { return ErrMismatch }

// CheckAccount refuses the file of another account: errors.Is finds
// ErrMismatch.
func CheckAccount(found, want string) error { return check(whatAccount, found, want) }

// CheckSource refuses the file of an account that was pulled over another
// protocol until now: errors.Is finds ErrMismatch.
func CheckSource(found, want string) error { return check(whatSource, found, want) }

func check(what, found, want string) error {
	if found != want {
		return &mismatch{what, found, want}
	}
	return nil
}

// Place says which file an error is about.
type Place struct {
	Kind    string // "checkpoint" or "manifest"
	Account string
	Path    string

	// Remake is the hint for a damaged file: a whole sentence that says how to
	// make it anew.
	Remake string
}

// Failure makes the one error type of the seams out of err, which it wraps:
// of the account, class disk, with a hint, and not to be tried again when the
// file has to be changed by a person first.
func (p Place) Failure(err error) *mail.Error {
	out := &mail.Error{
		Op:    fmt.Sprintf("%s %q", p.Kind, p.Account),
		Scope: mail.ScopeAccount,
		Retry: mail.RetryNever,
		Class: mail.ClassDisk,
		Err:   err,
	}
	switch {
	case errors.Is(err, ErrDamaged):
		out.Hint = p.Remake
	case errors.Is(err, ErrVersion):
		out.Hint = fmt.Sprintf("use the version of mailpull that wrote %s, or a newer one", p.Path)
	case isSourceMismatch(err):
		out.Hint = fmt.Sprintf("give the account a new name with its new protocol; or move %s away and run again: "+
			"the archive knows what it holds, so nothing is stored twice", p.Path)
	case errors.Is(err, ErrMismatch):
		out.Hint = fmt.Sprintf("each account needs a name of its own; if this one is meant to begin anew, "+
			"move %s away and run again", p.Path)
	default:
		out.Retry = mail.RetryLater
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
