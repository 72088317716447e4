package admin

import (
	"time"

	"mailpull/pkg/mail"
)

// Snapshot is how a daemon is at one moment. Whoever makes it hands it over.
type Snapshot struct {
	Version, Commit string
	Started, Now    time.Time

	// State is running or draining, Problem why the daemon is stuck, or empty.
	State, Problem string

	Reload   Reload
	Accounts []Account
	Volumes  []Volume
}

// Reload tells of the configuration: when it was last read well, and why it was
// refused since, or nothing.
type Reload struct {
	Time  time.Time
	Error string
}

// Account is how an account is.
type Account struct {
	Name, Protocol string

	// State is one of the words of the timetable: ok, running, backoff,
	// auth_paused, quota_paused, disk_paused, paused.
	State string

	// Class and Reason say what the last pass failed with, NextStep what a
	// person can do about it. They are empty when nothing failed.
	Class            mail.Class
	Reason, NextStep string

	// Failures counts the passes since the last good one.
	Failures int

	// Times may be zero: never, or for NextRun that nothing is planned.
	LastComplete, LastAttempt, NextRun time.Time

	// Messages: on the server, in the archive, on the server and not in the
	// archive, given up for the time being, and left out because they are old.
	Server, Archived, Waiting, Quarantined, Excluded int

	// WaitingBytes is about how large the waiting ones are, 0 if unknown.
	WaitingBytes int64

	// Idle is set while the server tells of new mail by itself.
	Idle bool

	// Running is nil at rest.
	Running *Progress
}

// Progress is how far a running pass has got.
type Progress struct {
	Started time.Time

	// Planned and Done count messages, Bytes what was read.
	Planned, Done int
	Bytes         int64

	// Rate is in bytes per second, LeftBytes about how much is yet to be read, Left
	// how long that may take; 0 when that is not known.
	Rate      float64
	LeftBytes int64
	Left      time.Duration
}

// Volume is the file system below one of the daemon's folders. One that counts
// no inodes has a total of 0.
type Volume struct {
	Name, Path              string
	FreeBytes, TotalBytes   uint64
	FreeInodes, TotalInodes uint64
}

// needsSomebody reports whether the account does not come right by itself.
func (a Account) needsSomebody() bool {
	switch a.State {
	case "auth_paused", "disk_paused":
		return true
	case "paused":
		return false
	}
	return a.Failures >= 3
}
