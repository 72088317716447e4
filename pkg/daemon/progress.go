package daemon

import (
	"sync"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
)

// progress is the running pass of an account, for whoever looks on.
type progress struct {
	mu      sync.Mutex // guards what is below
	running bool
	began   time.Time
	pass    *pull.Progress
}

// begin forgets the last pass and returns the observer of the next one.
func (p *progress) begin(now time.Time) *pull.Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running, p.began, p.pass = true, now, pull.NewProgress()
	return p.pass
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running, p.pass = false, nil
}

// still returns for how long nothing has happened in the running pass, 0 when
// none runs.
func (p *progress) still(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running {
		return 0
	}
	return now.Sub(p.pass.Moved())
}

// standing returns how far the running pass has got, and since when it runs; ok
// is false when none runs.
func (p *progress) standing() (s pull.Standing, began time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running {
		return pull.Standing{}, time.Time{}, false
	}
	return p.pass.Standing(), p.began, true
}

// passObserver is a pass's progress that counts in the metrics too.
type passObserver struct {
	*pull.Progress
	account *account
}

// Planned implements pull.Observer.
func (o passObserver) Planned(box mail.MailboxName, n int, bytes int64) {
	o.account.numbers.Planned(o.account.account.Name, n)
	o.Progress.Planned(box, n, bytes)
}

// Received implements pull.Observer.
func (o passObserver) Received(n int) {
	o.account.numbers.Received(o.account.account.Name, n)
	o.Progress.Received(n)
}

// Delivered implements pull.Observer.
func (o passObserver) Delivered(box mail.MailboxName, messages int) {
	o.account.numbers.Delivered(o.account.account.Name, messages)
	o.Progress.Delivered(box, messages)
}
