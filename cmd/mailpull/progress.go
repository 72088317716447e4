package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"mailpull/pkg/display"
	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
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
	account string     // the one that moved last
	mailbox mail.MailboxName
	passes  []*pull.Progress
	shown   bool // a live line stands on the screen
}

// newProgress begins to report on out. Close ends it.
func newProgress(out io.Writer, live bool) *progress {
	p := &progress{out: out, live: live, stop: make(chan struct{})}
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

// observe returns the observer of one account's pass.
func (p *progress) observe(account string) accountProgress {
	a := accountProgress{pull.NewProgress(), p, account}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passes = append(p.passes, a.Progress)
	return a
}

func (p *progress) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all pull.Standing
	for _, pass := range p.passes {
		all = all.Plus(pass.Standing())
	}
	if all.Planned == 0 {
		return
	}
	line := p.line(all)
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

// line says where the run is: messages, bytes, rate, and what is left.
func (p *progress) line(s pull.Standing) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q  %s/%s messages", p.account, string(p.mailbox), display.Grouped(s.Done), display.Grouped(s.Planned))
	fmt.Fprintf(&b, "  %s", display.Size(s.Bytes))
	if s.Rate > 0 {
		fmt.Fprintf(&b, "  %s/s", display.Size(int64(s.Rate)))
	}
	if left := display.Left(s.LeftBytes, s.Left()); left != "" && s.Done < s.Planned {
		fmt.Fprintf(&b, "  %s", left)
	}
	return b.String()
}

// accountProgress is the pull.Observer of one account.
type accountProgress struct {
	*pull.Progress
	all  *progress
	name string
}

// Planned implements pull.Observer.
func (a accountProgress) Planned(box mail.MailboxName, n int, bytes int64) {
	a.Progress.Planned(box, n, bytes)
	a.all.moved(a.name, box)
}

// Delivered implements pull.Observer.
func (a accountProgress) Delivered(box mail.MailboxName, messages int) {
	a.Progress.Delivered(box, messages)
	a.all.moved(a.name, box)
}

// moved notes where something happened last.
func (p *progress) moved(account string, box mail.MailboxName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.account, p.mailbox = account, box
}
