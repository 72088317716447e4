package pull

import (
	"context"
	"fmt"
	"time"

	"mailpull/pkg/mail"
)

// WatchOptions is what Watch needs.
type WatchOptions struct {
	Source  Source
	Mailbox mail.MailboxName

	// News is called when the mailbox may have new messages, once at the
	// beginning too, and at most three times in 15 seconds. It must return at
	// once.
	News func()

	// Connected is told when the wait begins and when it is over, or nil.
	Connected func(bool)
}

// Watch waits for news in one mailbox by a session of its own, until ctx ends or
// the connection is lost. mail.ErrCannotWatch is in the error's chain where the
// source or the server cannot tell of news: asking again is of no use then.
func Watch(ctx context.Context, o WatchOptions) error {
	session, err := o.Source.Open(ctx)
	if err != nil {
		return err
	}
	defer session.Abort()
	watcher, ok := session.(Watcher)
	if !ok {
		return cannotWatch(o.Mailbox, mail.ErrCannotWatch)
	}
	box, err := findMailbox(ctx, session, o.Mailbox)
	if err != nil {
		return err
	}
	var since mail.Status
	var told pace
	for connected := false; ; {
		status, err := watcher.Watch(ctx, box, since)
		if err != nil {
			return err
		}
		if !connected && o.Connected != nil {
			connected = true
			o.Connected(true)
			defer o.Connected(false)
		}
		since = status
		if err := told.wait(ctx); err != nil {
			return err
		}
		o.News()
	}
}

// How often there may be news: what comes now and then is told at once, and a
// mailbox that is different whenever it is looked at wakes nobody without end.
const (
	newsBurst  = 3
	newsWindow = 15 * time.Second
)

// pace remembers when there was news last. The zero value remembers nothing.
type pace struct {
	last [newsBurst]time.Time // a ring
	next int                  // place of the oldest
}

// wait waits until there may be news again. The error is ctx's cause.
func (p *pace) wait(ctx context.Context) error {
	timer := time.NewTimer(newsWindow - time.Since(p.last[p.next]))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	p.last[p.next] = time.Now()
	p.next = (p.next + 1) % newsBurst
	return nil
}

// findMailbox lists the mailboxes, unless it is the one that every account has.
func findMailbox(ctx context.Context, s Session, name mail.MailboxName) (mail.Mailbox, error) {
	if name == mail.Inbox {
		return mail.Mailbox{Name: name, Wire: string(name)}, nil
	}
	boxes, err := s.Mailboxes(ctx)
	if err != nil {
		return mail.Mailbox{}, err
	}
	for _, box := range boxes {
		if box.Name == name && !box.NoSelect {
			return box, nil
		}
	}
	return mail.Mailbox{}, cannotWatch(name, fmt.Errorf("%w: it has no such mailbox", mail.ErrCannotWatch))
}

func cannotWatch(name mail.MailboxName, err error) error {
	return &mail.Error{
		Op: "watch", Mailbox: name, Scope: mail.ScopeMailbox, Retry: mail.RetryNever, Class: mail.ClassServer, Err: err,
		Hint: "delete the mailbox from idle; it is pulled by the timetable all the same",
	}
}
