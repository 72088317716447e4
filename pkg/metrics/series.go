package metrics

import (
	"math"
	"slices"
	"sync/atomic"

	dto "github.com/prometheus/client_model/go"
)

// series are the numbers of one account. All but info is shared by the
// versions of it that named returns.
type series struct {
	account  *dto.LabelPair
	info     []*dto.LabelPair
	cells    []cell
	duration *duration
}

func newSeries(account string, cells int) *series {
	return &series{account: pair("account", account), cells: make([]cell, cells), duration: newDuration(account)}
}

// named returns the series with what a says. The old one is left as it is, for
// a scrape may be reading it.
func (s *series) named(a Account) *series {
	named := *s
	named.info = []*dto.LabelPair{s.account, pair("protocol", a.Protocol), pair("provider", Provider(a.Host))}
	return &named
}

// cell is a number that several goroutines may change.
type cell struct{ bits atomic.Uint64 }

func (c *cell) get() float64  { return math.Float64frombits(c.bits.Load()) }
func (c *cell) set(v float64) { c.bits.Store(math.Float64bits(v)) }

// add adds v and stays at or above zero.
func (c *cell) add(v float64) {
	for {
		old := c.bits.Load()
		sum := max(0, math.Float64frombits(old)+v)
		if c.bits.CompareAndSwap(old, math.Float64bits(sum)) {
			return
		}
	}
}

func (m *Metrics) set(s *series, id metric, v float64) { s.cells[m.table[id].at].set(v) }
func (m *Metrics) add(s *series, id metric, v float64) { s.cells[m.table[id].at].add(v) }

// inc counts one for a word. A word that is not in the list is dropped.
func (m *Metrics) inc(s *series, id metric, word string) { m.addWord(s, id, word, 1) }

func (m *Metrics) addWord(s *series, id metric, word string, v float64) {
	if i, ok := slices.BinarySearch(m.table[id].words, word); ok {
		s.cells[m.table[id].at+i].add(v)
	}
}

func pair(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }
