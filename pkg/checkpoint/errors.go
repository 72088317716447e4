package checkpoint

import (
	"errors"
	"fmt"

	"mailpull/pkg/mail"
	"mailpull/pkg/record"
)

// The reasons for which a checkpoint is refused: those of any file of
// records. Each comes inside a *mail.Error of class disk with a hint.
var (
	// ErrDamaged says that a line which was durable once is not whole, or
	// means nothing. The text names the line.
	ErrDamaged = record.ErrDamaged

	// ErrVersion says that the file has a format that this program does not
	// know.
	ErrVersion = record.ErrVersion

	// ErrMismatch says that the file is of another account or source.
	ErrMismatch = record.ErrMismatch
)

// errClosed is what every method returns after Close.
var errClosed = errors.New("checkpoint is closed")

// errView is what the methods return that would write to a View.
var errView = errors.New("checkpoint was opened to be read")

// failure makes the one error type of the seams out of err.
func failure(account, path string, err error) *mail.Error {
	return record.Place{
		Kind:    "checkpoint",
		Account: account,
		Path:    path,
		Remake: fmt.Sprintf("move %s away and run again; the archive knows by key what it holds, "+
			"so nothing is fetched twice that is still in the Maildir", path),
	}.Failure(err)
}
