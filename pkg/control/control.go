package control

import (
	"context"
	"encoding/json"

	"mailpull/pkg/mail"
)

// Handler does what is asked over the socket. Its methods are called from any
// number of goroutines at once. ctx ends when the client goes away and when the
// server is closed; a method then returns soon, with what it has or with ctx's
// error.
//
// accounts are names as they were typed; none means all. A name that the daemon
// does not know is answered with an *UnknownAccountError, and nothing is done
// for the others. The text and the hint of any error are shown to whoever asked.
type Handler interface {
	// Pull asks for a pass over each account. Without wait it returns when the
	// passes are due, with it when they have ended. The end of ctx ends the wait
	// and not the passes.
	Pull(ctx context.Context, accounts []string, wait bool) ([]Report, error)

	// Pause keeps the accounts from beginning a pass until they are resumed.
	Pause(ctx context.Context, accounts []string) error

	// Resume lets the accounts go on, also those whose sign-in was refused.
	Resume(ctx context.Context, accounts []string) error

	// Reload reads the configuration again. After an error the old one is in
	// force, whole.
	Reload(ctx context.Context) error

	// Status returns how the daemon and its accounts are, as one JSON value
	// that the socket hands on unread.
	Status(ctx context.Context) (json.RawMessage, error)
}

// State says what became of a pass that was asked for.
type State string

// The states.
const (
	StateQueued    State = "queued"    // it is due, or under way, and nobody waited for it
	StatePaused    State = "paused"    // the account is paused; there is no pass
	StateOK        State = "ok"        // the archive has everything
	StatePartial   State = "partial"   // something is missing
	StateFailed    State = "failed"    // the account's pass came to nothing
	StateCancelled State = "cancelled" // the daemon stopped or dropped the account
)

// Report is what Pull says of one account. The counts are of the pass that was
// waited for and 0 without one.
type Report struct {
	Account string `json:"account"`
	State   State  `json:"state"`

	// New and Bytes count what was delivered, Missing what is on the server and
	// not in the archive, Quarantined what was left alone, Excluded what is older
	// than since.
	New         int   `json:"new"`
	Bytes       int64 `json:"bytes"`
	Missing     int   `json:"missing"`
	Quarantined int   `json:"quarantined"`
	Excluded    int   `json:"excluded"`

	// Left counts those of the missing messages that were left for another pass on
	// purpose, and LeftBytes is about how large they are; 0 where nobody knows.
	Left      int   `json:"left"`
	LeftBytes int64 `json:"left_bytes"`

	// Class, Error and Hint describe the first thing that went wrong; Error is
	// empty when nothing did. Hint is a whole sentence that says what to do.
	Class mail.Class `json:"class,omitempty"`
	Error string     `json:"error,omitempty"`
	Hint  string     `json:"hint,omitempty"`
}
