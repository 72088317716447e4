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

// Select implements pull.Session by EXAMINE, which changes nothing. The search
// that lists the mailbox is sent behind it without waiting, because most
// mailboxes cost no more than their round trips; RFC 9051 section 5.5 has the
// server finish the one before it begins the other.
func (s *Session) Select(ctx context.Context, box mail.Mailbox) (mail.Refs, mail.Status, error) {
	defer s.wire.CloseOn(ctx)()
	command := s.searchCommand()
	if box.Status != nil && (box.Status.Messages == 0 || box.Status.Messages > s.limits.Messages) {
		command = "" // nothing to list, or too much
	}
	e, found, err := s.examine(ctx, opSelect, box, command)
	if err != nil {
		return mail.Refs{}, mail.Status{}, err
	}
	s.average = int64(box.Status.MeanSize())

	var uids mail.UIDSet
	if e.messages != 0 || box.Status != nil && box.Status.Messages > 0 {
		if uids, err = s.listUIDs(ctx, e, found); err != nil {
			return mail.Refs{}, mail.Status{}, err
		}
	}
	return mail.Refs{Mailbox: box.Name, Validity: e.opened.Validity, UIDs: uids}, e.opened, nil
}

// examine opens a mailbox and, unless command is empty, sends a command that
// lists it in the same breath. What that one found may be of no use.
func (s *Session) examine(ctx context.Context, op string, box mail.Mailbox, command string) (*examined, *found, error) {
	quoted, ok := wire.Quote(box.Wire)
	if !ok {
		return nil, nil, &mail.Error{
			Op: op, Mailbox: s.shown(box.Name), Scope: mail.ScopeMailbox,
			Retry: mail.RetryNever, Class: mail.ClassProtocol, Err: errUnsendable,
		}
	}
	s.selected, s.wireName, s.searches = box.Name, box.Wire, false
	e := newExamined(s.wire.Has("CONDSTORE"))
	f := &found{session: s, examined: e}
	commands := []string{"EXAMINE " + quoted}
	if command != "" {
		commands = append(commands, command)
	}
	statuses, err := s.asideEach(ctx, op, commands, func(i int, r wire.Response) error {
		if i == 0 {
			return e.take(r)
		}
		e.end()
		return f.take(r)
	})
	if err != nil {
		return nil, nil, err
	}
	if no := refusedBy(statuses[0]); no != nil {
		s.selected = "" // RFC 9051 section 6.3.2: no mailbox is selected now
		return nil, nil, s.refusal(op, mail.Ref{Mailbox: box.Name}, mail.ScopeMailbox, no)
	}
	e.end()
	if command == "" {
		return e, nil, nil
	}
	f.end(statuses[1])
	return e, f, nil
}

// listUIDs lists the selected mailbox, unless it is larger than the limit. What
// the search that came with EXAMINE found is nil where it was not sent.
func (s *Session) listUIDs(ctx context.Context, e *examined, searched *found) (mail.UIDSet, error) {
	if e.messages > s.limits.Messages {
		return nil, s.unlistable(s.tooMany(e.messages))
	}
	if searched == nil {
		var err error
		if searched, err = s.collect(ctx, s.searchCommand(), e); err != nil {
			return nil, err
		}
	}
	uids, err := s.listBoth(ctx, e, searched)
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

// listBoth lists by what SEARCH found and, where that is not enough, by FETCH. A
// listing that has another number of messages than the mailbox is not believed:
// servers cut long SEARCH answers, and some list what cannot be fetched.
func (s *Session) listBoth(ctx context.Context, e *examined, searched *found) (mail.UIDSet, error) {
	if searched.useless != nil {
		s.warnings.Warn("SEARCH was of no use", "mailbox", s.shown(s.selected).Shown(), "err", s.wire.Clean(searched.useless.Error()))
	}
	s.searches = searched.useless == nil && searched.set.Len() == e.messages
	if s.searches {
		return searched.set, nil
	}

	fetched, err := s.collect(ctx, listAll, e)
	if err != nil {
		return nil, err
	}
	if fetched.useless != nil && searched.useless != nil {
		return nil, s.unlistable(fetched.useless)
	}
	s.warnings.Warn("SEARCH and EXAMINE differ in the number of messages, listed by FETCH too",
		"mailbox", s.shown(s.selected).Shown(), "examine", e.messages, "search", searched.set.Len(), "fetch", fetched.set.Len())
	if fetched.useless == nil && searched.set.Len() > 2*max(e.messages, fetched.set.Len())+1000 {
		return fetched.set, nil // no mailbox: a range that the server made up
	}
	return searched.set.Union(fetched.set), nil
}

// searchCommand is what lists a mailbox.
func (s *Session) searchCommand() string {
	if s.wire.Has("ESEARCH") {
		return "UID SEARCH RETURN (ALL) ALL"
	}
	return "UID SEARCH ALL"
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

// collect sends a command that lists. An error means that the session is dead.
func (s *Session) collect(ctx context.Context, command string, e *examined) (*found, error) {
	f := &found{session: s, examined: e}
	statuses, err := s.aside(ctx, opSelect, []string{command}, f.take)
	if err != nil {
		return nil, err
	}
	f.end(statuses[0])
	return f, nil
}

// found is what a command that lists a mailbox told.
type found struct {
	session  *Session
	examined *examined // takes what the answers say of the mailbox besides

	uids    uidList
	fetched int   // FETCH answers
	odd     error // the first answer that made no sense

	// set are the UIDs, empty where the answers are of no use, and useless is
	// why they are not. Both are there at the end.
	set     mail.UIDSet
	useless error
}

// take takes one untagged answer.
func (f *found) take(r wire.Response) error {
	var err error
	switch r.Type {
	case "SEARCH":
		err = f.uids.addSearch(r.Raw)
	case "ESEARCH":
		err = f.uids.addESearch(r.Raw)
	case "FETCH":
		if f.fetched++; f.fetched > f.session.limits.Messages {
			return f.session.tooMany(f.fetched)
		}
		if uid, ok := fetchedUID(r.Nodes); ok {
			err = f.uids.add(uid, uid)
		}
	default:
		return f.examined.take(r)
	}
	if errors.Is(err, errTooManyUIDs) {
		return err
	}
	if f.odd == nil {
		f.odd = err
	}
	return nil
}

// end takes the answer to the command.
func (f *found) end(status wire.Status) {
	f.useless = f.odd
	if no := refusedBy(status); no != nil {
		f.useless = no
	}
	if f.useless == nil {
		f.set = f.uids.set()
	}
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

	// opened is the mailbox's state when EXAMINE was completed, before the
	// listing, so that what arrives later is found by the next pass.
	opened mail.Status
	ended  bool

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
		if !e.ended {
			*e = *newExamined(e.condstore)
		}
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

// end notes that EXAMINE is completed. What is taken after that tells of changes.
func (e *examined) end() {
	if e.ended {
		return
	}
	e.ended = true
	e.opened = e.status
	e.opened.Messages = max(0, e.messages)
	if e.notSticky {
		e.opened.Validity = 0
	}
}
