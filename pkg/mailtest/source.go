package mailtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
)

// Server is a fake source with its mailboxes in memory. Its fields may be
// changed between passes; Steps and Group are read when a session works.
type Server struct {
	mu    sync.Mutex
	boxes []*ServerBox

	// Steps is asked before each thing the server does; nil never stops.
	Steps *Steps

	// Group is how many messages are confirmed together; 0 means 3.
	Group int

	// Sessions is what Limit returns; 0 means 4.
	Sessions int

	// CutAfter drops each connection after that many bodies; 0 never does.
	CutAfter int

	// CutClass is the class of the error then; empty means ClassConnect.
	CutClass mail.Class

	// NoStatus leaves the status out of the list of mailboxes.
	NoStatus bool

	// NoDates is set for a server that does not search by date.
	NoDates bool

	// Fetched counts the bodies that were read whole, Asked the messages that
	// were asked for, Opened the sessions.
	Fetched int
	Asked   int
	Opened  int
}

// ServerBox is a mailbox of a Server.
type ServerBox struct {
	Name     mail.MailboxName
	Validity mail.UIDValidity
	UIDNext  mail.UID
	Messages []ServerMessage

	// Size is what the list of mailboxes tells as the sum of their sizes, 0 or
	// less for nothing.
	Size int64

	// Refuse is what Select returns, RefuseDates what Older does.
	Refuse, RefuseDates error
}

// ServerMessage is a message of a ServerBox.
type ServerMessage struct {
	UID  mail.UID
	Item mail.Item // without its ref
	Body string

	// Outcome is what the fetch settles it with instead of its body.
	Outcome error

	// Deadly ends the session when the message is asked for, after it was
	// failed, as the adapters do with a message that breaks the protocol.
	Deadly bool
}

// NewServer returns a server with an empty INBOX.
func NewServer() *Server {
	s := &Server{}
	s.Box(mail.Inbox)
	return s
}

// Box returns the mailbox of that name and makes it where it is missing.
func (s *Server) Box(name mail.MailboxName) *ServerBox {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.boxes {
		if b.Name == name {
			return b
		}
	}
	b := &ServerBox{Name: name, Validity: 7, UIDNext: 1}
	s.boxes = append(s.boxes, b)
	return b
}

// Add appends messages to the mailbox and returns it.
func (b *ServerBox) Add(bodies ...string) *ServerBox {
	for _, body := range bodies {
		b.Messages = append(b.Messages, ServerMessage{UID: b.UIDNext, Body: body})
		b.UIDNext++
	}
	return b
}

// Limit implements pull.Source.
func (s *Server) Limit() int {
	if s.Sessions > 0 {
		return s.Sessions
	}
	return 4
}

// Open implements pull.Source.
func (s *Server) Open(ctx context.Context) (pull.Session, error) {
	if err := s.step(ctx, "open"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.Opened++
	s.mu.Unlock()
	return &serverSession{server: s}, nil
}

func (s *Server) step(ctx context.Context, name string) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if s.Steps == nil {
		return nil
	}
	return s.Steps.Do(name)
}

type serverSession struct {
	server *Server
	box    *ServerBox
	bodies int

	mu   sync.Mutex
	dead bool
}

func (s *serverSession) step(ctx context.Context, name string) error {
	s.mu.Lock()
	dead := s.dead
	s.mu.Unlock()
	if dead {
		return errors.New("session is closed")
	}
	return s.server.step(ctx, name)
}

