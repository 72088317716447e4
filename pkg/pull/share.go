package pull

import (
	"errors"

	"mailpull/pkg/mail"
)

// maxShare is how many batches a share has at most, so that the lanes end a
// mailbox at about the same time.
const maxShare = 16

// errChanged ends a mailbox that is not the same any more for the second lane
// that opens it.
var errChanged = errors.New("its UIDVALIDITY changed during the pass")

// shares parts what is new in a mailbox. Small ones are not parted; neither is a
// large one that only one lane may pull, unless the newest messages are to come
// first. A share has whole batches.
func (p *pass) shares(fresh mail.Refs) []mail.Refs {
	batch := p.Batch.Messages
	size := fresh.Len()
	switch {
	case p.NewestFirst:
		size = batch
	case p.Sessions > 1:
		size = size / (2 * p.Sessions) / batch * batch
		size = min(max(size, batch), maxShare*batch)
	}
	if fresh.Len() < 2*size {
		return []mail.Refs{fresh}
	}
	var shares []mail.Refs
	for fresh.Len() > 0 {
		var share mail.Refs
		if p.NewestFirst {
			fresh, share = fresh.Cut(max(0, fresh.Len()-size))
		} else {
			share, fresh = fresh.Cut(size)
		}
		shares = append(shares, share)
	}
	return shares
}

// part parts what is new in the mailbox in hand, keeps the first share for this
// lane and leaves the others to whoever comes first.
func (l *lane) part(t task, fresh mail.Refs) task {
	shares := l.shares(fresh)
	t.visit, t.refs = l.visit, shares[0]
	t.visit.shares = len(shares)
	if len(shares) == 1 {
		return t
	}
	t.visit.parted = true
	tasks := make([]task, len(shares)-1)
	for i, refs := range shares[1:] {
		tasks[i] = task{t.box, t.visit, refs}
	}
	l.put(tasks...)
	l.hire(len(tasks))
	return t
}

// join takes a share of a mailbox that was opened before, by this lane or by
// another one. What was committed of the share since, by a session that was
// lost, is not asked for again.
func (l *lane) join(t task) (task, error) {
	v := t.visit
	if l.opened != v {
		l.opened = nil // nothing is selected when Select fails
		listing, _, err := l.session.Select(l.ctx, t.box)
		if err != nil {
			return t, err
		}
		if listing.Validity != v.listing.Validity {
			return t, &mail.Error{
				Op: "pull", Mailbox: t.box.Name, Scope: mail.ScopeMailbox, Class: mail.ClassServer, Err: errChanged,
			}
		}
		if l.archive, err = l.Store.Box(t.box); err != nil {
			l.breakDisk(err)
			return t, err
		}
	}
	l.visit, l.opened = v, v
	t.refs = l.withoutFailed(v, l.Checkpoint.New(t.refs))
	return t, nil
}

// endShare notes that a share is worked off. The load with the last of them ends
// the visit; those of the others are with the ladder by then, which climbs with
// one after the other.
func (l *lane) endShare(v *visit) {
	if v.parted {
		l.handOver()
	}
	if !l.leaveVisit(v, 1) {
		return
	}
	load := l.inHand()
	load.ends = append(load.ends, v)
	load.failed += l.failedIn(v.box.Name)
	if len(load.ends) >= maxMailboxes || load.failed >= l.Batch.Messages {
		l.handOver()
	}
}

// leaveVisit takes n shares from those that are not worked off and reports
// whether none is left.
func (p *pass) leaveVisit(v *visit, n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	v.shares -= n
	return v.shares == 0
}

// abandon takes the shares of a mailbox that is given up out of the queue. It
// reports whether the lane that gives up was the last one with a share of it;
// otherwise the last one tells the result.
func (l *lane) abandon(t task, err error) bool {
	if t.visit == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.visit.err == nil {
		t.visit.err = err
	}
	kept := l.queue[:0:0]
	for _, other := range l.queue {
		if other.visit == t.visit {
			t.visit.shares--
			continue
		}
		kept = append(kept, other)
	}
	l.queue = kept
	t.visit.shares--
	return t.visit.shares == 0
}
