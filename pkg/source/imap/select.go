package imap

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

// listAll asks for the UID of every message. It is the second method where
// SEARCH was refused or gave another number of messages than EXAMINE.
const listAll = "UID FETCH 1:* (UID)"

// Select implements pull.Session by EXAMINE, which changes nothing.
func (s *Session) Select(ctx context.Context, box mail.Mailbox) (mail.Refs, mail.Status, error) {
	defer s.wire.CloseOn(ctx)()
	e, err := s.examine(ctx, opSelect, box)
	if err != nil {
		return mail.Refs{}, mail.Status{}, err
	}
	status := e.result()

	var uids mail.UIDSet
	if e.messages != 0 || box.Status != nil && box.Status.Messages > 0 {
		if uids, err = s.listUIDs(ctx, e); err != nil {
			return mail.Refs{}, mail.Status{}, err
		}
	}
	return mail.Refs{Mailbox: box.Name, Validity: status.Validity, UIDs: uids}, status, nil
}

// examine opens a mailbox.
func (s *Session) examine(ctx context.Context, op string, box mail.Mailbox) (*examined, error) {
	quoted, ok := wire.Quote(box.Wire)
	if !ok {
		return nil, &mail.Error{
			Op: op, Mailbox: s.shown(box.Name), Scope: mail.ScopeMailbox,
			Retry: mail.RetryNever, Class: mail.ClassProtocol, Err: errUnsendable,
		}
	}
	s.selected, s.searches = box.Name, false
	e := newExamined(s.wire.Has("CONDSTORE"))
	statuses, err := s.aside(ctx, op, []string{"EXAMINE " + quoted}, e.take)
	if err != nil {
		return nil, err
	}
	if no := refusedBy(statuses[0]); no != nil {
		s.selected = "" // RFC 9051 section 6.3.2: no mailbox is selected now
		return nil, s.refusal(op, mail.Ref{Mailbox: box.Name}, mail.ScopeMailbox, no)
	}
	return e, nil
}

// listUIDs lists the selected mailbox, unless it is larger than the limit.
func (s *Session) listUIDs(ctx context.Context, e *examined) (mail.UIDSet, error) {
	if e.messages > s.limits.Messages {
		return nil, s.unlistable(s.tooMany(e.messages))
	}
	uids, err := s.listBoth(ctx, e)
	if n := uids.Len(); err == nil && n > s.limits.Messages {
		return nil, s.unlistable(s.tooMany(n))
	}
	return uids, err
}

// tooMany returns why a mailbox is too large to be believed: every message
// costs memory, and a server can make up four thousand million in a line.
func (s *Session) tooMany(n int) error {
	return fmt.Errorf("%w: %d messages in one mailbox, more than %d", wire.ErrTooMuch, n, s.limits.Messages)
}

// listBoth lists by SEARCH and, where that is not enough, by FETCH. A listing that has another number of
// messages than the mailbox is not believed: servers cut long SEARCH answers,
// and some list what cannot be fetched.
func (s *Session) listBoth(ctx context.Context, e *examined) (mail.UIDSet, error) {
	searched, err := s.search(ctx, e)
	if err != nil {
		return nil, err
	}
	s.searches = searched != nil && searched.Len() == e.messages
	if s.searches {
		return searched, nil
	}

	fetched, useless, err := s.collect(ctx, listAll, e)
	if err != nil {
		return nil, err
	}
	if useless != nil && searched == nil {
		return nil, s.unlistable(useless)
	}
	s.warnings.Warn("SEARCH and EXAMINE differ in the number of messages, listed by FETCH too",
		"mailbox", s.shown(s.selected).Shown(), "examine", e.messages, "search", searched.Len(), "fetch", fetched.Len())
	if useless == nil && searched.Len() > 2*max(e.messages, fetched.Len())+1000 {
		return fetched, nil // no mailbox: a range that the server made up
	}
	return searched.Union(fetched), nil
}

// search lists by UID SEARCH. The set is nil, not empty, where it was refused
// or made no sense.
func (s *Session) search(ctx context.Context, e *examined) (mail.UIDSet, error) {
	command := "UID SEARCH ALL"
	if s.wire.Has("ESEARCH") {
		command = "UID SEARCH RETURN (ALL) ALL"
	}
	set, useless, err := s.collect(ctx, command, e)
	if err != nil {
		return nil, err
	}
	if useless != nil {
		s.warnings.Warn("SEARCH was of no use", "mailbox", s.shown(s.selected).Shown(), "err", s.wire.Clean(useless.Error()))
		return nil, nil
	}
	if set == nil {
		set = mail.UIDSet{}
	}
	return set, nil
}

