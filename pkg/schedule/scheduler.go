package schedule

import (
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Errors that callers test for.
var (
	ErrUnknown = errors.New("the timetable has no such account")
	ErrPaused  = errors.New("the account is paused")
)

// Turn is what one pass is told.
type Turn struct {
	// Backlog is set when the pass is to work off what is left; otherwise it
	// brings news, a bounded number of messages of each mailbox.
	Backlog bool

	// Yield reports whether the pass is to end soon: others wait for what it
	// holds, or its window has closed. It returns at once.
	Yield func() bool
}

// Job is an account in the timetable.
type Job struct {
	Account string
	Plan    Plan
	Window  Window

	// Host is where a pass takes Connections from the bound of each host.
	Host        string
	Connections int

	// Last is when the last pass began, zero for never.
	Last time.Time

	// Memory is what was remembered of the account, and Remember is called with
	// what is to be remembered now: before the next pass begins, one call at a
	// time, from any goroutine.
	Memory   Memory
	Remember func(Memory)

	// Fingerprint tells whether what the account signs in with is still what
	// it was when before was made: it returns before then, else another value,
	// and some value when before is empty. It may take its time.
	Fingerprint func(before string) string

	// Pass makes a pass. It returns soon after ctx ends. A panic counts as a
	// failure of this machine.
	Pass func(ctx context.Context, turn Turn) Outcome

	// Ended is called when nobody need wait for the account any more: when a pass
	// has ended and no turn for the backlog follows it now, when the window closes
	// before that turn, and when the account is paused before its turn; paused says
	// that it is. What the last pass taught was handed to Remember and Status tells
	// it. It can be called more than once, returns at once and calls no method of
	// the Scheduler. It may be nil.
	Ended func(paused bool)
}

// Options bounds what runs at once. The zero value of a field means its
// default.
type Options struct {
	Passes  int // 4 at once
	PerHost int // 10 connections to one host
	Log     *slog.Logger
}

// Scheduler runs the passes of many accounts. Its methods may be called from
// any goroutine.
type Scheduler struct {
	o      Options
	log    *slog.Logger
	clock  func() time.Time
	chance func() float64

	poke  chan struct{}  // the loop has something to look at
	ended chan struct{}  // closed when the loop is over
	group sync.WaitGroup // running passes

	mu        sync.Mutex // guards what is below
	entries   map[string]*entry
	due       dueHeap
	news      queue
	backlog   queue
	newsFirst time.Time      // until then no backlog goes before news
	running   int            // passes
	hosts     map[string]int // connections in use
	looked    time.Time      // when the loop last looked, by the monotonic clock
	lastWall  time.Time      // and what the wall clock showed
	closed    bool
}

// New returns a Scheduler without accounts, whose loop runs. Drain ends it.
func New(o Options) *Scheduler { return newScheduler(o, time.Now, rand.Float64) }

func newScheduler(o Options, clock func() time.Time, chance func() float64) *Scheduler {
	if o.Passes == 0 {
		o.Passes = 4
	}
	if o.PerHost == 0 {
		o.PerHost = 10
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Scheduler{
		o: o, log: o.Log, clock: clock, chance: chance,
		poke: make(chan struct{}, 1), ended: make(chan struct{}),
		entries: make(map[string]*entry), hosts: make(map[string]int), looked: time.Now(), lastWall: clock().Round(0),
	}
	go s.loop() // Drain waits for it
	return s
}

// Put adds an account, or replaces one whose configuration changed: the pass
// that runs is stopped, and refused sign-ins are forgotten.
func (s *Scheduler) Put(job Job) {
	s.mu.Lock()
	e := s.entries[job.Account]
	switch {
	case s.closed:
	case e == nil:
		e = s.add(job)
		s.plan(e, s.first(e, s.now()))
	case e.cancel != nil:
		e.successor = &job
		e.cancel()
	default:
		e.successor = &job
		e = s.replace(e)
	}
	s.look()
	s.mu.Unlock()
	if e != nil {
		s.remember(e)
	}
}

// replace puts an entry's successor in its place, due at once. The caller holds
// the lock, and remembers it when it has let go.
func (s *Scheduler) replace(old *entry) *entry {
	s.unplan(old)
	s.dequeue(old)
	old.replaced = true
	job := *old.successor
	job.Memory = Memory{Paused: old.memory.Paused}
	e := s.add(job)
	e.keeper, e.left = old.keeper, old.left
	s.plan(e, s.now())
	return e
}

// add puts an entry in. The caller holds the lock.
func (s *Scheduler) add(job Job) *entry {
	job.Connections = min(max(job.Connections, 1), s.o.PerHost)
	e := &entry{job: job, memory: job.Memory, keeper: &keeper{kept: job.Memory}, gone: make(chan struct{}), place: -1, longest: job.Plan.Longest(s.now())}
	s.entries[job.Account] = e
	return e
}

// first is when an account that comes into the timetable is due. What is
// overdue comes at once, with a spread that grows with the number of accounts:
// the start of a daemon is no stampede.
func (s *Scheduler) first(e *entry, now time.Time) time.Time {
	last := e.job.Last
	if last.After(now) {
		last = time.Time{} // the clock was wrong then, or is now
	}
	next := now
	if !last.IsZero() {
		next = e.job.Plan.Next(last, s.chance)
	}
	if !next.After(now) {
		next = now.Add(s.spread())
	}
	if e.memory.waits(now) {
		return later(next, e.memory.NotBefore)
	}
	return next
}

// spread is a delay by chance: 50 ms for each account that there is.
func (s *Scheduler) spread() time.Duration {
	return time.Duration(s.chance() * float64(len(s.entries)-1) * float64(50*time.Millisecond))
}

// Remove takes an account out, stops its pass, and returns when that has ended.
func (s *Scheduler) Remove(account string) {
	s.mu.Lock()
	e := s.entries[account]
	if e == nil {
		s.mu.Unlock()
		return
	}
	delete(s.entries, account)
	s.unplan(e)
	s.dequeue(e)
	e.successor, e.removed = nil, true
	if e.cancel == nil {
		close(e.gone)
	} else {
		e.cancel()
	}
	s.mu.Unlock()
	<-e.gone
}

// Wake says that there is news for an account. It is due at once, unless it
// runs, when it is due again, or is to be left alone.
func (s *Scheduler) Wake(account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[account]
	if e == nil || s.closed || e.memory.Paused || e.memory.SignInPaused() || e.memory.waits(s.now()) {
		return
	}
	s.request(e)
}

// PullNow makes an account due at once because an operator asks, also when it
// is to be left alone: stopped by refused sign-ins it signs in once. The error
// is ErrUnknown or ErrPaused.
func (s *Scheduler) PullNow(account string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[account]
	switch {
	case e == nil || s.closed:
		return ErrUnknown
	case e.memory.Paused:
		return ErrPaused
	}
	e.forced = true
	s.request(e)
	return nil
}

// request makes an entry due. The caller holds the lock.
func (s *Scheduler) request(e *entry) {
	if e.cancel != nil {
		e.again = true
		return
	}
	s.enqueue(e, news)
	s.look()
}

// Pause lets no pass over the account begin until Resume. One that runs goes
// on. The error is ErrUnknown.
func (s *Scheduler) Pause(account string) error {
	return s.change(account, func(e *entry) {
		e.memory.Paused = true
		s.dequeue(e)
		s.unplan(e)
		s.settle(e)
	})
}

// Resume ends a pause, and forgets failures and refused sign-ins. The account
// is due at once. The error is ErrUnknown.
func (s *Scheduler) Resume(account string) error {
	return s.change(account, func(e *entry) {
		e.memory = Memory{}
		s.request(e)
	})
}

// change does something with an entry and remembers it.
func (s *Scheduler) change(account string, do func(*entry)) error {
	s.mu.Lock()
	e := s.entries[account]
	if e == nil || s.closed {
		s.mu.Unlock()
		return ErrUnknown
	}
	do(e)
	s.mu.Unlock()
	s.remember(e)
	return nil
}

// Status returns how each account is, in no order.
func (s *Scheduler) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	list := make([]Status, 0, len(s.entries))
	for _, e := range s.entries {
		list = append(list, e.status(now))
	}
	return list
}

// Late returns how long the loop has not looked at the clock, beyond the minute
// at which it does: whether it is stuck.
func (s *Scheduler) Late() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(0, time.Since(s.looked)-slice)
}

// Drain ends the timetable: no pass begins, running ones are stopped, and it
// returns when all have ended, or with ctx.
func (s *Scheduler) Drain(ctx context.Context) {
	s.mu.Lock()
	s.closed = true
	for _, e := range s.entries {
		if e.cancel != nil {
			e.cancel()
		}
	}
	s.look()
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { // it ends with the last pass
		<-s.ended
		s.group.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// now is the wall clock.
func (s *Scheduler) now() time.Time { return s.clock().Round(0) }

// look wakes the loop.
func (s *Scheduler) look() {
	select {
	case s.poke <- struct{}{}:
	default: // it will look anyway
	}
}

// plan sets when an entry is due. The caller holds the lock.
func (s *Scheduler) plan(e *entry, at time.Time) {
	s.unplan(e)
	e.next = at.Round(0)
	if !e.memory.Paused {
		heap.Push(&s.due, e)
	}
}

// unplan takes an entry out of those that become due. The caller holds the lock.
func (s *Scheduler) unplan(e *entry) {
	if e.place >= 0 {
		heap.Remove(&s.due, e.place)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
