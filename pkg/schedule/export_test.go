package schedule

import "time"

// NewWithClock returns a Scheduler with a wall clock and a chance of the test's.
func NewWithClock(o Options, clock func() time.Time, chance func() float64) *Scheduler {
	return newScheduler(o, clock, chance)
}