// unlistable returns the error for a mailbox that neither method lists.
func (s *Session) unlistable(useless error) *mail.Error {
	if no, ok := errors.AsType[*refused](useless); ok {
		return s.refusal(opSelect, mail.Ref{Mailbox: s.selected}, mail.ScopeMailbox, no)
	}
	return &mail.Error{
		Op: opSelect, Mailbox: s.shown(s.selected), Scope: mail.ScopeMailbox, Class: mail.ClassProtocol,
		Err: errors.New(s.wire.Clean(useless.Error())),
	}
}

// collect sends a command that lists and returns the UIDs of its answers, or
// why the answers are of no use. err means that the session is dead.
func (s *Session) collect(ctx context.Context, command string, e *examined) (set mail.UIDSet, useless, err error) {
	var uids uidList
	var odd error // the first answer that made no sense
	fetched := 0
	statuses, err := s.aside(ctx, opSelect, []string{command}, func(r wire.Response) error {
		var err error
		switch r.Type {
		case "SEARCH":
			err = uids.addSearch(r.Raw)
		case "ESEARCH":
			err = uids.addESearch(r.Raw)
		case "FETCH":
			if fetched++; fetched > s.limits.Messages {
				return s.tooMany(fetched)
			}
			if uid, ok := fetchedUID(r.Nodes); ok {
				err = uids.add(uid, uid)
			}
		default:
			return e.take(r)
		}
		if errors.Is(err, errTooManyUIDs) {
			return err
		}
		if odd == nil {
			odd = err
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if no := refusedBy(statuses[0]); no != nil {
		return nil, no, nil
	}
	return uids.set(), odd, nil
}

// fetchedUID returns the UID that a FETCH answer names.
func fetchedUID(nodes []wire.Node) (mail.UID, bool) {
	if len(nodes) == 0 || nodes[0].Kind != wire.List {
		return 0, false
	}
	items := nodes[0].List
	for i := 0; i+1 < len(items); i += 2 {
		if strings.EqualFold(items[i].Text, "UID") {
			uid, err := parseUID(items[i+1].Text)
			return uid, err == nil && uid != 0
		}
	}
	return 0, false
}

// examined is what the answers to EXAMINE told, and what later answers
// changed about it.
type examined struct {
	condstore bool
	status    mail.Status
	notSticky bool

	// messages is how many messages the mailbox has at the moment, -1 if the
	// server did not say.
	messages int
}

func newExamined(condstore bool) *examined {
	return &examined{condstore: condstore, status: mail.Status{Size: -1}, messages: -1}
}

// take takes one untagged answer.
func (e *examined) take(r wire.Response) error {
	switch r.Type {
	case "EXISTS":
		e.messages = int(r.Num)
	case "EXPUNGE":
		e.messages = max(0, e.messages-1)
	case "OK", "NO":
		e.takeCode(strings.ToUpper(r.Code), strings.TrimSpace(r.CodeArgs))
	}
	return nil
}

// takeCode takes a response code. Servers were seen to write them in lower
// case, with UIDVALIDITY above 32 bits, and HIGHESTMODSEQ without CONDSTORE.
func (e *examined) takeCode(code, args string) {
	n, err := strconv.ParseUint(args, 10, 64)
	if err != nil {
		n = 0
	}
	switch code {
	case "CLOSED": // what came before belongs to the mailbox selected before
		*e = *newExamined(e.condstore)
	case "UIDVALIDITY":
		e.status.Validity = mail.UIDValidity(uint32OrZero(n))
	case "UIDNEXT":
		e.status.UIDNext = mail.UID(uint32OrZero(n))
	case "UIDNOTSTICKY":
		e.notSticky = true
	case "HIGHESTMODSEQ":
		if e.condstore {
			e.status.ModSeq = n
		}
	}
}

// result returns the mailbox's state. It must be called when EXAMINE was
// completed, before the listing, so that what arrives later is found by the
// next pass.
func (e *examined) result() mail.Status {
	status := e.status
	status.Messages = max(0, e.messages)
	if e.notSticky {
		status.Validity = 0
	}
	return status
}
