package manifest

import (
	"errors"
	"fmt"

	"mailpull/pkg/mail"
	"mailpull/pkg/record"
)

// The reasons for which a manifest is refused: those of any file of records.
// Each comes inside a *mail.Error of class disk with a hint.
var (
	// ErrDamaged says that a line is not as it was written. The text names
	// the line.
	ErrDamaged = record.ErrDamaged

	// ErrVersion says that the file has a format that this program does not
	// know.
	ErrVersion = record.ErrVersion

	// ErrMismatch says that the file is of another account.
	ErrMismatch = record.ErrMismatch
)

// errClosed is what every method returns after Close.
var errClosed = errors.New("manifest is closed")

// failure makes the one error type of the seams out of err.
func failure(account, path string, err error) *mail.Error {
	return record.Place{Kind: "manifest", Account: account, Path: path, Remake: Remake(path)}.Failure(err)
}

// Remake returns a sentence that says how to make the manifest at path anew.
// The checkpoint has to go with it: what that one calls delivered is not
// looked at again, and so would never be listed.
func Remake(path string) string {
	return fmt.Sprintf("put back a good copy of %s; if there is none, move it and the checkpoint beside it away, "+
		"keep both, and run again: what the archive holds is compared with the server and listed anew, nothing is stored twice", path)
}
