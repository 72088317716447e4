package pull

import (
	"errors"
	"time"

	"mailpull/pkg/mail"
)

// leaveOlder takes the messages out of fresh that are older than Options.Since.
// A server that cannot tell them apart is pulled whole: an archive with more
// than was asked for harms nobody.
func (l *lane) leaveOlder(v *visit, fresh mail.Refs) (mail.Refs, error) {
	if l.Since.IsZero() || fresh.Len() == 0 {
		return fresh, nil
	}
	older, err := l.session.Older(l.ctx, l.Since)
	switch {
	case errors.Is(err, mail.ErrNoDates):
		l.noDates.Do(func() { l.Log.Warn("since is not kept, everything is pulled", "err", err) })
		return fresh, nil
	case err != nil:
		return fresh, err
	}
	rest := fresh
	rest.UIDs = fresh.UIDs.Minus(older)
	out := fresh
	out.UIDs, out.UIDLs = fresh.UIDs.Minus(rest.UIDs), nil
	v.excluded = mail.Excluded{Messages: out.UIDs.Len()}
	if v.excluded.Messages == 0 {
		return rest, nil
	}
	v.excluded.Since = l.Since
	l.Log.Debug("older messages are left on the server", "mailbox", v.box.Name.Shown(), "messages", v.excluded.Messages, "since", l.Since.Format(time.DateOnly))
	return rest, l.freeOlder(out)
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
