package manifest

import (
	"errors"
	"fmt"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// The reasons for which a manifest is refused. Each comes inside a
// *mail.Error of class disk with a hint.
var (
	// ErrDamaged says that a line is not as it was written. The text names
	// the line.
	ErrDamaged = errors.New("manifest is damaged")

	// ErrVersion says that the file has a format that this program does not
	// know.
	ErrVersion = errors.New("unknown format version")

	// ErrMismatch says that the file is of another account.
	ErrMismatch = errors.New("manifest of another account")
)

// errClosed is what every method returns after Close.
var errClosed = errors.New("manifest is closed")

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

// mismatch is an ErrMismatch that says whose the file is.
type mismatch struct{ found, want string }

func (e *mismatch) Error() string {
	return fmt.Sprintf("the file is of account %q, not %q", clip(e.found), clip(e.want))
}
func (e *mismatch) Unwrap() error { return ErrMismatch }

// failure makes the one error type of the seams out of err.
func failure(account, path string, err error) *mail.Error {
	out := &mail.Error{
		Op:    fmt.Sprintf("manifest %q", account),
		Scope: mail.ScopeAccount,
		Class: mail.ClassDisk,
		Err:   err,
	}
	switch {
	case errors.Is(err, ErrDamaged):
		out.Retry = mail.RetryNever
		out.Hint = Remake(path)
	case errors.Is(err, ErrVersion):
		out.Retry = mail.RetryNever
		out.Hint = fmt.Sprintf("use the version of mailpull that wrote %s, or a newer one", path)
	case errors.Is(err, ErrMismatch):
		out.Retry = mail.RetryNever
		out.Hint = fmt.Sprintf("each account needs a name of its own; if this one is meant to begin anew, "+
			"move %s away and run again", path)
	default:
		out.Hint = durable.Hint(err)
	}
	return out
}

// Remake returns a sentence that says how to make the manifest at path anew.
// The checkpoint has to go with it: what that one calls delivered is not
// looked at again, and so would never be listed.
func Remake(path string) string {
	return fmt.Sprintf("put back a good copy of %s; if there is none, move it and the checkpoint beside it away, "+
		"keep both, and run again: what the archive holds is compared with the server and listed anew, nothing is stored twice", path)
}

// clip bounds what an error text repeats of a file.
func clip(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "..."
}
