package faults

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// l3Tick is how often the weather may change.
	l3Tick = 250 * time.Millisecond

	// l3Rate is how many messages arrive in a tick on average, over all
	// accounts: the load is to leave most of the machine to others.
	l3Rate = 12
)

// l3Weather is all that happens by itself: mail that comes and goes, servers
// that refuse, a disk that runs full. It belongs to one goroutine.
type l3Weather struct {
	soak  *l3Soak
	rng   *rand.Rand
	until map[*l3Host]time.Time // when the host changes next
	bad   map[*l3Host]bool
	disk  time.Time // when the small disk changes next
	n     int
}

func (s *l3Soak) newWeather() *l3Weather {
	w := &l3Weather{soak: s, rng: s.random(100), until: make(map[*l3Host]time.Time), bad: make(map[*l3Host]bool)}
	for _, h := range s.hosts {
		w.until[h] = w.in(10, 60)
	}
	w.disk = w.in(15, 40)
	return w
}

// in returns a moment between so many seconds from now.
func (w *l3Weather) in(least, most int) time.Time {
	return time.Now().Add(time.Duration(least*1000+w.rng.IntN((most-least)*1000)) * time.Millisecond)
}

// run changes the weather until the time is over, and ends with fair weather.
func (w *l3Weather) run(ctx context.Context) error {
	ticker := time.NewTicker(l3Tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			w.soak.calm.Store(true)
			for _, h := range w.soak.hosts {
				h.renew(w.n, false)
			}
			return w.full(false)
		case <-ticker.C:
			w.n++
			w.mail()
			w.servers()
			if err := w.disks(); err != nil {
				return err
			}
		}
	}
}

// mail lets messages come and go, and now and then many come at once.
func (w *l3Weather) mail() {
	accounts := w.soak.current()
	some := func() *l3Account { return accounts[w.rng.IntN(len(accounts))] }
	for range 2 {
		w.soak.arrive(some(), w.rng.IntN(l3Rate))
	}
	if w.rng.IntN(100) == 0 {
		w.soak.arrive(some(), l3Rate*10+w.rng.IntN(l3Rate*5))
	}
	if a := some(); w.rng.IntN(20) == 0 && !a.calm.Load() {
		w.soak.tally.removed.Add(int64(a.remove(1 + w.rng.IntN(4))))
	}
	if a := some(); w.rng.IntN(60) == 0 && !a.calm.Load() {
		a.renumber()
		w.soak.tally.renumbered.Add(1)
	}
}

// servers has each server turn bad for some seconds now and then: a
// certificate that must be refused, or sign-ins that are.
func (w *l3Weather) servers() {
	for _, h := range w.soak.hosts {
		if time.Now().Before(w.until[h]) {
			continue
		}
		w.bad[h] = !w.bad[h]
		if !w.bad[h] {
			h.refusing.Store(false)
			h.renew(w.n, false)
			w.until[h] = w.in(40, 120)
			continue
		}
		if w.rng.IntN(2) == 0 {
			h.refusing.Store(true)
		} else {
			h.renew(w.n, true)
		}
		w.until[h] = w.in(3, 8)
	}
}

// disks fills the small disk for some seconds now and then.
func (w *l3Weather) disks() error {
	if time.Now().Before(w.disk) {
		return nil
	}
	full := w.soak.small.windows.Load()%2 == 0
	w.disk = w.in(30, 70)
	if full {
		w.disk = w.in(4, 10)
	}
	return w.full(full)
}

// full fills the disk, but for a little that lets a pass begin and not end, or
// gives the space back.
func (w *l3Weather) full(full bool) error {
	g := w.soak.small
	switch {
	case g.disk == nil || full == (g.windows.Load()%2 == 1):
		return nil
	case full:
		g.windows.Add(1)
		w.soak.tally.full.Add(1)
		return g.disk.fill(int64(w.rng.IntN(400_000)))
	}
	if err := g.disk.free(); err != nil {
		return err
	}
	g.windows.Add(1)
	return nil
}
