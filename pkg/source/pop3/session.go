package pop3

import (
	"context"
	"errors"
	"net"

	gopop3 "github.com/knadh/go-pop3"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

// Session implements pull.Session on one signed-in connection.
type Session struct {
	conn    *wire.POP3
	library *gopop3.Conn // speaks through conn.Turn
	care    *care        // the source's
	listing *listing     // of the last Select, or nil

	// provable is set when the server answers UIDL for one message with its
	// number and unique-id.
	provable bool
}

// Mailboxes implements pull.Session. A maildrop has no other than INBOX. No
// status comes with it: STAT alone cannot tell a mailbox from one in which as
// many bytes left as came.
func (s *Session) Mailboxes(context.Context) ([]mail.Mailbox, error) {
	return []mail.Mailbox{{Name: mail.Inbox, Wire: string(mail.Inbox)}}, nil
}

// Select implements pull.Session. STAT, UIDL and a UIDL for the first message,
// which shows how the server answers one, go out together where it pipelines.
// A long listing is left out where a few questions can take its place: see part.
// The refs' UIDLs belong to the session and must not be changed.
func (s *Session) Select(ctx context.Context, box mail.Mailbox) (mail.Refs, mail.Status, error) {
	defer s.closeOn(ctx)()
	s.listing = nil
	if box.Name != mail.Inbox {
		return mail.Refs{}, mail.Status{}, &mail.Error{
			Op: "pop3 select", Mailbox: box.Name, Scope: mail.ScopeMailbox, Retry: mail.RetryNever,
			Class: mail.ClassConfig, Err: errors.New("a maildrop has no mailbox but INBOX"),
		}
	}
	l, status, err := s.part(box.Since)
	if err == nil && l == nil {
		l, status, err = s.all()
	}
	if err != nil {
		return mail.Refs{}, mail.Status{}, err
	}
	s.listing = l
	return mail.Refs{Mailbox: mail.Inbox, UIDLs: l.refs(), Rest: l.rest}, status, nil
}

// all lists every message.
func (s *Session) all() (*listing, mail.Status, error) {
	if s.conn.Pipelining {
		s.conn.Queue("UIDL", "UIDL 1")
	}
	status, err := s.stat()
	if err != nil {
		s.Abort() // the answers that follow are of no use
		return nil, mail.Status{}, err
	}
	l, err := s.list(status.Messages)
	if err == nil && s.mayPart(status.Messages) && s.provable {
		status.Mark = mark(status.Messages, func(number int) mail.UIDL { return l.uidls[number-1] })
	}
	return l, status, err
}

// stat asks how many messages there are, and how large they are together.
func (s *Session) stat() (mail.Status, error) {
	const op = "pop3 stat"
	messages, size, err := s.library.Stat()
	if dead := s.conn.Err(); dead != nil {
		return mail.Status{}, lost(op, "", dead)
	}
	reply := s.conn.Reply()
	if !reply.OK {
		return mail.Status{}, refused(op, mail.ScopeAccount, reply)
	}
	if err != nil || messages < 0 || size < 0 {
		e := broken(op, "an answer without two numbers: %q", reply.Text)
		e.Scope = mail.ScopeAccount
		return mail.Status{}, e
	}
	if messages > maxMessages {
		e := broken(op, "%d messages, and at most %d can be handled", messages, maxMessages)
		e.Scope = mail.ScopeAccount
		return mail.Status{}, e
	}
	return mail.Status{Messages: messages, Size: int64(size)}, nil
}

// list reads UIDL. Where more was asked for with it all answers are read, so
// that the connection stays in step whatever is wrong with the first.
func (s *Session) list(messages int) (*listing, error) {
	l := newListing(messages, s.conn.Clean)
	listed := s.uidls(l)
	if listed != nil && (!s.conn.Pipelining || s.conn.Err() != nil) {
		return nil, listed
	}
	if err := s.probe(l); err != nil {
		return nil, err
	}
	if listed != nil {
		return nil, listed
	}
	l.sort()
	return l, nil
}

// probe finds out whether UIDL for one message can prove anything. Some
// servers do not know it, or answer it in a form of their own.
func (s *Session) probe(l *listing) error {
	s.provable = false
	if !s.conn.Pipelining {
		if len(l.uidls) == 0 {
			return nil
		}
		if err := s.conn.Send("UIDL 1"); err != nil {
			return lost("pop3 uidl", "", err)
		}
	}
	matched, _, err := s.conn.AnswerIs(func(text []byte) bool {
		return len(l.uidls) > 0 && names(text, 1, l.uidls[0])
	})
	if err != nil {
		return lost("pop3 uidl", "", err)
	}
	s.provable = matched
	return nil
}

// uidls asks for UIDL, if it was not yet, and reads the answer.
func (s *Session) uidls(l *listing) error {
	const op = "pop3 uidl"
	if !s.conn.Pipelining {
		if err := s.conn.Send("UIDL"); err != nil {
			return lost(op, "", err)
		}
	}
	c := &column{listing: l}
	reply, err := s.conn.Listing(c.add)
	if err != nil {
		return lost(op, "", err)
	}
	if reply.OK {
		return c.check()
	}
	e := refused(op, mail.ScopeMailbox, reply)
	if reply.Code == "" {
		e.Retry = mail.RetryNever
		e.Hint = "the server has no UIDL, or it is switched off; this version needs it to tell which messages are new"
	}
	return e
}

// Close implements pull.Session. It says QUIT, which is what makes a server
// carry out deletions, so it is for the good end alone.
func (s *Session) Close(ctx context.Context) error {
	const op = "pop3 quit"
	defer s.closeOn(ctx)()
	defer s.Abort()
	if dead := s.conn.Err(); dead != nil {
		return lost(op, "", dead)
	}
	if err := s.library.Quit(); err == nil {
		return nil
	}
	// Quit closes the connection in any case; another reason was there before.
	if dead := s.conn.Err(); !errors.Is(dead, net.ErrClosed) {
		return lost(op, "", dead)
	}
	return refused(op, mail.ScopeAccount, s.conn.Reply())
}

// Abort implements pull.Session.
func (s *Session) Abort() { _ = s.conn.Close() } // there is nobody to tell

// closeOn closes the connection when ctx ends, until the returned function is
// called. A ctx that has ended already closes it before anything is sent.
func (s *Session) closeOn(ctx context.Context) func() {
	if ctx.Err() != nil {
		s.conn.Fail(context.Cause(ctx))
	}
	stop := s.conn.CloseOn(ctx)
	return func() { stop() }
}
