package imap

import (
	"context"
	"sync/atomic"

	"github.com/emersion/go-imap/v2/imapclient"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

// Session is one signed-in connection. All its methods but Abort belong to one
// goroutine.
type Session struct {
	source   *Source
	alive    context.Context // until Abort
	ended    context.CancelFunc
	wire     *wire.IMAP
	client   *imapclient.Client
	warnings *wire.Warnings
	limits   wire.Limits
	care     *care

	selected mail.MailboxName // empty: none
	wireName string           // of the selected mailbox, as commands carry it
	searches bool             // SEARCH listed the selected mailbox as EXAMINE counted it
	average  int64            // bytes of its messages on average, 0 if unknown
	speed    rate             // of its fetches, one after the other
	aborted  atomic.Bool

	compressed bool // the server compresses what it sends
	inflated   bool // a message came whole, or is gone, since it does
}

// Close implements pull.Session: it says LOGOUT.
func (s *Session) Close(ctx context.Context) error {
	defer s.wire.CloseOn(ctx)()
	err := s.wire.Logout()
	if err != nil {
		err = s.lost(ctx, opClose, err)
	}
	s.end()
	return err
}

// Abort implements pull.Session.
func (s *Session) Abort() {
	s.aborted.Store(true)
	s.ended()
	s.warnings.Sum()
	_ = s.wire.Close() // the connection is given up; how it closes is of no use
}

// end aborts and waits for go-imap's reader to end. No message may be in
// hand: the reader waits until its bytes are taken.
func (s *Session) end() {
	s.Abort()
	_ = s.client.Close() // reports how the connection ended, which is known
}

// aside sends commands of ours and returns how each was answered. An error
// means that the session is dead.
func (s *Session) aside(ctx context.Context, op string, commands []string, fn func(r wire.Response) error) ([]wire.Status, error) {
	return s.asideEach(ctx, op, commands, func(_ int, r wire.Response) error { return fn(r) })
}

// asideEach is aside where it matters to which command a response belongs: i is
// the first that is not answered.
func (s *Session) asideEach(ctx context.Context, op string, commands []string, fn func(i int, r wire.Response) error) ([]wire.Status, error) {
	statuses, err := s.wire.Aside(ctx, commands, fn)
	if err != nil {
		err := s.lost(ctx, op, err)
		s.end()
		return nil, err
	}
	return statuses, nil
}

// shown returns a mailbox's name for an error or a log. A server that echoes the
// password in a name must not get it there.
func (s *Session) shown(name mail.MailboxName) mail.MailboxName {
	return mail.MailboxName(s.wire.Redact(string(name)))
}

// refusedBy returns the refusal that a status stands for, or nil for OK.
func refusedBy(status wire.Status) *refused {
	if status.OK() {
		return nil
	}
	return &refused{status}
}
