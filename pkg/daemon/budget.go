package daemon

import (
	"sync/atomic"
	"time"

	"mailpull/pkg/pull"
)

// budget is what one run may take in all. When it is used up, each pass ends
// between two groups of messages; what was settled is committed.
type budget struct {
	until time.Time // zero: no limit
	bytes int64     // 0: no limit
	taken atomic.Int64
}

func newBudget(o Options) *budget {
	b := &budget{bytes: o.MaxBytes}
	if o.MaxRuntime > 0 {
		b.until = time.Now().Add(o.MaxRuntime)
	}
	return b
}

// spent reports whether nothing is left.
func (b *budget) spent() bool {
	return !b.until.IsZero() && !time.Now().Before(b.until) || b.bytes > 0 && b.taken.Load() >= b.bytes
}

// counted is an observer that takes what is received from a budget.
type counted struct {
	pull.Observer
	budget *budget
}

// Received implements pull.Observer.
func (c counted) Received(n int) {
	c.budget.taken.Add(int64(n))
	c.Observer.Received(n)
}
