package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"mailpull/pkg/display"
	"mailpull/pkg/mail"
)

// How often a person and a log see how far a run has got.
const (
	liveEvery = 200 * time.Millisecond
	logEvery  = 30 * time.Second
)

// progress follows the passes of one run. On a terminal it is one live line,
// elsewhere a line every 30 seconds, so that a run which is done sooner says
// nothing.
type progress struct {
	out  io.Writer
	live bool
	stop chan struct{}
	done sync.WaitGroup

	mu      sync.Mutex // guards out and what is below
	begun   time.Time
	account string // the one that moved last
	mailbox mail.MailboxName
	boxes   map[boxOf]*counts
	planned int
	arrived int
	bytes   int64
	shown   bool // a live line stands on the screen
}

// boxOf names a mailbox among those of all accounts, and counts are its
// messages: planned in all, and arrived of these.
type (
	boxOf  struct{ account, mailbox string }
	counts struct{ planned, arrived int }
)

// newProgress begins to report on out. Close ends it.
func newProgress(out io.Writer, live bool) *progress {
	p := &progress{out: out, live: live, stop: make(chan struct{}), begun: time.Now(), boxes: make(map[boxOf]*counts)}
	every := logEvery
	if live {
		every = liveEvery
	}
	p.done.Go(func() { // Close waits for it
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				p.show()
			case <-p.stop:
				return
			}
		}
	})
	return p
}

// Close wipes the live line and waits until nothing more is written.
func (p *progress) Close() {
	close(p.stop)
	p.done.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
}

// Write lets other text through between two live lines.
func (p *progress) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
	return p.out.Write(text)
}

// account returns the observer of one account's pass.
func (p *progress) observe(account string) accountProgress { return accountProgress{p, account} }

func (p *progress) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.planned == 0 {
		return
	}
	line := p.line(time.Since(p.begun))
	if !p.live {
		fmt.Fprintln(p.out, "mailpull: "+line)
		return
	}
	fmt.Fprint(p.out, "\r\x1b[K"+line)
	p.shown = true
}

func (p *progress) wipe() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}

// line says where the run is: messages, bytes, rate and time left.
func (p *progress) line(took time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q  %s/%s messages", p.account, string(p.mailbox), display.Grouped(p.arrived), display.Grouped(p.planned))
	fmt.Fprintf(&b, "  %s", display.Size(p.bytes))
	if seconds := took.Seconds(); seconds >= 1 {
		fmt.Fprintf(&b, "  %s/s", display.Size(int64(float64(p.bytes)/seconds)))
		if p.arrived > 0 && p.arrived < p.planned {
			left := time.Duration(float64(took) / float64(p.arrived) * float64(p.planned-p.arrived))
			fmt.Fprintf(&b, "  %s left", display.Roughly(left))
		}
	}
	return b.String()
}

// accountProgress is the pull.Observer of one account.
type accountProgress struct {
	*progress
	name string
}

// Planned implements pull.Observer. A mailbox can be planned again, with what
// is left of it, when its connection was lost.
func (a accountProgress) Planned(box mail.MailboxName, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.at(box)
	a.planned += c.arrived + n - c.planned
	c.planned = c.arrived + n
}

// at returns the counts of a mailbox, which is the one that moved last.
func (a accountProgress) at(box mail.MailboxName) *counts {
	a.account, a.mailbox = a.name, box
	key := boxOf{a.name, string(box)}
	if a.boxes[key] == nil {
		a.boxes[key] = &counts{}
	}
	return a.boxes[key]
}

// Received implements pull.Observer.
func (a accountProgress) Received(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bytes += int64(n)
}

// Delivered implements pull.Observer.
func (a accountProgress) Delivered(box mail.MailboxName, messages int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at(box).arrived += messages
	a.arrived += messages
}

// Done implements pull.Observer.
func (a accountProgress) Done(mail.MailboxResult) {}
