package imap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

// statusGroup is how many STATUS commands are sent before the answers to all
// of them are awaited.
const statusGroup = 64

// maxName is the length in bytes above which the name of a mailbox is not
// believed. A file system takes 255 for each level.
const maxName = 1024

// Mailboxes implements pull.Session. It is one round trip where the server
// has LIST-STATUS (RFC 5819), else one for LIST and one for each statusGroup
// of mailboxes.
func (s *Session) Mailboxes(ctx context.Context) ([]mail.Mailbox, error) {
	defer s.wire.CloseOn(ctx)()
	list := newList(s)
	if s.wire.Has("LIST-STATUS") {
		no, err := s.list(ctx, list, s.listStatusCommand())
		if err != nil {
			return nil, err
		}
		if no == nil {
			return list.done(), nil
		}
		s.warnings.Warn("LIST with STATUS was refused, asking for each", "err", no)
		list = newList(s)
	}
	no, err := s.list(ctx, list, s.listCommand())
	if err != nil {
		return nil, err
	}
	if no != nil {
		return nil, s.refusal(opList, mail.Ref{}, mail.ScopeAccount, no)
	}
	boxes := list.done()
	list.whole = true
	if err := s.askStatus(ctx, list, boxes); err != nil {
		return nil, err
	}
	return list.done(), nil
}

// statusItems is what STATUS asks for. HIGHESTMODSEQ and SIZE are asked for
// only where they are announced, because a server refuses the whole command
// for a word that it does not know.
func (s *Session) statusItems() string {
	items := "MESSAGES UIDNEXT UIDVALIDITY"
	if s.wire.Has("CONDSTORE") {
		items += " HIGHESTMODSEQ"
	}
	if s.wire.Has("STATUS=SIZE") {
		items += " SIZE"
	}
	return "(" + items + ")"
}

func (s *Session) listStatusCommand() string {
	options := "STATUS " + s.statusItems()
	if s.wire.Has("SPECIAL-USE") {
		options += " SPECIAL-USE"
	}
	return `LIST "" "*" RETURN (` + options + ")"
}

func (s *Session) listCommand() string {
	if s.wire.Has("LIST-EXTENDED") && s.wire.Has("SPECIAL-USE") {
		return `LIST "" "*" RETURN (SPECIAL-USE)`
	}
	return `LIST "" "*"`
}

// list sends one LIST command and collects its answers.
func (s *Session) list(ctx context.Context, l *list, command string) (*refused, error) {
	commands := append(s.unselect(), command)
	statuses, err := s.aside(ctx, opList, commands, l.take)
	if err != nil {
		return nil, err
	}
	return refusedBy(statuses[len(statuses)-1]), nil
}

// unselect returns the command that leaves a mailbox which an earlier pass has
// selected: RFC 9051 section 6.3.11 wants no STATUS of a selected one. CLOSE
// removes nothing after EXAMINE (section 6.4.1). What comes of it does not matter.
func (s *Session) unselect() []string {
	switch {
	case s.selected == "":
		return nil
	case s.wire.Has("UNSELECT"):
		s.selected = ""
		return []string{"UNSELECT"}
	}
	s.selected = ""
	return []string{"CLOSE"}
}

// askStatus asks for the status of each mailbox that can have one. A mailbox
// whose status is refused is left without: it will be opened.
func (s *Session) askStatus(ctx context.Context, l *list, boxes []mail.Mailbox) error {
	var commands []string
	send := func() error {
		if len(commands) == 0 {
			return nil
		}
		_, err := s.aside(ctx, opList, commands, l.take)
		commands = commands[:0]
		return err
	}
	for _, box := range boxes {
		quoted, ok := wire.Quote(box.Wire)
		if box.NoSelect || !ok {
			continue
		}
		commands = append(commands, "STATUS "+quoted+" "+s.statusItems())
		if len(commands) == statusGroup {
			if err := send(); err != nil {
				return err
			}
		}
	}
	return send()
}

// list collects the answers to LIST and STATUS.
type list struct {
	s      *Session
	boxes  []mail.Mailbox
	place  map[mail.MailboxName]int // the index in boxes
	status map[mail.MailboxName]*mail.Status
	bytes  int  // of names so far
	whole  bool // no more mailboxes are to come
}

func newList(s *Session) *list {
	return &list{s: s, place: make(map[mail.MailboxName]int), status: make(map[mail.MailboxName]*mail.Status)}
}

// take takes one answer. A LIST line that makes no sense costs that mailbox,
// not the account.
func (l *list) take(r wire.Response) error {
	switch r.Type {
	case "LIST":
		box, err := parseList(r)
		if err != nil {
			l.s.warnings.Warn("a LIST answer was left out", "err", l.s.wire.Clean(err.Error()))
			return l.spend(maxName)
		}
		return l.add(box)
	case "STATUS":
		name, status, err := parseStatus(r, l.s.wire.Has("CONDSTORE"))
		if err != nil {
			l.s.warnings.Warn("a STATUS answer was left out", "err", l.s.wire.Clean(err.Error()))
			return nil
		}
		return l.addStatus(name, status)
	}
	return nil
}

// addStatus keeps the status of a mailbox that is listed, or may be listed
// later in the same answer.
func (l *list) addStatus(name mail.MailboxName, status *mail.Status) error {
	_, listed := l.place[name]
	_, known := l.status[name]
	if !listed && !known && name != mail.Inbox {
		if l.whole {
			return nil
		}
		if err := l.spend(len(name)); err != nil {
			return err
		}
	}
	l.status[name] = status
	return nil
}

