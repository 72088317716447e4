package pull

import (
	"errors"
	"time"

	"mailpull/pkg/mail"
)

// leaveOlder takes the messages out of fresh that are older than Options.Since.
func (l *lane) leaveOlder(v *visit, fresh mail.Refs) (mail.Refs, error) {
	rest, out, err := l.wanted(fresh)
	if err != nil || out.Len() == 0 {
		return rest, err
	}
	v.excluded = mail.Excluded{Messages: out.Len(), Since: l.Since}
	l.Log.Debug("older messages are left on the server", "mailbox", v.box.Name.Shown(), "messages", out.Len(), "since", l.Since.Format(time.DateOnly))
	return rest, l.freeOlder(out)
}

// wanted parts the messages of the selected mailbox into those that are wanted
// and those that are older. A server that cannot tell them apart is pulled whole:
// an archive with more than was asked for harms nobody.
func (l *lane) wanted(fresh mail.Refs) (rest, out mail.Refs, err error) {
	if l.Since.IsZero() || fresh.Len() == 0 {
		return fresh, mail.Refs{}, nil
	}
	older, err := l.session.Older(l.ctx, l.Since)
	switch {
	case errors.Is(err, mail.ErrNoDates):
		l.noDates.Do(func() { l.Log.Warn("since is not kept, everything is pulled", "err", err) })
		return fresh, mail.Refs{}, nil
	case err != nil:
		return fresh, mail.Refs{}, err
	}
	rest, out = fresh, fresh
	rest.UIDs = fresh.UIDs.Minus(older)
	out.UIDs, out.UIDLs = fresh.UIDs.Minus(rest.UIDs), nil
	return rest, out, nil
}

// freeOlder ends the quarantine of messages that nobody wants any more: one that
// stays due would have its mailbox opened by each pass.
func (l *lane) freeOlder(out mail.Refs) error {
	var free []mail.Ref
	for _, q := range l.Checkpoint.Quarantined(out.Mailbox) {
		if q.Ref.Validity == out.Validity && out.UIDs.Contains(q.Ref.UID) {
			free = append(free, q.Ref)
		}
	}
	if len(free) == 0 {
		return nil
	}
	err := l.Checkpoint.Release(free)
	if err != nil {
		l.breakDisk(err)
	}
	return err
}

// stillExcluded returns how many messages of a mailbox that is not opened, or
// could not be, are left out: as many as when it was complete last, if none of
// those is wanted now.
func (p *pass) stillExcluded(known mail.Known) int {
	if !known.Excluded.Covers(p.Since) {
		return 0
	}
	return known.Excluded.Messages
}
