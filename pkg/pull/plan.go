package pull

import (
	"context"
	"time"

	"mailpull/pkg/mail"
)

// Plan asks the server what a pass would fetch and fetches nothing. It writes
// nothing either: Store and Manifest may be nil, and of Checkpoint it calls only
// what tells something. The caller needs no lock.
//
// Missing is what a pass would ask for, and MissingBytes about how large that
// is. A mailbox that cannot be opened, or that a pass refuses, has its error. What
// the archive holds and the checkpoint does not know counts as missing, although a
// pass may find that it has it: the archive is not read. The error is of what ended
// the session.
func Plan(ctx context.Context, o Options) ([]mail.MailboxResult, error) {
	p := newPass(ctx, o)
	defer p.cancel(nil)
	p.result.Start = time.Now()
	l := &lane{pass: p}
	if err := l.open(); err != nil {
		return nil, err
	}
	defer l.session.Abort()
	boxes, err := l.session.Mailboxes(p.ctx)
	if err != nil {
		return nil, err
	}
	p.enqueue(boxes)
	for _, t := range p.queue {
		r, err := l.plan(t.box)
		if err != nil && mail.ErrorScope(err) == mail.ScopeAccount {
			return p.result.Mailboxes, err
		}
		r.Err = err
		p.record(r)
	}
	sortByPlace(p.result.Mailboxes, p.place)
	if err := l.session.Close(p.ctx); err != nil {
		p.Log.Debug("session did not end politely", "err", err)
	}
	return p.result.Mailboxes, nil
}

// plan looks into one mailbox.
func (l *lane) plan(box mail.Mailbox) (mail.MailboxResult, error) {
	r := mail.MailboxResult{Mailbox: box.Name}
	listing, status, err := l.session.Select(l.ctx, box)
	if err != nil {
		return r, err
	}
	if err := l.refuseUnstable(listing); err != nil {
		return r, err
	}
	all := l.Checkpoint.New(listing)
	alone := make(map[mail.Ref]bool)
	for _, q := range l.Checkpoint.Quarantined(box.Name) {
		if q.Ref.Validity == listing.Validity && !q.Due(l.result.Start) {
			alone[q.Ref] = true
		}
	}
	fresh, _ := split(all, alone)
	wanted, _, err := l.wanted(fresh)
	if err != nil {
		return r, err
	}
	r.Server = listing.Len()
	r.Archived = r.Server - all.Len()
	r.Quarantined = all.Len() - fresh.Len()
	r.Excluded = fresh.Len() - wanted.Len()
	r.Missing = wanted.Len()
	r.MissingBytes = l.about(box, &visit{status: status}, r.Missing)
	return r, nil
}
