package pull

import (
	"errors"
	"time"

	"mailpull/pkg/mail"
)

// maxMailboxes is how many mailboxes may end in one load. Each has a folder whose
// directories are open until the load is committed, four descriptors, and each
// lane can have a load beside the one that is being flushed.
const maxMailboxes = 128

// load is one batch on its way to the checkpoint, with what is known of its
// messages. A lane fills it, the ladder climbs with it.
type load struct {
	batch mail.Batch
	begun time.Time

	// settled are the messages that the server confirmed, in its order.
	settled []settled

	// ends are the visits whose last message is in this load.
	ends []*visit

	// failed is how many messages failed in those, or are gone. They are kept
	// until then, so a load can be full of them.
	failed int

	// done is closed when the load is committed or given up.
	done chan struct{}
}

// settled is one confirmed message.
type settled struct {
	key   mail.Key
	item  mail.Item
	visit *visit
}

func newLoad(b mail.Batch) *load {
	return &load{batch: b, begun: time.Now(), done: make(chan struct{})}
}

func (l *load) add(key mail.Key, item mail.Item, v *visit) {
	l.settled = append(l.settled, settled{key, item, v})
}

// climbAll climbs with each load until the lanes have no more. After the
// first failure it only clears away: the disk is not asked a second time.
func (p *pass) climbAll() {
	for l := range p.loads {
		if p.broken() != nil {
			l.batch.Abort()
		} else if err := p.guardedClimb(l); err != nil {
			p.breakDisk(err)
		}
		close(l.done)
	}
}

// guardedClimb turns a panic on the ladder into the end of the pass. Nothing
// is done with the load any more: it is as if the process had been killed on
// that rung, and the next pass finds what is in place.
func (p *pass) guardedClimb(l *load) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = p.recovered(v)
		}
	}()
	return p.climb(l)
}

// climb takes one load up the ladder, from rung 3 to rung 6. It has no
// context: once begun it runs to its end.
func (p *pass) climb(l *load) error {
	// Rungs 1 and 2 were climbed by the lane. Seal waits for the last byte of
	// rung 1; what was never settled stays below.
	sealed, err := l.batch.Seal()
	if err != nil {
		l.batch.Abort()
		return err
	}
	items, deliveries, err := p.sort(l, sealed)
	if err != nil {
		l.batch.Abort()
		return err
	}

	// Rungs 3 to 5: data, rename, names.
	if err := l.batch.Flush(items); err != nil {
		return err
	}

	// Rung 6: the manifest first, so that what the checkpoint knows always
	// has its hash.
	if len(deliveries) > 0 {
		if err := p.Manifest.Append(deliveries); err != nil {
			return err
		}
		if err := p.Checkpoint.Commit(refsOf(deliveries)); err != nil {
			return err
		}
	}
	p.account(l, items, deliveries)
	return nil
}

// sort parts the settled messages of a load: items are those to put in place,
// deliveries those to record. A message that is in place already, under its
// key or under a former one, is recorded and not put there again.
func (p *pass) sort(l *load, sealed map[mail.Key]mail.Delivery) (map[mail.Key]mail.Item, []mail.Delivery, error) {
	differ, err := comparePresent(l, sealed)
	if err != nil {
		return nil, nil, err
	}
	items := make(map[mail.Key]mail.Item, len(l.settled))
	deliveries := make([]mail.Delivery, 0, len(l.settled))
	for _, s := range l.settled {
		d, ok := sealed[s.key]
		if !ok {
			return nil, nil, &mail.Error{
				Op: "pull", Mailbox: s.item.Ref.Mailbox, UID: s.item.Ref.UID, UIDL: s.item.Ref.UIDL,
				Class: mail.ClassLocal, Err: errors.New("settled without a body"),
			}
		}
		d.Item, d.Key = s.item, s.key
		if s.visit.present.contains(s.item.Ref) {
			if why := differ[s.key]; why != nil {
				p.differ(d, why)
				continue
			}
		} else if key, ok := s.visit.former.take(d); ok {
			l.batch.Rekey(s.visit.archive, key, d.Key)
		} else {
			items[s.key] = s.item
		}
		deliveries = append(deliveries, d)
	}
	return items, deliveries, nil
}

func refsOf(deliveries []mail.Delivery) []mail.Ref {
	refs := make([]mail.Ref, len(deliveries))
	for i, d := range deliveries {
		refs[i] = d.Item.Ref
	}
	return refs
}

// account counts what was committed and finishes the visits that end here. New
// is what was stored; a message that was there already under another key is
// not.
func (p *pass) account(l *load, items map[mail.Key]mail.Item, deliveries []mail.Delivery) {
	counts := make(map[mail.MailboxName]int)
	p.mu.Lock()
	for _, d := range deliveries {
		counts[d.Item.Ref.Mailbox]++
		if _, stored := items[d.Key]; stored {
			p.delivered[d.Item.Ref.Mailbox]++
			p.result.Bytes += d.Size
		}
	}
	p.mu.Unlock()
	for box, n := range counts {
		p.Observer.Delivered(box, n)
	}
	for _, v := range l.ends {
		p.finish(v)
	}
}

// finish gives a mailbox its result, once all that it brought is committed.
func (p *pass) finish(v *visit) {
	p.endMailbox(v.box.Name, false)
	r := p.outcome(v.box, nil)
	if r.Complete() && !p.stillMatching(v, r.Gone) {
		// A message that was gone may only have been refused: if it is still
		// there, the next status counts more than this one and is looked into.
		status := v.status
		status.Messages = max(0, status.Messages-r.Gone)
		err := p.Checkpoint.Complete(v.box.Name, status, v.listing.Total(), v.excluded)
		if err == nil {
			err = p.noteOrder(v)
		}
		if err != nil {
			p.breakDisk(err)
		}
	}
	p.record(r)
	p.forget(v.box.Name)
}

// forget lets go of what is known of a mailbox that the pass is done with, except
// for the suspects in it: an account can have ten thousand, and in each thousands
// of messages that cannot be had.
func (p *pass) forget(box mail.MailboxName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.suspect(box)
	delete(p.visits, box)
	delete(p.wholeIn, box)
}

// stillMatching reports whether a mailbox is being matched and has messages that
// are in quarantine, or were gone and may turn up. What comes of those later can
// be in the archive under a former ref, so matching does not end before.
func (p *pass) stillMatching(v *visit, gone int) bool {
	known, _ := p.Checkpoint.Known(v.box.Name)
	return known.Matching && v.held.Len()+gone > 0
}

// breakDisk ends the pass: the archive or the state could not be written.
func (p *pass) breakDisk(err error) {
	p.mu.Lock()
	if p.disk == nil {
		p.disk = err
	}
	p.mu.Unlock()
	p.cancel(err)
}

// broken returns why the archive or the state could not be written, or nil.
func (p *pass) broken() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.disk
}
