package faults

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"time"

	"mailpull/pkg/mail"
)

// l3CalmRounds is how many rounds without faults may pass at the end until
// every account is complete. One has to be enough but where a sign-in was
// refused, or a disk was full, at the very end.
const l3CalmRounds = 5

// l3Group is some accounts and the worker that pulls them. Its methods belong
// to one goroutine.
type l3Group struct {
	soak           *l3Soak
	name           string
	archive, state string
	rng            *rand.Rand
	mortal         bool    // the worker is killed now and then
	disk           *l3Disk // which the group alone has and which runs full, or nil

	// windows counts the times that the disk began to be full or ended it: it
	// is odd while the disk is full.
	windows atomic.Int64

	accounts []*l3Account // changed under soak.mu, which others read it under
	settling map[*l3Account]bool
	serial   int
	lives    int
	child    *l3Child
	lastly   time.Duration // what the last round took
}

// run has workers live and die until the time is over, and brings the accounts
// to a clean end once the weather is fair.
func (g *l3Group) run(ctx context.Context, weather <-chan struct{}) error {
	for ctx.Err() == nil {
		if err := g.life(ctx); err != nil {
			return err
		}
	}
	<-weather
	if g.soak.failed() {
		return nil
	}
	return g.end()
}

// start starts a worker where there is none.
func (g *l3Group) start() (err error) {
	if g.child == nil {
		g.lives++
		// Two logs are kept: of this life and of the one before.
		g.child, err = l3Start(filepath.Join(g.soak.dir, fmt.Sprintf("%s-%d.log", g.name, g.lives%2)))
	}
	return err
}

// bury waits for a worker that was killed.
func (g *l3Group) bury() {
	g.child.kill()
	_ = g.child.wait() // "signal: killed"
	g.child = nil
}

// life is one worker's life, or what is left of it when the time is over.
func (g *l3Group) life(ctx context.Context) error {
	if err := g.start(); err != nil {
		return err
	}
	due := time.Now().Add(time.Duration(30+g.rng.IntN(61)) * time.Second)
	for ctx.Err() == nil {
		if g.mortal && time.Now().After(due) {
			return g.lastRound()
		}
		windows := g.windows.Load()
		if err := g.round(); err != nil {
			return err
		}
		if g.windows.Load() > windows { // what a full disk left
			if err := g.judgeAll(false); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(200+g.rng.IntN(1000)) * time.Millisecond):
		}
	}
	return nil
}

// order names the accounts as they are now.
func (g *l3Group) order() l3Order {
	order := l3Order{Archive: g.archive, State: g.state, CAFile: g.soak.caFile}
	for _, a := range g.accounts {
		order.Accounts = append(order.Accounts, l3Login{a.name, a.host.protocol, a.host.security, a.port, a.calm.Load() || a.host.calm.Load()})
	}
	return order
}

// lastRound kills the worker in the middle of a round. Mail comes first, so
// that there is something to break off. Half of the kills fall soon after one
// account's bodies were asked for, when batches are written and committed; the
// others anywhere, more often early in the round than late, when only the
// stalled accounts are left.
func (g *l3Group) lastRound() error {
	for range 4 {
		if a := g.accounts[g.rng.IntN(len(g.accounts))]; !g.settling[a] {
			g.soak.arrive(a, 1+g.rng.IntN(30))
		}
	}
	delay := time.Duration(float64(g.lastly) * math.Pow(g.rng.Float64(), 3))
	if g.rng.IntN(2) == 0 {
		delay = g.lastly
		child := g.child // a late timer must not meet the next one
		for _, a := range g.accounts {
			soon := time.Duration(g.rng.IntN(60_000)) * time.Microsecond
			kill := func() { time.AfterFunc(soon, child.kill) }
			a.onFetch.Store(&kill)
			defer a.onFetch.Store(nil)
		}
	}
	timer := time.AfterFunc(delay, g.child.kill)
	_, err := g.child.round(g.order())
	timer.Stop()
	if err != nil {
		g.soak.tally.midRound.Add(1)
	}
	g.bury()
	g.soak.tally.kills.Add(1)
	return g.judgeAll(false)
}

// round has the worker make one round, and looks at what it says.
func (g *l3Group) round() error {
	for _, a := range g.accounts {
		if a.full() {
			a.calm.Store(true)
			g.settling[a] = true
		}
	}
	begin, windows := time.Now(), g.windows.Load()
	report, err := g.child.round(g.order())
	if err != nil {
		log := g.child.log.Name()
		g.bury()
		return fmt.Errorf("the worker of %s ended by itself, its log is %s: %w", g.name, log, err)
	}
	g.lastly = time.Since(begin)
	g.soak.tally.rounds.Add(1)
	full := windows%2 == 1 || g.windows.Load() > windows
	if !g.mortal {
		g.soak.result.sample(report)
	}
	for i, o := range report.Outcomes {
		if err := l3Expected(o, full); err != nil {
			return err
		}
		if a := g.accounts[i]; o.Err == "" && g.settling[a] {
			if err := g.replace(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// l3Expected refuses the outcomes that no fault of the soak accounts for: a
// bug, a lock that nobody can hold, a disk that refused although it had room.
func l3Expected(o l3Outcome, full bool) error {
	switch {
	case o.Locked:
	case o.Err == "":
		return nil
	case o.Class == mail.ClassDisk && full:
		return nil
	case o.Class == mail.ClassDisk, o.Class == mail.ClassLocal, o.Class == mail.ClassConfig:
	default:
		return nil
	}
	return fmt.Errorf("%s: no fault accounts for this: locked %v, class %q: %s", o.Account, o.Locked, o.Class, o.Err)
}

// replace retires an account, and a new one takes its place on the same host.
func (g *l3Group) replace(i int) error {
	old := g.accounts[i]
	if err := g.retire(old); err != nil {
		return err
	}
	g.soak.tally.retired.Add(1)
	delete(g.settling, old)
	return g.add(i, old.host)
}

// add puts a new account in a place.
func (g *l3Group) add(i int, host *l3Host) error {
	g.serial++
	a, err := l3NewAccount(fmt.Sprintf("%s-%d", g.name, g.serial), host, g.rng.Uint64())
	if err != nil {
		return err
	}
	g.soak.mu.Lock()
	defer g.soak.mu.Unlock()
	g.accounts[i] = a
	return nil
}

// end makes rounds without faults until every account is complete, and has the
// oracle judge them.
func (g *l3Group) end() error {
	if err := g.start(); err != nil {
		return err
	}
	for n := 1; ; n++ {
		report, err := g.child.round(g.order())
		if err != nil {
			return fmt.Errorf("the worker of %s ended by itself at the end: %w", g.name, err)
		}
		incomplete := ""
		for _, o := range report.Outcomes {
			if o.Err != "" {
				incomplete = o.Account + ": " + o.Err
			}
		}
		if incomplete == "" {
			break
		}
		if n == l3CalmRounds {
			return fmt.Errorf("not complete after %d rounds without faults: %s", n, incomplete)
		}
	}
	err := g.child.wait()
	g.child = nil
	if err != nil {
		return fmt.Errorf("the worker of %s did not end well: %w", g.name, err)
	}
	if err := g.judgeAll(true); err != nil {
		return err
	}
	for _, a := range g.accounts {
		if err := g.count(a); err != nil {
			return err
		}
	}
	return nil
}

// close lets go of everything, whether run has come to its end or not.
func (g *l3Group) close() {
	if g.child != nil {
		g.bury()
	}
	for _, a := range g.accounts {
		a.close()
	}
}