// Mailboxes implements pull.Session.
func (s *serverSession) Mailboxes(ctx context.Context) ([]mail.Mailbox, error) {
	if err := s.step(ctx, "mailboxes"); err != nil {
		return nil, err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	var boxes []mail.Mailbox
	for _, b := range s.server.boxes {
		m := mail.Mailbox{Name: b.Name, Wire: string(b.Name), Delimiter: '/'}
		if !s.server.NoStatus {
			status := b.status()
			if b.Size > 0 {
				status.Size = b.Size
			}
			m.Status = &status
		}
		boxes = append(boxes, m)
	}
	return boxes, nil
}

func (b *ServerBox) status() mail.Status {
	return mail.Status{Validity: b.Validity, UIDNext: b.UIDNext, Messages: len(b.Messages), Size: -1}
}

// Select implements pull.Session.
func (s *serverSession) Select(ctx context.Context, box mail.Mailbox) (mail.Refs, mail.Status, error) {
	if err := s.step(ctx, "select "+string(box.Name)); err != nil {
		return mail.Refs{}, mail.Status{}, err
	}
	b := s.server.Box(box.Name)
	if b.Refuse != nil {
		return mail.Refs{}, mail.Status{}, b.Refuse
	}
	s.box = b
	refs := mail.Refs{Mailbox: b.Name, Validity: b.Validity}
	for _, m := range b.Messages {
		refs.UIDs.Add(m.UID, m.UID)
	}
	return refs, b.status(), nil
}

// Older implements pull.Session, by the dates that the messages have.
func (s *serverSession) Older(ctx context.Context, since time.Time) (mail.UIDSet, error) {
	if err := s.step(ctx, "older"); err != nil {
		return nil, err
	}
	if s.server.NoDates {
		return nil, &mail.Error{Op: "fake search", Mailbox: s.box.Name, Scope: mail.ScopeMailbox, Class: mail.ClassServer, Err: mail.ErrNoDates}
	}
	if s.box.RefuseDates != nil {
		return nil, s.box.RefuseDates
	}
	var older mail.UIDSet
	for _, m := range s.box.Messages {
		if !m.Item.Date.IsZero() && m.Item.Date.Before(since) {
			older.Add(m.UID, m.UID)
		}
	}
	return older, nil
}

// Fetch implements pull.Session.
func (s *serverSession) Fetch(ctx context.Context, refs mail.Refs, r mail.Receiver) error {
	group := s.server.Group
	if group == 0 {
		group = 3
	}
	var uids []mail.UID
	for uid := range refs.UIDs.All {
		uids = append(uids, uid)
	}
	for set := range slices.Chunk(uids, group) {
		if err := s.fetchGroup(ctx, refs, set, r); err != nil {
			s.Abort()
			return err
		}
	}
	return nil
}

func (s *serverSession) fetchGroup(ctx context.Context, refs mail.Refs, uids []mail.UID, r mail.Receiver) error {
	var items []mail.Item
	var outcomes []error
	for _, uid := range uids {
		item, outcome, err := s.fetchOne(ctx, mail.Ref{Mailbox: refs.Mailbox, Validity: refs.Validity, UID: uid}, r)
		if err != nil {
			return err
		}
		items, outcomes = append(items, item), append(outcomes, outcome)
	}
	if err := s.step(ctx, "confirm"); err != nil {
		return err
	}
	for i, item := range items {
		if err := r.Settle(item, outcomes[i]); err != nil {
			return err
		}
	}
	return r.Settled()
}

// fetchOne sends one body, in two parts so that a stop can fall inside it.
func (s *serverSession) fetchOne(ctx context.Context, ref mail.Ref, r mail.Receiver) (mail.Item, error, error) {
	s.server.mu.Lock()
	s.server.Asked++
	s.server.mu.Unlock()
	i := slices.IndexFunc(s.box.Messages, func(m ServerMessage) bool { return m.UID == ref.UID })
	if i < 0 {
		return mail.Item{Ref: ref}, mail.ErrGone, nil
	}
	m := s.box.Messages[i]
	item := m.Item
	item.Ref = ref
	if m.Outcome != nil {
		return item, m.Outcome, nil
	}
	if m.Deadly {
		broken := &mail.Error{Op: "fake fetch", Mailbox: ref.Mailbox, UID: ref.UID, Class: mail.ClassProtocol, Err: errors.New("odd answer"), Scope: mail.ScopeMessage}
		if err := r.Settle(item, broken); err != nil {
			return item, nil, err
		}
		dead := *broken
		dead.Scope = mail.ScopeAccount
		return item, nil, &dead
	}
	s.bodies++
	if s.server.CutAfter > 0 && s.bodies > s.server.CutAfter {
		class := cmp.Or(s.server.CutClass, mail.ClassConnect)
		return item, nil, &mail.Error{Op: "fake fetch", Scope: mail.ScopeAccount, Retry: mail.RetryNow, Class: class, Err: io.ErrUnexpectedEOF}
	}
	half := len(m.Body) / 2
	body := io.MultiReader(
		&steppedReader{step: func() error { return s.step(ctx, "body") }, Reader: bytes.NewReader([]byte(m.Body[:half]))},
		&steppedReader{step: func() error { return s.step(ctx, "rest of body") }, Reader: bytes.NewReader([]byte(m.Body[half:]))},
	)
	if err := r.Body(ref, int64(len(m.Body)), body); err != nil {
		return item, nil, err
	}
	s.server.mu.Lock()
	s.server.Fetched++
	s.server.mu.Unlock()
	return item, nil, nil
}

// steppedReader takes a step before its first byte.
type steppedReader struct {
	io.Reader
	step  func() error
	begun bool
}

func (r *steppedReader) Read(p []byte) (int, error) {
	if !r.begun {
		r.begun = true
		if err := r.step(); err != nil {
			return 0, err
		}
	}
	return r.Reader.Read(p)
}

// Close implements pull.Session.
func (s *serverSession) Close(ctx context.Context) error { return s.step(ctx, "close") }

// Abort implements pull.Session.
func (s *serverSession) Abort() {
	s.mu.Lock()
	s.dead = true
	s.mu.Unlock()
}
