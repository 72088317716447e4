package daemon

import (
	"sync"
	"time"

	"mailpull/pkg/mail"
)

// progress is how far the running pass of an account has got. It is the pass's
// observer and answers whoever looks on.
type progress struct {
	mu      sync.Mutex // guards what is below
	running bool
	began   time.Time
	moved   time.Time // when something happened last
	boxes   map[mail.MailboxName]*boxProgress
	bytes   int64
}

// boxProgress counts a mailbox's messages: planned in all, done of these.
type boxProgress struct{ planned, done int }

// begin forgets the last pass.
func (p *progress) begin(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running, p.began, p.moved, p.bytes = true, now, now, 0
	p.boxes = make(map[mail.MailboxName]*boxProgress)
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running, p.boxes = false, nil
}

// Planned implements pull.Observer. A mailbox can be planned again, with what
// is left of it, when its connection was lost.
func (p *progress) Planned(box mail.MailboxName, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moved = time.Now()
	b := p.box(box)
	b.planned = b.done + n
}

// Received implements pull.Observer.
func (p *progress) Received(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moved = time.Now()
	p.bytes += int64(n)
}

// Delivered implements pull.Observer.
func (p *progress) Delivered(box mail.MailboxName, messages int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moved = time.Now()
	p.box(box).done += messages
}

// Done implements pull.Observer.
func (p *progress) Done(mail.MailboxResult) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moved = time.Now()
}

// still returns for how long nothing has happened in the running pass, 0 when
// none runs.
func (p *progress) still(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running {
		return 0
	}
	return now.Sub(p.moved)
}

// box returns a mailbox's counts. The caller holds p.mu.
func (p *progress) box(name mail.MailboxName) *boxProgress {
	if p.boxes == nil {
		p.boxes = make(map[mail.MailboxName]*boxProgress)
	}
	b := p.boxes[name]
	if b == nil {
		b = &boxProgress{}
		p.boxes[name] = b
	}
	return b
}

// sum returns what the running pass plans and has done, and since when; ok is
// false when none runs.
func (p *progress) sum() (planned, done int, bytes int64, began time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.boxes {
		planned += b.planned
		done += b.done
	}
	return planned, done, p.bytes, p.began, p.running
}
