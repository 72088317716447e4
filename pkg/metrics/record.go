package metrics

import (
	"time"

	"mailpull/pkg/mail"
)

// nativeReset is how seldom a native histogram may forget what it has, to
// stay within its number of buckets.
const nativeReset = time.Hour

// State is what an account's records say, without asking a server. A time may
// be zero.
type State struct {
	LastSuccess, LastAttempt time.Time

	// Server counts what was listed last, Pending what of it is missing.
	Server, Pending, Archived, Quarantined int
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

// Restore sets an account's gauges.
func (m *Metrics) Restore(account string, s State) {
	m.lastSuccess.WithLabelValues(account).Set(seconds(s.LastSuccess))
	m.lastAttempt.WithLabelValues(account).Set(seconds(s.LastAttempt))
	m.server.WithLabelValues(account).Set(float64(s.Server))
	m.pending.WithLabelValues(account).Set(float64(s.Pending))
	m.archived.WithLabelValues(account).Set(float64(s.Archived))
	m.quarantined.WithLabelValues(account).Set(float64(s.Quarantined))
}

// Count adds a run to an account's counters.
func (m *Metrics) Count(account string, r Run) {
	m.runs.WithLabelValues(account, string(r.Result)).Inc()
	if r.Class != "" {
		m.errors.WithLabelValues(account, string(r.Class)).Inc()
	}
	if r.Panicked {
		m.bugs.WithLabelValues(account).Inc()
	}
	m.messages.WithLabelValues(account).Add(float64(r.Messages))
	m.bytes.WithLabelValues(account).Add(float64(r.Bytes))
	m.skipped.WithLabelValues(account, reasonVanished).Add(float64(r.Vanished))
	m.skipped.WithLabelValues(account, reasonQuarantined).Add(float64(r.Quarantined))
	m.validity.WithLabelValues(account).Add(float64(r.Renumbered))
	if !r.End.IsZero() {
		m.duration.WithLabelValues(account).Observe(r.End.Sub(r.Start).Seconds())
	}
}

// seconds returns Unix seconds, and 0 for no time.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
