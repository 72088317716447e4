package demo

import (
	"io"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// imapSession is one IMAP connection. The library calls its methods from one
// goroutine, except Idle, during which it calls nothing but Close.
//
// The session keeps the list of messages that its client knows of: sequence
// numbers are places in that list, so they stay as they are until Poll has
// told the client of a change (RFC 9051 section 5.5).
type imapSession struct {
	store    *store
	box      *mailbox // nil: none selected
	readOnly bool
	view     []*message
}

// Close implements imapserver.Session. The session holds nothing.
func (s *imapSession) Close() error { return nil }

// Login implements imapserver.Session.
func (s *imapSession) Login(username, password string) error {
	if username != Username || password != Password {
		return imapserver.ErrAuthFailed
	}
	return nil
}

// Namespace implements imapserver.SessionNamespace.
func (s *imapSession) Namespace() (*imap.NamespaceData, error) {
	return &imap.NamespaceData{Personal: []imap.NamespaceDescriptor{{Delim: '/'}}}, nil
}

// Select implements imapserver.Session.
func (s *imapSession) Select(name string, o *imap.SelectOptions) (*imap.SelectData, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	box := s.store.find(name)
	if box == nil || box.noSelect {
		return nil, errNoMailbox()
	}
	s.box, s.readOnly, s.view = box, o.ReadOnly, slices.Clone(box.messages)

	flags := []imap.Flag{
		imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagSeen, imap.FlagDraft,
	}
	permanent := append(slices.Clone(flags), imap.FlagWildcard)
	if s.readOnly {
		permanent = nil
	}
	return &imap.SelectData{
		Flags:             flags,
		PermanentFlags:    permanent,
		NumMessages:       uint32(len(s.view)),
		FirstUnseenSeqNum: firstUnseen(s.view),
		UIDNext:           imap.UID(box.uidNext),
		UIDValidity:       box.validity,
	}, nil
}

func firstUnseen(messages []*message) uint32 {
	i := slices.IndexFunc(messages, func(m *message) bool { return !hasFlag(m.flags, `\Seen`) })
	return uint32(i + 1)
}

// Unselect implements imapserver.Session.
func (s *imapSession) Unselect() error {
	s.box, s.view = nil, nil
	return nil
}

// Append implements imapserver.Session.
func (s *imapSession) Append(name string, r imap.LiteralReader, o *imap.AppendOptions) (*imap.AppendData, error) {
	body, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	box := s.store.find(name)
	if box == nil || box.noSelect {
		return nil, &imap.Error{
			Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeTryCreate, Text: "No such mailbox",
		}
	}
	validity, uid := s.store.add(box, Message{Body: body, Flags: flagTexts(o.Flags), Date: o.Time})
	return &imap.AppendData{UIDValidity: validity, UID: imap.UID(uid)}, nil
}

// Poll implements imapserver.Session: it tells the client what came and what
// went since the last time. Flags that changed are not told; a client asks.
func (s *imapSession) Poll(w *imapserver.UpdateWriter, allowExpunge bool) error {
	if s.box == nil {
		return nil
	}
	now := s.store.snapshot(s.box)
	if allowExpunge {
		if err := s.tellGone(now, w.WriteExpunge); err != nil {
			return err
		}
	}
	return s.tellNew(now, w)
}

// tellGone names the messages that are not in the mailbox any more, from the
// last one on so that the numbers before it stay right.
func (s *imapSession) tellGone(now []*message, tell func(seq uint32) error) error {
	present := make(map[*message]bool, len(now))
	for _, m := range now {
		present[m] = true
	}
	for i := len(s.view) - 1; i >= 0; i-- {
		if present[s.view[i]] {
			continue
		}
		s.view = slices.Delete(s.view, i, i+1)
		if err := tell(uint32(i + 1)); err != nil {
			return err
		}
	}
	return nil
}

// tellNew names the new size of the mailbox if messages came.
func (s *imapSession) tellNew(now []*message, w *imapserver.UpdateWriter) error {
	var last uint32
	if len(s.view) > 0 {
		last = s.view[len(s.view)-1].uid
	}
	before := len(s.view)
	for _, m := range now {
		if m.uid > last {
			s.view = append(s.view, m)
		}
	}
	if len(s.view) == before {
		return nil
	}
	return w.WriteNumMessages(uint32(len(s.view)))
}

// Idle implements imapserver.Session: it tells news until stop is closed.
func (s *imapSession) Idle(w *imapserver.UpdateWriter, stop <-chan struct{}) error {
	if s.box == nil {
		<-stop
		return nil
	}
	for {
		// The channel is taken before the look, so that nothing which comes
		// between the two is missed.
		s.store.mu.Lock()
		changed := s.box.changed
		s.store.mu.Unlock()
		if err := s.Poll(w, true); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-stop:
			return nil
		}
	}
}

// Expunge implements imapserver.Session: it removes what is flagged \Deleted,
// within uids if these are given (RFC 4315).
func (s *imapSession) Expunge(w *imapserver.ExpungeWriter, uids *imap.UIDSet) error {
	if s.readOnly {
		return nil // CLOSE and EXPUNGE after EXAMINE remove nothing
	}
	s.store.remove(s.box, func(m *message) bool {
		return hasFlag(m.flags, `\Deleted`) && (uids == nil || uids.Contains(imap.UID(m.uid)))
	})
	return s.tellGone(s.store.snapshot(s.box), w.WriteExpunge)
}

func errNoMailbox() error {
	return &imap.Error{
		Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeNonExistent, Text: "No such mailbox",
	}
}

// errRefused answers what a mail puller never asks for.
func errRefused() error {
	return &imap.Error{
		Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeCannot, Text: "This server does not do that",
	}
}

func flagTexts(flags []imap.Flag) []string {
	texts := make([]string, len(flags))
	for i, f := range flags {
		texts[i] = string(f)
	}
	return texts
}

func imapFlags(texts []string) []imap.Flag {
	flags := make([]imap.Flag, len(texts))
	for i, t := range texts {
		flags[i] = imap.Flag(t)
	}
	return flags
}
