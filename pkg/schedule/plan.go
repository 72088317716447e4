package schedule

import (
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

// Longest returns the longest time from one pass to the next, as far as a week
// after the first one that is due after t can tell. It knows no changes of the
// clock.
func (p Plan) Longest(t time.Time) time.Duration {
	if p.Cron == "" {
		return p.Every + time.Duration(p.Jitter*float64(p.Every))
	}
	at := p.tick(wallOf(t.In(p.location())))
	each, end := at.Add(2*time.Hour), at.Add(8*24*time.Hour)
	longest := time.Duration(0)
	for at.Before(end) {
		next := p.tick(at)
		if longest = max(longest, next.Sub(at)); next.After(each) {
			next = p.skip(next, max(longest, time.Hour))
		}
		at = next
	}
	return longest
}

// tick returns the first time of cron after a clock time without a zone.
func (p Plan) tick(local time.Time) time.Time {
	next, err := gronx.NextTickAfter(p.Cron, local, false)
	if err != nil || !next.After(local) {
		return local.Add(never) // config refuses what never comes
	}
	return next
}

// skip returns the last time of cron within d of one. No two times between
// them are further apart than d, and that is all that Longest looks for: the
// minutes are the same in each hour, so it has seen what is shorter than one.
func (p Plan) skip(local time.Time, d time.Duration) time.Time {
	last, err := gronx.PrevTickBefore(p.Cron, local.Add(d), true)
	if err != nil || last.Before(local) {
		return local
	}
	return last
}

// nextCron works with clock times that know no zone, so that the library meets
// no change of the clock, and turns what it finds into a time of the zone.
func (p Plan) nextCron(t time.Time) time.Time {
	location := p.location()
	local := wallOf(t.In(location))
	for range maxDoubled {
		local = p.tick(local)
		if at := inZone(local, location); at.After(t) {
			return at
		} // else it is the second of two equal clock times
	}
	return t.Add(never)
}

func (p Plan) location() *time.Location {
	if p.Location == nil {
		return time.Local
	}
	return p.Location
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

// hash spreads names evenly, the same way at every start.
func hash(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // it never fails
	sum := h.Sum64()
	return sum ^ sum>>33 // names that differ in the last letter differ everywhere
}
