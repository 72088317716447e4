package pull

import "mailpull/pkg/mail"

// task is something for a lane to do: a mailbox to be opened and pulled, or a
// share of one that a lane has opened.
type task struct {
	box mail.Mailbox

	// visit is nil until a lane has opened the mailbox and parted what is new in
	// it. refs are the share.
	visit *visit
	refs  mail.Refs
}

// next takes a task. While there is none, and another lane may still part the
// mailbox that it is opening or give its task back, it waits; before that the
// lane hands over what it has, so that waiting keeps nothing from the disk.
func (l *lane) next() (task, bool) {
	if t, ok := l.take(false); ok {
		return t, true
	}
	l.handOver()
	return l.take(true)
}

// take takes the first task of the queue.
func (p *pass) take(wait bool) (task, bool) {
	yielded := p.yields()
	p.mu.Lock()
	defer p.mu.Unlock()
	for !yielded && !p.yielded && p.ctx.Err() == nil {
		if len(p.queue) > 0 {
			t := p.queue[0]
			p.queue = p.queue[1:]
			p.busy++
			return t, true
		}
		if !wait || p.busy == 0 {
			break
		}
		p.changed.Wait()
	}
	return task{}, false
}

// put puts tasks at the head of the queue.
func (p *pass) put(tasks ...task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(tasks, p.queue...)
	p.changed.Broadcast()
}

// done says that a lane has no task in hand any more.
func (p *pass) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	p.changed.Broadcast()
}

// wake lets the lanes that wait look again.
func (p *pass) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed.Broadcast()
}
