package demo

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// List implements imapserver.Session, with special-use words (RFC 6154) and
// the statuses that LIST-STATUS (RFC 5819) asks for. Every mailbox counts as
// subscribed.
func (s *imapSession) List(w *imapserver.ListWriter, ref string, patterns []string, o *imap.ListOptions) error {
	if len(patterns) == 0 {
		// RFC 9051 section 6.3.9: an empty pattern asks for the delimiter.
		return w.WriteList(&imap.ListData{Attrs: []imap.MailboxAttr{imap.MailboxAttrNoSelect}, Delim: '/'})
	}
	for _, data := range s.listData(ref, patterns, o) {
		if err := w.WriteList(&data); err != nil {
			return err
		}
	}
	return nil
}

func (s *imapSession) listData(ref string, patterns []string, o *imap.ListOptions) []imap.ListData {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	var list []imap.ListData
	for _, box := range s.store.mailboxes {
		wanted := slices.ContainsFunc(patterns, func(p string) bool {
			return imapserver.MatchList(box.name, '/', ref, p)
		})
		if !wanted || o.SelectSpecialUse && box.use == "" {
			continue
		}
		data := imap.ListData{Mailbox: box.name, Delim: '/', Attrs: s.attrs(box, o)}
		if o.ReturnStatus != nil && !box.noSelect {
			data.Status = status(box, o.ReturnStatus)
		}
		list = append(list, data)
	}
	return list
}

func (s *imapSession) attrs(box *mailbox, o *imap.ListOptions) []imap.MailboxAttr {
	attrs := []imap.MailboxAttr{imap.MailboxAttrHasNoChildren}
	if slices.ContainsFunc(s.store.mailboxes, func(other *mailbox) bool {
		return strings.HasPrefix(other.name, box.name+delimiter)
	}) {
		attrs[0] = imap.MailboxAttrHasChildren
	}
	if box.noSelect {
		attrs = append(attrs, imap.MailboxAttrNoSelect)
	}
	if box.use != "" {
		attrs = append(attrs, imap.MailboxAttr(box.use))
	}
	if o.ReturnSubscribed || o.SelectSubscribed {
		attrs = append(attrs, imap.MailboxAttrSubscribed)
	}
	return attrs
}

// Status implements imapserver.Session.
func (s *imapSession) Status(name string, o *imap.StatusOptions) (*imap.StatusData, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	box := s.store.find(name)
	if box == nil || box.noSelect {
		return nil, errNoMailbox()
	}
	return status(box, o), nil
}

// status tells everything; the library writes what was asked for. The caller
// holds the store's mu.
func status(box *mailbox, o *imap.StatusOptions) *imap.StatusData {
	count := func(want bool, flag string) *uint32 {
		var n uint32
		for _, m := range box.messages {
			if hasFlag(m.flags, flag) == want {
				n++
			}
		}
		return &n
	}
	all, none, size, freed := uint32(len(box.messages)), uint32(0), int64(0), int64(0)
	for _, m := range box.messages {
		size += int64(len(m.body))
		if hasFlag(m.flags, `\Deleted`) {
			freed += int64(len(m.body))
		}
	}
	return &imap.StatusData{
		Mailbox:        box.name,
		NumMessages:    &all,
		UIDNext:        imap.UID(box.uidNext),
		UIDValidity:    box.validity,
		NumUnseen:      count(false, `\Seen`),
		NumDeleted:     count(true, `\Deleted`),
		NumRecent:      &none,
		Size:           &size,
		DeletedStorage: &freed,
	}
}

// Create implements imapserver.Session.
func (s *imapSession) Create(name string, _ *imap.CreateOptions) error {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	name = strings.TrimRight(name, delimiter)
	if box := s.store.find(name); name == "" || box != nil && !box.noSelect {
		return &imap.Error{
			Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeAlreadyExists, Text: "Mailbox already exists",
		}
	}
	s.store.ensure(name)
	return nil
}

// Delete implements imapserver.Session. A mailbox that is made anew gets
// another UIDVALIDITY.
func (s *imapSession) Delete(name string) error {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	box := s.store.find(name)
	if box == nil || box.name == inbox {
		return errNoMailbox()
	}
	s.store.mailboxes = slices.DeleteFunc(s.store.mailboxes, func(b *mailbox) bool { return b == box })
	return nil
}

// Subscribe implements imapserver.Session.
func (s *imapSession) Subscribe(string) error { return nil }

// Unsubscribe implements imapserver.Session.
func (s *imapSession) Unsubscribe(string) error { return errRefused() }

// Rename implements imapserver.Session by refusing.
func (s *imapSession) Rename(_, _ string, _ *imap.RenameOptions) error { return errRefused() }

// Copy implements imapserver.Session by refusing.
func (s *imapSession) Copy(imap.NumSet, string) (*imap.CopyData, error) { return nil, errRefused() }
