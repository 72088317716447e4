package schedule

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"mailpull/pkg/mail"
)

// run makes a pass on a goroutine of its own.
func (s *Scheduler) run(ctx context.Context, e *entry, forced bool) {
	s.mu.Lock()
	m, job, turn := e.memory, e.job, e.turn
	s.mu.Unlock()
	if !forced && !m.MaySignIn(s.now(), job.Fingerprint) {
		s.end(e, nil)
		return
	}
	s.mu.Lock()
	e.asking = false
	s.mu.Unlock()
	o := s.pass(ctx, job, Turn{Backlog: turn == backlogs, Yield: func() bool { return s.yield(e) }})
	s.learn(e, job, o)
	s.end(e, &o)
}

// pass calls a job's Pass. Whoever makes the pass knows its own panics; one that
// gets here must not end the others, nor keep the slot.
func (s *Scheduler) pass(ctx context.Context, job Job, turn Turn) (o Outcome) {
	defer func() {
		if v := recover(); v != nil {
			s.log.Error("panic", "account", job.Account, "err", fmt.Sprint(v), "stack", string(debug.Stack()))
			o = Outcome{Class: mail.ClassLocal}
		}
	}()
	return job.Pass(ctx, turn)
}

// learn keeps what an outcome teaches.
func (s *Scheduler) learn(e *entry, job Job, o Outcome) {
	s.mu.Lock()
	e.memory = e.memory.Learn(o, s.now(), s.chance)
	m := e.memory
	s.mu.Unlock()
	if m.SignInPaused() && o.Class == mail.ClassAuth {
		fingerprint := job.Fingerprint(m.Fingerprint)
		s.mu.Lock()
		if e.memory.SignInPaused() { // nobody resumed it meanwhile
			e.memory.Fingerprint = fingerprint
		}
		s.mu.Unlock()
		s.log.Error("sign-in paused", "account", job.Account, "refusals", m.Refusals, "until", m.NextProbe)
	}
	s.remember(e)
}

// remember hands on what is to be remembered, if that is anything new. An entry
// that was replaced has nothing to say any more.
func (s *Scheduler) remember(e *entry) {
	e.keeper.mu.Lock()
	defer e.keeper.mu.Unlock()
	s.mu.Lock()
	m, replaced := e.memory, e.replaced
	s.mu.Unlock()
	if replaced || m == e.keeper.kept {
		return
	}
	e.keeper.kept = m
	if e.job.Remember != nil {
		e.job.Remember(m)
	}
}

// end gives back what a pass held, and plans the next one. o is nil when there
// was none, because sign-in is paused.
func (s *Scheduler) end(e *entry, o *Outcome) {
	s.mu.Lock()
	e.cancel() // of a context that nobody uses any more
	e.cancel, e.asking = nil, false
	s.running--
	if s.hosts[e.job.Host] -= e.job.Connections; s.hosts[e.job.Host] == 0 {
		delete(s.hosts, e.job.Host)
	}
	if e.wentFirst {
		e.wentFirst, s.newsFirst = false, later(s.newsFirst, s.now().Add(minTurn))
	}
	var successor *entry
	switch {
	case e.removed:
		close(e.gone)
	case s.closed:
	case e.successor != nil:
		successor = s.replace(e)
	default:
		s.planNext(e, o)
	}
	s.settle(e)
	s.look()
	s.mu.Unlock()
	if successor != nil {
		s.remember(successor)
	}
}

// settle calls Ended, unless a turn of the entry runs or waits for nothing but
// room. The caller holds the lock.
func (s *Scheduler) settle(e *entry) {
	waits := e.queued == news || e.queued == backlogs && e.job.Window.Open(s.now())
	if e.cancel == nil && !waits && e.job.Ended != nil {
		e.job.Ended(e.memory.Paused)
	}
}

// planNext says when an entry is due after a pass. The caller holds the lock.
func (s *Scheduler) planNext(e *entry, o *Outcome) {
	s.plan(e, s.after(e))
	if o == nil || o.Class != "" && !o.Partial || o.Interrupted || o.Locked {
		return
	}
	goesOn := e.goesOn(*o)
	if e.left = o.Left; e.left > 0 && goesOn && !e.memory.Paused {
		s.enqueue(e, backlogs)
	}
}

// goesOn reports whether a turn for the backlog may come at once behind the one
// that ended. Where something failed, it is to make sense.
func (e *entry) goesOn(o Outcome) bool {
	switch {
	case o.Class == "":
		return true
	case o.After > 0, o.Class == mail.ClassThrottled, o.Class == mail.ClassQuota:
		return false // the server asks to be left alone
	}
	// What brought nothing would bring nothing at once either. Messages that
	// were found in the archive are fewer left, and not new.
	return e.turn == news || o.New > 0 || o.Left < e.left
}

// after returns when an entry is due after a pass. The caller holds the lock.
func (s *Scheduler) after(e *entry) time.Time {
	now, m := s.now(), e.memory
	next := e.job.Plan.Next(now, s.chance)
	switch {
	case e.forced:
		return now // an operator asked while it ran
	case m.SignInPaused() && m.probeWaits(now):
		if m.NextProbe.Before(next) {
			next = m.NextProbe
		}
		return later(next, m.NotBefore) // a new secret may have met another error
	case m.waits(now) && m.Class == mail.ClassConfig:
		return later(next, m.NotBefore) // it waits for a person, and not for the server
	case m.waits(now):
		return m.NotBefore
	case e.again:
		return now
	}
	return next
}

// yield reports whether the pass of an entry is to end soon.
func (s *Scheduler) yield(e *entry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	switch {
	case s.closed || e.successor != nil || e.removed:
		return true
	case e.turn == backlogs && !e.job.Window.Open(now):
		return true
	case now.Sub(e.began) < minTurn:
		return false
	case e.turn == backlogs && e.again:
		return true
	}
	return s.inTheWay(e)
}

// inTheWay reports whether news waits for what the pass of an entry holds.
func (s *Scheduler) inTheWay(e *entry) bool {
	for _, other := range s.news {
		if s.running >= s.o.Passes || other.job.Host == e.job.Host && s.hostIsFull(other) {
			return true
		}
	}
	return false
}
