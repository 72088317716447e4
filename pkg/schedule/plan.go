package schedule

import (
	"fmt"
	"hash/fnv"
	"time"

	"github.com/adhocore/gronx"
)

// Plan says when an account is due, by Every or by Cron.
type Plan struct {
	// Account gives the plan its place between two times of Every: the same at
	// every start, and another one for each account.
	Account string

	// Every is the time from one pass to the next, 0 when Cron is set. Jitter
	// is the part of it, from 0 to 0.5, by which a pass comes later by chance.
	Every  time.Duration
	Jitter float64

	// Cron has five fields, as in crontab(5), read in Location; nil means
	// time.Local.
	Cron     string
	Location *time.Location
}

// Next returns when the account is due after t. chance returns a number from 0
// to 1; nil means no jitter.
//
// A time of cron that the change to summer time leaves out counts as the hour
// that follows, and one that the change back has twice counts once.
func (p Plan) Next(t time.Time, chance func() float64) time.Time {
	if p.Cron != "" {
		return p.nextCron(t)
	}
	every := max(p.Every, time.Second)
	offset := time.Duration(hash(p.Account) % uint64(every))
	since := t.Sub(time.Unix(0, 0).Add(offset))
	next := t.Add(every - since%every)
	if chance != nil {
		next = next.Add(time.Duration(chance() * p.Jitter * float64(every)))
	}
	return next.Round(0)
}

// Longest returns the longest time from one pass to the next. A plan by cron
// has one of a week at most as far as anybody needs to know.
func (p Plan) Longest(t time.Time) time.Duration {
	if p.Cron == "" {
		return p.Every + time.Duration(p.Jitter*float64(p.Every))
	}
	longest, end := time.Duration(0), t.Add(8*24*time.Hour)
	for i := 0; i < 150 && t.Before(end); i++ {
		next := p.nextCron(t)
		longest, t = max(longest, next.Sub(t)), next
	}
	return longest
}

// nextCron works with clock times that know no zone, so that the library meets
// no change of the clock, and turns what it finds into a time of the zone.
func (p Plan) nextCron(t time.Time) time.Time {
	location := p.Location
	if location == nil {
		location = time.Local
	}
	local := wallOf(t.In(location))
	for range maxDoubled {
		next, err := gronx.NextTickAfter(p.Cron, local, false)
		if err != nil {
			return t.Add(never) // config refuses what never comes
		}
		if at := inZone(next, location); at.After(t) {
			return at
		}
		local = next // the second of two equal clock times
	}
	return t.Add(never)
}

const (
	// never is when a plan is due that is never due.
	never = 366 * 24 * time.Hour

	// maxDoubled is more than the minutes that a change back has twice.
	maxDoubled = 200
)

// wallOf returns the clock time of t as if it were one of UTC.
func wallOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// inZone returns the first time at which clocks of the zone show what t shows in
// UTC. A clock time that is left out gives the time at which the clock was
// changed.
func inZone(t time.Time, location *time.Location) time.Time {
	at := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, location)
	start, end := at.ZoneBounds()
	switch shown := wallOf(at); {
	case shown.After(t):
		return start // left out, and Date counted from before the change
	case shown.Before(t):
		return end
	}
	// Date does not say which of two equal clock times it gives.
	_, offset := at.Zone()
	_, before := start.Add(-time.Second).Zone()
	if first := at.Add(time.Duration(offset-before) * time.Second); !start.IsZero() && first.Before(start) && wallOf(first) == t {
		return first
	}
	return at
}

// CheckCron reports what is wrong with an expression of cron.
func CheckCron(expr string) error {
	if !gronx.IsValid(expr) {
		return fmt.Errorf("%q is not an expression of cron", expr)
	}
	return nil
}

// hash spreads names evenly, the same way at every start.
func hash(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // it never fails
	sum := h.Sum64()
	return sum ^ sum>>33 // names that differ in the last letter differ everywhere
}
