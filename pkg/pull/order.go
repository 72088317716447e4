package pull

import (
	"slices"
	"time"

	"mailpull/pkg/mail"
)

// wholeEvery is how often a mailbox is listed whole that could be listed in
// part: the longest that a message which no proof shows can be overlooked.
const wholeEvery = 24 * time.Hour

// list opens a mailbox and lists what it holds, or what came since it was
// complete. Known messages among those that came speak against a listing in
// part, and all are listed.
func (l *lane) list(box mail.Mailbox) (mail.Refs, mail.Status, error) {
	box.Since = l.since(box.Name)
	listing, status, err := l.session.Select(l.ctx, box)
	if err != nil || listing.Rest == 0 || l.Checkpoint.New(listing).Len() == listing.Len() {
		return listing, status, err
	}
	l.Log.Info("known messages stand among the new ones, listing all", "mailbox", box.Name.Shown())
	box.Since = nil
	return l.session.Select(l.ctx, box)
}

// since returns the status from which on a mailbox may be listed in part: all
// that stood there is in the archive, none of it waits in quarantine, the server
// kept its order until now, and the last whole listing is not too old.
func (l *lane) since(name mail.MailboxName) *mail.Status {
	known, ok := l.Checkpoint.Known(name)
	order := known.Order
	if !ok || known.Complete == nil || known.Matching || order.Mark == 0 || order.Broken {
		return nil
	}
	if age := time.Since(order.Whole); age < 0 || age >= wholeEvery || len(l.Checkpoint.Quarantined(name)) > 0 {
		return nil
	}
	status := *known.Complete
	status.Mark = order.Mark
	return &status
}

// unordered reports whether a whole listing has new messages before known ones
// although the mailbox was complete: then a listing in part can overlook some.
func (l *lane) unordered(listing mail.Refs) bool {
	known, _ := l.Checkpoint.Known(listing.Mailbox)
	if listing.Rest > 0 || known.Complete == nil || known.Order.Mark == 0 || len(l.Checkpoint.Quarantined(listing.Mailbox)) > 0 {
		return false
	}
	fresh := l.Checkpoint.New(listing).UIDLs
	return !slices.Equal(fresh, listing.UIDLs[len(listing.UIDLs)-len(fresh):])
}

// noteOrder records what a visit that left nothing missing says of the order.
// Once it was broken that stays.
func (p *pass) noteOrder(v *visit) error {
	known, _ := p.Checkpoint.Known(v.box.Name)
	order := mail.Order{Mark: v.status.Mark, Whole: known.Order.Whole, Broken: v.unordered}
	if order.Mark == 0 || known.Order.Broken {
		return nil
	}
	if v.listing.Rest == 0 {
		order.Whole = time.Now().Truncate(time.Second)
	}
	if order.Broken {
		p.Log.Info("new messages stood before known ones, so this mailbox is always listed whole", "mailbox", v.box.Name.Shown())
	}
	return p.Checkpoint.Order(v.box.Name, order)
}
