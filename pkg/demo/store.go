package demo

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// delimiter parts the levels of a mailbox's name.
const delimiter = "/"

// firstValidity is the UIDVALIDITY of the first mailbox. It is fixed, and the
// next ones count up from it: a server that is started again with the same
// messages shows the same refs, so nothing is fetched twice.
const firstValidity = 1_700_000_000

// Served counts what the servers handed out.
type Served struct {
	IMAP Traffic
	POP3 Traffic
}

// Traffic counts message bodies: how many were begun (a body that is fetched
// in slices counts once) and the bytes of message handed out, without dots
// that were doubled and without headers that were asked for alone.
type Traffic struct {
	Bodies int
	Bytes  int64
}

// store holds the mailboxes that both servers show. Every field is guarded by
// mu, also those of mailboxes and messages, except where they say that they
// never change.
type store struct {
	mu        sync.Mutex
	mailboxes []*mailbox // in the order in which they were made; INBOX first
	made      uint32     // how many mailboxes were ever made, for UIDVALIDITY
	counts    Served
}

// mailbox is one named list of messages.
type mailbox struct {
	name     string // never changes
	validity uint32 // never changes
	use      string // special-use word or empty; never changes

	// noSelect is set for a name that exists only because a deeper one does.
	noSelect bool
	messages []*message
	uidNext  uint32

	// changed is closed, and replaced by a new one, when messages come or go.
	changed chan struct{}
}

// message is one message in a mailbox.
type message struct {
	uid   uint32    // never changes
	body  []byte    // never changes
	date  time.Time // never changes
	flags []string  // replaced as a whole, never changed in place
}

func newStore(o Options) *store {
	s := &store{}
	s.ensure(inbox)
	for _, name := range o.Mailboxes {
		s.ensure(name)
	}
	for _, m := range o.Messages {
		s.deliver(m)
	}
	return s
}

// deliver adds a message to its mailbox, which is made where it is missing.
func (s *store) deliver(m Message) (validity, uid uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := m.Mailbox
	if name == "" {
		name = inbox
	}
	return s.add(s.ensure(name), m)
}

// add appends a message to box. The caller holds mu.
func (s *store) add(box *mailbox, m Message) (validity, uid uint32) {
	date := m.Date
	if date.IsZero() {
		date = time.Now()
	}
	uid = box.uidNext
	box.uidNext++
	box.messages = append(box.messages, &message{
		uid: uid, body: m.Body, date: date, flags: slices.Clone(m.Flags),
	})
	box.announce()
	return box.validity, uid
}

// announce wakes whoever waits for news. The caller holds mu.
func (b *mailbox) announce() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// ensure returns the mailbox of that name. It makes it, and the levels above
// it as names without messages, where they are missing. The caller holds mu,
// or is the only one who knows the store.
func (s *store) ensure(name string) *mailbox {
	levels := strings.Split(name, delimiter)
	for i := 1; i < len(levels); i++ {
		parent := strings.Join(levels[:i], delimiter)
		if s.find(parent) == nil {
			s.make(parent).noSelect = true
		}
	}
	box := s.find(name)
	if box == nil {
		box = s.make(name)
	}
	box.noSelect = false
	return box
}

func (s *store) make(name string) *mailbox {
	box := &mailbox{
		name:     name,
		validity: firstValidity + s.made,
		use:      specialUse(name),
		uidNext:  1,
		changed:  make(chan struct{}),
	}
	s.made++
	s.mailboxes = append(s.mailboxes, box)
	return box
}

// find returns the mailbox of that name, or nil. The caller holds mu. INBOX
// is the one name that has no case (RFC 9051 section 5.1).
func (s *store) find(name string) *mailbox {
	for _, box := range s.mailboxes {
		if box.name == name || box.name == inbox && strings.EqualFold(name, inbox) {
			return box
		}
	}
	return nil
}

// specialUse returns the special-use word (RFC 6154) of a mailbox's name.
func specialUse(name string) string {
	switch name {
	case "Sent":
		return `\Sent`
	case "Junk":
		return `\Junk`
	case "Entwürfe":
		return `\Drafts`
	case "Archive":
		return `\Archive`
	default:
		return ""
	}
}

// remove takes messages out of a mailbox and reports how many were there.
func (s *store) remove(box *mailbox, gone func(*message) bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(box.messages)
	// A new slice: sessions hold snapshots of the old one.
	kept := make([]*message, 0, before)
	for _, m := range box.messages {
		if !gone(m) {
			kept = append(kept, m)
		}
	}
	box.messages = kept
	if len(kept) < before {
		box.announce()
	}
	return before - len(kept)
}

// snapshot returns the messages that are in box now, in order of UID.
func (s *store) snapshot(box *mailbox) []*message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(box.messages)
}

// flagsOf returns a message's flags, not to be changed.
func (s *store) flagsOf(m *message) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return m.flags
}

// countIMAP counts a body, or a slice of one, that goes out by IMAP.
func (s *store) countIMAP(first bool, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.IMAP.add(first, n)
}

// countPOP3 counts a body that goes out by POP3.
func (s *store) countPOP3(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.POP3.add(true, n)
}

func (t *Traffic) add(first bool, n int) {
	if first {
		t.Bodies++
	}
	t.Bytes += int64(n)
}

func (s *store) served() Served {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// hasFlag reports whether flags hold the flag, in any case (RFC 9051 section
// 2.3.2).
func hasFlag(flags []string, flag string) bool {
	return slices.ContainsFunc(flags, func(f string) bool { return strings.EqualFold(f, flag) })
}
