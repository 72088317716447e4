package imap

import (
	"context"
	"fmt"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

// renewal is how long one wait lasts. RFC 2177 asks for less than 29 minutes,
// and some servers and address translators cut a silent connection after ten.
const renewal = 9 * time.Minute

// roundEvery is the least time between two waits where the one before ended
// with news that was none: a server that tells of a message in each wait and
// never has one would otherwise be asked as fast as the network goes.
const roundEvery = 10 * time.Second

// Watch implements pull.Watcher by IDLE. Around each wait it asks for the
// mailbox's state, so that what the server does not tell is found with the next
// one.
func (s *Session) Watch(ctx context.Context, box mail.Mailbox, since mail.Status) (mail.Status, error) {
	if !s.wire.Has("IDLE") {
		return mail.Status{}, s.cannotWatch(box, mail.ErrCannotWatch)
	}
	for began := time.Now().Add(-roundEvery); ; {
		status, err := s.look(ctx, box)
		if err != nil || hasNews(since, status) {
			return status, err
		}
		if early := roundEvery - time.Since(began); early > 0 {
			if err := s.pause(ctx, early); err != nil {
				return mail.Status{}, err
			}
			continue // nobody listened
		}
		began = time.Now()
		if err := s.idle(ctx, box, status.Messages); err != nil {
			return mail.Status{}, err
		}
	}
}

// hasNews reports whether a mailbox can have new messages since it had another
// state.
func hasNews(since, now mail.Status) bool {
	return now.Validity != since.Validity || now.UIDNext != since.UIDNext || now.Messages > since.Messages
}

// look opens a mailbox and returns its state.
func (s *Session) look(ctx context.Context, box mail.Mailbox) (mail.Status, error) {
	defer s.wire.CloseOn(ctx)()
	e, _, err := s.examine(ctx, opWatch, box, "")
	if err != nil {
		return mail.Status{}, err
	}
	return e.opened, nil
}

// pause lets time go by, with the connection at rest.
func (s *Session) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		err := s.lost(ctx, opWatch, ctx.Err())
		s.end()
		return err
	}
}

// idle waits until the server tells of more messages than there were, or for
// one renewal.
func (s *Session) idle(ctx context.Context, box mail.Mailbox, messages int) error {
	defer s.wire.CloseOn(ctx)()
	status, err := s.wire.Idle(ctx, renewal, func(r wire.Response) bool {
		switch r.Type {
		case "EXISTS":
			more := int(r.Num) > messages
			messages = int(r.Num)
			return more
		case "EXPUNGE":
			messages--
		}
		return false
	})
	if err != nil {
		err := s.lost(ctx, opWatch, err)
		s.end()
		return err
	}
	switch no := refusedBy(status); {
	case no == nil:
		return nil
	case no.passes():
		return s.refusal(opWatch, mail.Ref{Mailbox: box.Name}, mail.ScopeMailbox, no)
	default:
		return s.cannotWatch(box, fmt.Errorf("%w: %w", mail.ErrCannotWatch, no))
	}
}

func (s *Session) cannotWatch(box mail.Mailbox, err error) error {
	return &mail.Error{
		Op: opWatch, Mailbox: s.shown(box.Name), Scope: mail.ScopeMailbox, Retry: mail.RetryNever, Class: mail.ClassServer, Err: err,
		Hint: "new mail is found by the timetable; delete idle to be rid of this line",
	}
}
