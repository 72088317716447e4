package imap

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mailpull/pkg/mail"
)

// searchDate is how SEARCH takes a day (RFC 9051 section 9, date).
const searchDate = "2-Jan-2006"

// Older implements pull.Session by UID SEARCH BEFORE and SINCE (RFC 9051 section
// 6.4.4). These compare INTERNALDATE's day in the time zone that it was written
// in, so the day before is asked for.
//
// Each is the other's opposite, and a message counts as older only if both say
// so: a server that ignores the date names all messages in both, and one that
// cuts long answers names too few in the first. They are sent one after the
// other, because the answers to two commands on their way could not be told
// apart without ESEARCH.
func (s *Session) Older(ctx context.Context, since time.Time) (mail.UIDSet, error) {
	defer s.wire.CloseOn(ctx)()
	day := since.AddDate(0, 0, -1).Format(searchDate)
	before, err := s.searchByDate(ctx, "BEFORE "+day)
	if err != nil || len(before) == 0 {
		return nil, err
	}
	after, err := s.searchByDate(ctx, "SINCE "+day)
	if err != nil {
		return nil, err
	}
	older := before.Minus(after)
	if n := before.Len() - older.Len(); n > 0 {
		s.warnings.Warn("SEARCH says of messages that they are older than a day and that they are not, they are pulled",
			"mailbox", s.shown(s.selected).Shown(), "messages", n, "day", day)
	}
	return older, nil
}

// searchByDate lists the messages that a criterion fits. mail.ErrNoDates is in
// the error's chain where the answer is of no use, but not where the server may
// give a better one another time: it would be pulled whole, and what came stays
// in the archive for good.
func (s *Session) searchByDate(ctx context.Context, criterion string) (mail.UIDSet, error) {
	command := "UID SEARCH " + criterion
	if s.wire.Has("ESEARCH") {
		command = "UID SEARCH RETURN (ALL) " + criterion
	}
	f, err := s.collect(ctx, command, newExamined(false))
	if err != nil {
		return nil, err
	}
	if no, ok := errors.AsType[*refused](f.useless); ok && no.passes() {
		return nil, s.refusal(opSelect, mail.Ref{Mailbox: s.selected}, mail.ScopeMailbox, no)
	}
	if f.useless != nil {
		return nil, &mail.Error{
			Op: opSelect, Mailbox: s.shown(s.selected), Scope: mail.ScopeMailbox, Class: mail.ClassServer,
			Err: fmt.Errorf("%w: %w", mail.ErrNoDates, errors.New(s.wire.Clean(f.useless.Error()))),
		}
	}
	return f.set, nil
}
