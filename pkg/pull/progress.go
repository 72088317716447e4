package pull

import (
	"sync"
	"time"

	"mailpull/pkg/mail"
)

// Speed is that of the last minute: a line that got slower is believed soon, and
// one slow message does not count as the whole.
const (
	speedWindow = time.Minute
	sampleEvery = time.Second
)

// Progress is an Observer that counts how far a pass has got and estimates what
// is left. It may be asked at any time, from any goroutine.
type Progress struct {
	mu      sync.Mutex // guards what is below
	boxes   map[mail.MailboxName]*boxProgress
	over    int // messages of mailboxes that are done with
	done    int
	bytes   int64
	inHand  int64 // of bytes, received since a message was delivered last
	moved   time.Time
	samples []sample // the first is as old as speedWindow, or the pass
}

// boxProgress counts a mailbox's messages: planned in all, done of these. mean is
// about how large they are, 0 where nobody knows.
type boxProgress struct {
	planned, done int
	mean          float64
}

// sample is what was counted at a time.
type sample struct {
	at    time.Time
	bytes int64
	done  int
}

// NewProgress returns the progress of a pass that begins now.
func NewProgress() *Progress {
	now := time.Now()
	return &Progress{boxes: make(map[mail.MailboxName]*boxProgress), moved: now, samples: []sample{{at: now}}}
}

// Planned implements Observer. A mailbox can be planned again, with what is left
// of it, when its connection was lost.
func (p *Progress) Planned(box mail.MailboxName, n int, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.box(box)
	b.planned = b.done + n
	b.mean = float64(bytes) / float64(max(n, 1))
	p.move()
}

// Received implements Observer.
func (p *Progress) Received(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes += int64(n)
	p.inHand += int64(n)
	p.move()
}

// Delivered implements Observer.
func (p *Progress) Delivered(box mail.MailboxName, messages int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.box(box).done += messages
	p.done += messages
	p.inHand = 0
	p.move()
}

// Done implements Observer. What the mailbox was given up with is not left any
// more, and what is over needs no counts of its own.
func (p *Progress) Done(result mail.MailboxResult) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b := p.boxes[result.Mailbox]; b != nil {
		p.over += b.done
		delete(p.boxes, result.Mailbox)
	}
	p.move()
}

// box returns a mailbox's counts. The caller holds p.mu.
func (p *Progress) box(name mail.MailboxName) *boxProgress {
	b := p.boxes[name]
	if b == nil {
		b = &boxProgress{}
		p.boxes[name] = b
	}
	return b
}

// move notes that something happened. The caller holds p.mu.
func (p *Progress) move() {
	p.moved = time.Now()
	if p.moved.Sub(p.samples[len(p.samples)-1].at) >= sampleEvery {
		p.samples = append(p.samples, sample{p.moved, p.bytes, p.done})
		p.forget(p.moved)
	}
}

// forget drops the samples that another one is old enough to stand for. The
// caller holds p.mu.
func (p *Progress) forget(now time.Time) {
	old := 0
	for old+1 < len(p.samples) && now.Sub(p.samples[old+1].at) >= speedWindow {
		old++
	}
	p.samples = append(p.samples[:0], p.samples[old:]...)
}

// Moved returns when something happened last.
func (p *Progress) Moved() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.moved
}

// Standing returns how far the pass has got.
func (p *Progress) Standing() Standing {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(now)
	s := Standing{Planned: p.over, Done: p.done, Bytes: p.bytes}
	known := true
	var left float64
	for _, b := range p.boxes {
		s.Planned += b.planned
		mean := b.mean
		if mean == 0 && p.done > 0 {
			mean = float64(p.bytes) / float64(p.done)
		}
		n := max(0, b.planned-b.done)
		known = known && (mean > 0 || n == 0)
		left += mean * float64(n)
	}
	if known {
		s.LeftBytes = max(0, int64(left)-p.inHand)
	}
	if since := p.samples[0]; now.Sub(since.at) >= sampleEvery && now.Sub(p.moved) < speedWindow {
		s.Rate = float64(p.bytes-since.bytes) / now.Sub(since.at).Seconds()
		s.Pace = float64(p.done-since.done) / now.Sub(since.at).Seconds()
	}
	return s
}

// Standing is how far one or more passes have got.
type Standing struct {
	// Planned and Done count messages, Bytes what was read.
	Planned, Done int
	Bytes         int64

	// Rate is in bytes and Pace in messages per second, both of the last minute.
	Rate, Pace float64

	// LeftBytes is about how much is yet to be read, 0 where nobody knows.
	LeftBytes int64
}

// Plus returns how far both have got together.
func (s Standing) Plus(t Standing) Standing {
	return Standing{
		Planned: s.Planned + t.Planned, Done: s.Done + t.Done, Bytes: s.Bytes + t.Bytes,
		Rate: s.Rate + t.Rate, Pace: s.Pace + t.Pace, LeftBytes: s.LeftBytes + t.LeftBytes,
	}
}

// Left returns about how long the rest takes at the speed of the last minute, 0
// where that is not known or nothing is left.
func (s Standing) Left() time.Duration {
	const longest = 100 * 365 * 24 * time.Hour
	left := s.Planned - s.Done
	seconds := 0.0
	switch {
	case left <= 0:
	case s.LeftBytes > 0 && s.Rate > 0:
		seconds = float64(s.LeftBytes) / s.Rate
	case s.Pace > 0:
		seconds = float64(left) / s.Pace
	}
	return time.Duration(min(seconds, longest.Seconds()) * float64(time.Second))
}
