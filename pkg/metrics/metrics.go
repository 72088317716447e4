// Package metrics holds the numbers that mailpull tells Prometheus. table.go
// lists those of the accounts, process.go those of the process; record.go and
// live.go fill them, gather.go reads them.
//
// A label is an account, a volume, a protocol, or a word of a closed list;
// never a mailbox, an address or a server's text. So the number of series
// follows from the configuration, and each is there with zero from the start:
// a counter that appears with its first failure has no increase to alert on.
//
// The numbers of the accounts are not in a prometheus.Registry, which hashes
// and checks each series again at every scrape. A thousand accounts have nearly
// sixty thousand lines: it would take three times as long, and memory too.
package metrics

import (
	"io"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// Result is how a run over one account ended.
type Result string

// The results.
const (
	OK        Result = "ok"        // everything is in the archive
	Partial   Result = "partial"   // some messages or mailboxes failed
	Failed    Result = "failed"    // the account failed
	Cancelled Result = "cancelled" // somebody stopped it
)

// AccountState is what an account of a daemon does, or waits for.
type AccountState string

// The states. An account is in one of them.
const (
	StateOK          AccountState = "ok"           // waits for its next run
	StateRunning     AccountState = "running"      // a run is going on
	StateBackoff     AccountState = "backoff"      // waits longer because runs failed
	StateAuthPaused  AccountState = "auth_paused"  // the server refused the sign-in
	StateQuotaPaused AccountState = "quota_paused" // the server counts bytes
	StateDiskPaused  AccountState = "disk_paused"  // archive or state cannot be written
	StatePaused      AccountState = "paused"       // somebody paused it
)

// AccountStates returns all states.
func AccountStates() []AccountState {
	return []AccountState{
		StateOK, StateRunning, StateBackoff, StateAuthPaused, StateQuotaPaused, StateDiskPaused, StatePaused,
	}
}

// The reasons for which a message is not fetched.
const (
	reasonQuarantined = "quarantined"
	reasonVanished    = "vanished"
)

// Build says which program the numbers come from.
type Build struct{ Version, Revision, GoVersion string }

// Account names an account of the configuration.
type Account struct {
	Name, Protocol string

	// Host is the server's name. Only Provider of it is told.
	Host string

	// Interval is the longest time that may lie between the starts of two
	// runs when all goes well; 0 where nobody runs it by a timetable.
	Interval time.Duration
}

// Metrics are the numbers of all accounts and of the process. It is a
// prometheus.Gatherer. Its methods may be called from any goroutine; none does
// I/O, and what is told of an account that was not added, or was removed, is
// dropped.
type Metrics struct {
	table   []row
	cells   int  // of one account
	daemon  bool // whether the numbers of a daemon are told
	process process

	mu       sync.RWMutex // guards the map, not what is in it
	accounts map[string]*series
}

// New returns the numbers that a run over accounts can tell when it ended.
// All are zero.
func New(build Build, accounts []Account) *Metrics {
	m := newMetrics(build, false)
	for _, a := range accounts {
		m.Add(a)
	}
	return m
}

// NewDaemon returns all numbers, those of the Go runtime and of the operating
// system's process too. Accounts are added as the configuration has them.
//
// Messages and bytes are counted by Delivered and Received, while a run goes
// on; Count leaves them out.
func NewDaemon(build Build) *Metrics { return newMetrics(build, true) }

func newMetrics(build Build, daemon bool) *Metrics {
	m := &Metrics{daemon: daemon, accounts: make(map[string]*series)}
	m.table, m.cells = table()
	m.process = newProcess(build, daemon)
	return m
}

// Registry is where others that live in the same process register their
// numbers, such as those of the HTTP handler. Their names must not be those
// of an account's numbers.
func (m *Metrics) Registry() *prometheus.Registry { return m.process.registry }

// Add makes every series of an account, with zero. Of one that is there
// already it changes what a says and keeps the numbers.
func (m *Metrics) Add(a Account) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.accounts[a.Name]
	if !ok {
		s = newSeries(a.Name, m.cells)
	}
	m.accounts[a.Name] = s.named(a)
	m.set(s, interval, a.Interval.Seconds())
}

// Remove drops every series of an account.
func (m *Metrics) Remove(account string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.accounts, account)
}

// of returns an account's series, or nil.
func (m *Metrics) of(account string) *series {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.accounts[account]
}

// Write writes what g gathers in the text format of Prometheus.
func Write(w io.Writer, g prometheus.Gatherer) error {
	families, err := g.Gather()
	if err != nil {
		return err
	}
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(w, family); err != nil {
			return err
		}
	}
	return nil
}
