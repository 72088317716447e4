package metrics

import (
	"time"

	"mailpull/pkg/mail"
)

// State is what an account's records say, without asking a server. A time may
// be zero.
type State struct {
	LastSuccess, LastAttempt time.Time

	// Server counts what was listed last, Pending what of it is missing, Excluded
	// what of it is older than since.
	Server, Pending, Archived, Quarantined, Excluded int

	// PendingBytes is about how large the missing messages are, 0 where nobody
	// knows.
	PendingBytes int64

	// Checkpoint is when something was recorded last, Mailboxes of how many.
	Checkpoint time.Time
	Mailboxes  int
}

// Run is one run over an account.
type Run struct {
	Result   Result
	Class    mail.Class // empty for no error
	Panicked bool

	// Start and End are zero for a run that could not begin.
	Start, End time.Time

	Messages int
	Bytes    int64

	// Vanished and Quarantined count messages that were listed and not
	// fetched, Renumbered mailboxes with a new UIDVALIDITY.
	Vanished, Quarantined, Renumbered int
}

// Restore sets what an account's records say.
func (m *Metrics) Restore(account string, r State) {
	s := m.of(account)
	if s == nil {
		return
	}
	m.set(s, lastSuccess, seconds(r.LastSuccess))
	m.set(s, lastAttempt, seconds(r.LastAttempt))
	m.set(s, server, float64(r.Server))
	m.set(s, pending, float64(r.Pending))
	m.set(s, pendingBytes, float64(r.PendingBytes))
	m.set(s, archived, float64(r.Archived))
	m.set(s, quarantined, float64(r.Quarantined))
	m.set(s, excluded, float64(r.Excluded))
	m.set(s, checkpointed, seconds(r.Checkpoint))
	m.set(s, entries, float64(r.Mailboxes))
}

// Count adds a run that ended to an account's numbers. In a daemon its
// messages and bytes are left out: they were counted while it went on.
func (m *Metrics) Count(account string, r Run) {
	s := m.of(account)
	if s == nil {
		return
	}
	m.inc(s, runs, string(r.Result))
	m.inc(s, errs, string(r.Class))
	if r.Panicked {
		m.add(s, bugs, 1)
	}
	if !m.daemon {
		m.add(s, messages, float64(r.Messages))
		m.add(s, bytes, float64(r.Bytes))
	}
	m.addWord(s, skipped, reasonVanished, float64(r.Vanished))
	m.addWord(s, skipped, reasonQuarantined, float64(r.Quarantined))
	m.add(s, validity, float64(r.Renumbered))
	m.set(s, inflight, 0)
	m.countFailures(s, r.Result)
	if !r.End.IsZero() {
		s.duration.observe(r.End.Sub(r.Start))
	}
}

// countFailures leaves the number as it is when somebody stopped the run.
func (m *Metrics) countFailures(s *series, r Result) {
	switch r {
	case OK:
		m.set(s, failures, 0)
	case Partial, Failed:
		m.add(s, failures, 1)
	}
}

// seconds returns Unix seconds, and 0 for no time.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
