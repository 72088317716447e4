package metrics

import (
	"slices"
	"time"
)

// Planned says that a run going on has n more messages to fetch.
func (m *Metrics) Planned(account string, n int) {
	if s := m.of(account); s != nil {
		m.add(s, inflight, float64(n))
	}
}

// Received says that n more bytes of messages were read.
func (m *Metrics) Received(account string, n int) {
	if s := m.of(account); s != nil {
		m.add(s, bytes, float64(n))
	}
}

// Delivered says that messages were delivered and committed.
func (m *Metrics) Delivered(account string, n int) {
	if s := m.of(account); s != nil {
		m.add(s, messages, float64(n))
		m.add(s, inflight, -float64(n))
		m.set(s, checkpointed, seconds(time.Now()))
	}
}

// Began says that a run began. Nothing is planned for it yet.
func (m *Metrics) Began(account string, at time.Time) {
	if s := m.of(account); s != nil {
		m.set(s, lastAttempt, seconds(at))
		m.set(s, inflight, 0)
	}
}

// SetState says what an account does or waits for. A scrape may see the old
// state and the new one together, and never none.
func (m *Metrics) SetState(account string, to AccountState) {
	s := m.of(account)
	r := m.table[state]
	i, ok := slices.BinarySearch(r.words, string(to))
	if s == nil || !ok {
		return
	}
	s.cells[r.at+i].set(1)
	for other := range r.words {
		if other != i {
			s.cells[r.at+other].set(0)
		}
	}
}

// Next says when an account's next run is due; the zero time means never.
func (m *Metrics) Next(account string, at time.Time) { m.gauge(account, next, seconds(at)) }

// Failures says how many runs failed since the last good one.
func (m *Metrics) Failures(account string, n int) { m.gauge(account, failures, float64(n)) }

// Connections says how many connections to an account's server are open.
func (m *Metrics) Connections(account string, n int) { m.gauge(account, connections, float64(n)) }

// Idle says on how many connections an account's server tells of new mail.
func (m *Metrics) Idle(account string, n int) { m.gauge(account, idle, float64(n)) }

// CertificateExpiry says when the first certificate of the chain that a server
// showed ends.
func (m *Metrics) CertificateExpiry(account string, at time.Time) {
	m.gauge(account, certificate, seconds(at))
}

// ArchiveBytes says how many bytes an account's manifest lists. It is called
// before the account's first run; Archived adds what a run delivered.
func (m *Metrics) ArchiveBytes(account string, n int64) { m.gauge(account, archiveBytes, float64(n)) }

// Archived says that n more bytes were delivered, also by a run that is not
// counted because another goes on with it.
func (m *Metrics) Archived(account string, n int64) {
	if s := m.of(account); s != nil {
		m.add(s, archiveBytes, float64(n))
	}
}

// HookFailed counts a hook that failed.
func (m *Metrics) HookFailed(account string) {
	if s := m.of(account); s != nil {
		m.add(s, hooks, 1)
	}
}

func (m *Metrics) gauge(account string, id metric, v float64) {
	if s := m.of(account); s != nil {
		m.set(s, id, v)
	}
}