// spend takes bytes from what one LIST may cost.
func (l *list) spend(n int) error {
	if l.bytes += n; l.bytes > l.s.limits.Listing {
		return fmt.Errorf("%w: a list of mailboxes of more than %d bytes", wire.ErrTooMuch, l.s.limits.Listing)
	}
	return nil
}

// add adds a mailbox to the list. The first of two with the same name wins.
func (l *list) add(box mail.Mailbox) error {
	if err := l.spend(len(box.Wire)); err != nil {
		return err
	}
	if _, ok := l.place[box.Name]; ok {
		l.s.warnings.Warn("the server lists a mailbox twice", "mailbox", l.s.shown(box.Name).Shown())
		return nil
	}
	if len(l.boxes) >= l.s.limits.Mailboxes {
		return fmt.Errorf("%w: more than %d mailboxes", wire.ErrTooMuch, l.s.limits.Mailboxes)
	}
	l.place[box.Name] = len(l.boxes)
	l.boxes = append(l.boxes, box)
	return nil
}

// done returns the mailboxes with their status. INBOX always exists (RFC 9051
// section 5.1), so a list without it is completed.
func (l *list) done() []mail.Mailbox {
	if _, ok := l.place[mail.Inbox]; !ok {
		for name := range l.place {
			l.place[name]++
		}
		l.place[mail.Inbox] = 0
		l.boxes = append([]mail.Mailbox{{Name: mail.Inbox, Wire: string(mail.Inbox)}}, l.boxes...)
	}
	for i := range l.boxes {
		l.boxes[i].Status = l.status[l.boxes[i].Name]
	}
	return l.boxes
}

// parseList reads the answer to LIST (RFC 9051 section 7.3.1): attributes,
// delimiter, name, and extended data that is left out.
func parseList(r wire.Response) (mail.Mailbox, error) {
	nodes := r.Nodes
	if r.Odd != nil {
		return mail.Mailbox{}, r.Odd
	}
	if len(nodes) < 3 || nodes[0].Kind != wire.List {
		return mail.Mailbox{}, errors.New("list: not attributes, delimiter and name")
	}
	name, ok := text(nodes[2])
	if !ok || name == "" {
		return mail.Mailbox{}, errors.New("list: no name")
	}
	if len(name) > maxName {
		return mail.Mailbox{}, fmt.Errorf("list: a name of %d bytes", len(name))
	}
	box := mail.Mailbox{Name: mailboxName(name), Wire: name}
	if delimiter, ok := text(nodes[1]); ok {
		box.Delimiter = delimiterOf(delimiter)
	}
	for _, attribute := range nodes[0].List {
		switch strings.ToLower(attribute.Text) {
		case `\noselect`, `\nonexistent`:
			box.NoSelect = true
		default:
			if use := specialUse(attribute.Text); use != "" && !slices.Contains(box.Use, use) {
				box.Use = append(box.Use, use)
			}
		}
	}
	return box, nil
}

// specialUse returns the special-use word (RFC 6154, RFC 8457) that an
// attribute is, in its usual spelling, or the empty string.
func specialUse(attribute string) string {
	for _, use := range []string{
		`\All`, `\Archive`, `\Drafts`, `\Flagged`, `\Important`, `\Junk`, `\Sent`, `\Trash`,
	} {
		if strings.EqualFold(attribute, use) {
			return use
		}
	}
	return ""
}

// parseStatus reads the answer to STATUS (RFC 9051 section 7.3.4). One that
// does not tell the count and the UIDVALIDITY is of no use. The error can hold
// text of the server's.
func parseStatus(r wire.Response, condstore bool) (mail.MailboxName, *mail.Status, error) {
	nodes := r.Nodes
	if r.Odd != nil {
		return "", nil, r.Odd
	}
	if len(nodes) < 2 || nodes[1].Kind != wire.List {
		return "", nil, errors.New("status: not a name and a list")
	}
	wireName, ok := text(nodes[0])
	if !ok || len(wireName) > maxName {
		return "", nil, errors.New("status: no name, or a very long one")
	}
	values := make(map[string]uint64)
	pairs := nodes[1].List
	for i := 0; i+1 < len(pairs); i += 2 {
		n, err := strconv.ParseUint(pairs[i+1].Text, 10, 63)
		if err != nil {
			return "", nil, fmt.Errorf("status: %s is %s", pairs[i].Text, pairs[i+1].Text)
		}
		values[strings.ToUpper(pairs[i].Text)] = n
	}
	messages, hasMessages := values["MESSAGES"]
	_, hasValidity := values["UIDVALIDITY"]
	if !hasMessages || !hasValidity || messages > 1<<32 {
		return "", nil, errors.New("status: no count or no UIDVALIDITY")
	}
	status := &mail.Status{
		Validity: mail.UIDValidity(uint32OrZero(values["UIDVALIDITY"])),
		UIDNext:  mail.UID(uint32OrZero(values["UIDNEXT"])),
		Messages: int(messages),
		Size:     -1,
	}
	if condstore {
		status.ModSeq = values["HIGHESTMODSEQ"]
	}
	if size, ok := values["SIZE"]; ok {
		status.Size = int64(size)
	}
	return mailboxName(wireName), status, nil
}

// uint32OrZero returns n, or 0 where it does not fit: an identity that was
// cut off must not pass for another one.
func uint32OrZero(n uint64) uint32 {
	if n > 1<<32-1 {
		return 0
	}
	return uint32(n)
}

// text returns the text of an atom or a string.
func text(n wire.Node) (string, bool) {
	return n.Text, n.Kind == wire.Atom || n.Kind == wire.String
}
