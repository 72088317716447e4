package schedule

import (
	"time"

	"mailpull/pkg/mail"
)

// State says how an account is. The list is closed: metrics have a series for
// each.
type State string

// The states, the first that holds.
const (
	Running     State = "running"      // a pass runs
	Paused      State = "paused"       // by an operator
	AuthPaused  State = "auth_paused"  // sign-in was refused twice
	QuotaPaused State = "quota_paused" // the server counts bytes
	DiskPaused  State = "disk_paused"  // archive or state cannot be written
	Backoff     State = "backoff"      // the last pass failed, the next one waits
	OK          State = "ok"
)

// States returns all states.
func States() []State {
	return []State{Running, Paused, AuthPaused, QuotaPaused, DiskPaused, Backoff, OK}
}

// Status is how an account is at one moment.
type Status struct {
	Account string
	State   State

	// Class and Failures tell of the passes since the last good one.
	Class    mail.Class
	Failures int

	// Next is when the account is due; the time of asking when it waits for a
	// slot, and zero while it is paused.
	Next time.Time

	// Waiting is set while the account is due and others are in its way.
	Waiting bool

	// Left is how many messages wait for a turn for the backlog.
	Left int

	// Longest is the longest time from one pass to the next by the plan.
	Longest time.Duration
}

// status returns how the account is. The caller holds the lock.
func (e *entry) status(now time.Time) Status {
	st := Status{
		Account: e.job.Account, State: e.state(), Class: e.memory.Class, Failures: e.memory.Failures,
		Next: e.next, Left: e.left, Longest: e.longest,
	}
	switch {
	case e.memory.Paused:
		st.Next = time.Time{}
	case e.queued != none:
		st.Next, st.Waiting = now, true
	}
	return st
}

func (e *entry) state() State {
	m := e.memory
	switch {
	case e.cancel != nil && !e.asking:
		return Running
	case m.Paused:
		return Paused
	case m.SignInPaused():
		return AuthPaused
	case m.Failures == 0 || m.NotBefore.IsZero():
		return OK
	case m.Class == mail.ClassQuota:
		return QuotaPaused
	case m.Class == mail.ClassDisk:
		return DiskPaused
	}
	return Backoff
}
