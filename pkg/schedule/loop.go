package schedule

import (
	"context"
	"time"
)

const (
	// slice is how long the loop sleeps at most before it looks at the clock.
	slice = time.Minute

	// minTurn is how long a turn for a backlog may run although others wait,
	// and how long one that waits lets news go first. Then it goes before news,
	// and after it news goes first for as long again. So each gets on, however
	// much there is of the other.
	minTurn = time.Minute
)

// loop runs until Drain.
func (s *Scheduler) loop() {
	defer close(s.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-s.poke:
		}
		wait, ok := s.step()
		if !ok {
			return
		}
		timer.Reset(wait)
	}
}

// step queues what is due, begins what may begin, and returns how long nothing
// happens by itself; ok is false when the loop is over.
func (s *Scheduler) step() (wait time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, false
	}
	now := s.now()
	s.noticeJump(now)
	for len(s.due) > 0 && !s.due[0].next.After(now) {
		s.becomeDue(s.due[0], now)
	}
	s.grant(now)
	s.noticeClosed(now)
	wait = slice
	if len(s.due) > 0 {
		wait = min(wait, s.due[0].next.Sub(now))
	}
	return wait, true
}

// noticeJump plans anew when the clock was set back: what was due then must
// not wait for a time that was in the past once, and nothing began in the
// future. A jump forward, as after a suspended machine, makes things due and
// needs nothing else.
func (s *Scheduler) noticeJump(now time.Time) {
	looked := s.looked
	s.looked = time.Now()
	expected := s.lastWall.Add(s.looked.Sub(looked))
	s.lastWall = now
	if now.After(expected.Add(-slice)) {
		return
	}
	s.log.Warn("the clock was set back", "by", expected.Sub(now).Round(time.Second))
	s.newsFirst = earlier(s.newsFirst, now)
	for _, e := range s.entries {
		e.waits, e.began = earlier(e.waits, now), earlier(e.began, now)
		if e.place >= 0 && e.next.After(now.Add(e.longest)) {
			s.plan(e, e.job.Plan.Next(now, s.chance))
		}
	}
}

// noticeClosed tells who waits for a backlog whose window has closed before its
// turn: the next one can be a day away.
func (s *Scheduler) noticeClosed(now time.Time) {
	for _, e := range s.backlog {
		if !e.closed && !e.job.Window.Open(now) {
			e.closed = true
			s.settle(e)
		}
	}
}

// becomeDue queues an entry whose time has come. One that is more than a minute
// late, as all are when a machine wakes, first gets a delay by chance.
func (s *Scheduler) becomeDue(e *entry, now time.Time) {
	if delay := s.spread(); now.Sub(e.next) > slice && delay > 0 {
		s.plan(e, now.Add(delay))
		return
	}
	s.unplan(e)
	if e.cancel != nil {
		e.again = true
		return
	}
	s.enqueue(e, news)
}

// enqueue puts an entry into a queue; one that waits for news already stays
// where it is. The caller holds the lock.
func (s *Scheduler) enqueue(e *entry, to lineup) {
	if e.queued == to || e.queued == news {
		return
	}
	s.dequeue(e)
	e.queued = to
	if to == news {
		s.unplan(e)
		s.news = append(s.news, e)
		return
	}
	now := s.now()
	if e.waits.IsZero() {
		e.waits = now
	}
	e.closed = !e.job.Window.Open(now)
	s.backlog = append(s.backlog, e)
}

// dequeue takes an entry out of its queue. The caller holds the lock.
func (s *Scheduler) dequeue(e *entry) {
	switch e.queued {
	case news:
		s.news.remove(e)
	case backlogs:
		s.backlog.remove(e)
	}
	e.queued = none
}

// grant begins what waits while there is room: first a backlog that has let
// news go first for long enough, then news, then backlogs. What finds no room
// on its host keeps the host for itself: otherwise a pass with many connections
// would wait for ever behind those with one.
func (s *Scheduler) grant(now time.Time) {
	if s.running >= s.o.Passes {
		return
	}
	kept := make(map[string]bool)
	if e := s.longestWaiting(now); e != nil && s.begin(e, now, kept) {
		e.wentFirst, s.newsFirst = true, now.Add(2*minTurn)
	}
	for _, e := range clone(s.news) {
		s.begin(e, now, kept)
	}
	for _, e := range clone(s.backlog) {
		s.begin(e, now, kept)
	}
}

// longestWaiting returns the backlog that goes before news, or nil. There is
// one at a time, and news has its turn between two of them: otherwise a few
// backlogs would hand the last slot to each other.
func (s *Scheduler) longestWaiting(now time.Time) *entry {
	if now.Before(s.newsFirst) {
		return nil
	}
	var longest *entry
	for _, e := range s.backlog {
		if now.Sub(e.waits) < minTurn || !e.job.Window.Open(now) {
			continue
		}
		if longest == nil || e.waits.Before(longest.waits) {
			longest = e
		}
	}
	return longest
}

func clone(q queue) queue {
	if len(q) == 0 {
		return nil
	}
	return append(queue(nil), q...)
}

// begin begins the pass for which an entry waits and reports whether there was
// room for it. Where its host had none, the host is added to kept.
func (s *Scheduler) begin(e *entry, now time.Time, kept map[string]bool) bool {
	if !s.fits(e, now, kept) {
		return false
	}
	turn := e.queued
	s.dequeue(e)
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel, e.began, e.turn = cancel, now, turn
	s.running++
	s.hosts[e.job.Host] += e.job.Connections
	if turn == backlogs {
		e.waits = time.Time{}
	}
	forced := e.forced
	e.forced, e.again = false, false
	e.asking = !forced && e.memory.SignInPaused()
	s.group.Go(func() { s.run(ctx, e, forced) }) // Drain waits for it
	return true
}

// fits reports whether there is room for the turn that an entry waits for.
func (s *Scheduler) fits(e *entry, now time.Time, kept map[string]bool) bool {
	switch {
	case e.queued == none, s.running >= s.o.Passes, kept[e.job.Host]:
		return false
	case e.queued == backlogs && !e.job.Window.Open(now):
		return false
	case s.hostIsFull(e):
		kept[e.job.Host] = true
		return false
	}
	return true
}

func (s *Scheduler) hostIsFull(e *entry) bool {
	return s.hosts[e.job.Host]+e.job.Connections > s.o.PerHost
}
