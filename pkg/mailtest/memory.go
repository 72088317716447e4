package mailtest

import (
	"maps"
	"slices"
	"sync"

	"mailpull/pkg/mail"
)

// Checkpoint is a fake checkpoint in memory. What was committed outlives a
// stop.
type Checkpoint struct {
	mu    sync.Mutex
	boxes map[mail.MailboxName]*checkpointBox

	// Steps is asked before each commit; nil never stops.
	Steps *Steps

	// Passes are the ends that were recorded.
	Passes []mail.Pass
}

type checkpointBox struct {
	known mail.Known
	uids  mail.UIDSet
	uidls map[mail.UIDL]bool
	held  map[mail.Ref]mail.Quarantined
}

// NewCheckpoint returns an empty checkpoint.
func NewCheckpoint() *Checkpoint {
	return &Checkpoint{boxes: make(map[mail.MailboxName]*checkpointBox)}
}

func (c *Checkpoint) step(name string) error {
	if c.Steps == nil {
		return nil
	}
	if err := c.Steps.Do(name); err != nil {
		return &mail.Error{Op: "fake " + name, Scope: mail.ScopeAccount, Class: mail.ClassDisk, Err: err}
	}
	return nil
}

// Known implements pull.Checkpoint.
func (c *Checkpoint) Known(name mail.MailboxName) (mail.Known, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.boxes[name]
	if !ok {
		return mail.Known{}, false
	}
	known := b.known
	known.Seen = b.uids.Len() + len(b.uidls)
	return known, true
}

// New implements pull.Checkpoint.
func (c *Checkpoint) New(listing mail.Refs) mail.Refs {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.boxes[listing.Mailbox]
	if !ok {
		return listing
	}
	fresh := mail.Refs{Mailbox: listing.Mailbox, Validity: listing.Validity, UIDs: listing.UIDs.Minus(b.uids)}
	for _, uidl := range listing.UIDLs {
		if !b.uidls[uidl] {
			fresh.UIDLs = append(fresh.UIDLs, uidl)
		}
	}
	return fresh
}

// Commit implements pull.Checkpoint.
func (c *Checkpoint) Commit(refs []mail.Ref) error {
	if err := c.step("commit"); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ref := range refs {
		b := c.box(ref.Mailbox)
		b.known.Validity = ref.Validity
		if !b.uids.Contains(ref.UID) && !b.uidls[ref.UIDL] {
			b.known.Complete = nil
		}
		delete(b.held, ref)
		if ref.UIDL != "" {
			b.uidls[ref.UIDL] = true
			continue
		}
		b.uids.Add(ref.UID, ref.UID)
	}
	return nil
}

func (c *Checkpoint) box(name mail.MailboxName) *checkpointBox {
	b, ok := c.boxes[name]
	if !ok {
		b = &checkpointBox{uidls: make(map[mail.UIDL]bool), held: make(map[mail.Ref]mail.Quarantined)}
		c.boxes[name] = b
	}
	return b
}

// Complete implements pull.Checkpoint.
func (c *Checkpoint) Complete(name mail.MailboxName, status mail.Status, listed int, excluded mail.Excluded) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.box(name)
	status.Mark = 0 // as a file does, which keeps it with the order
	b.known = mail.Known{
		Validity: status.Validity, Complete: &status, Listed: listed, Excluded: excluded, Order: b.known.Order,
		Matching: b.known.Matching && excluded.Messages > 0,
	}
	return nil
}

// Order implements pull.Checkpoint.
func (c *Checkpoint) Order(name mail.MailboxName, order mail.Order) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.box(name).known.Order = order
	return nil
}

// Reset implements pull.Checkpoint.
func (c *Checkpoint) Reset(name mail.MailboxName, validity mail.UIDValidity) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.box(name)
	order := b.known.Order
	if b.known.Validity != validity {
		order = mail.Order{}
		b.uids, b.uidls, b.held = nil, make(map[mail.UIDL]bool), make(map[mail.Ref]mail.Quarantined)
	}
	b.known = mail.Known{Validity: validity, Matching: true, Order: order}
	return nil
}

// Quarantined implements pull.Checkpoint.
func (c *Checkpoint) Quarantined(name mail.MailboxName) []mail.Quarantined {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.boxes[name]
	if !ok {
		return nil
	}
	return slices.SortedFunc(maps.Values(b.held), func(x, y mail.Quarantined) int {
		return mail.CompareRefs(x.Ref, y.Ref)
	})
}

// Quarantine implements pull.Checkpoint.
func (c *Checkpoint) Quarantine(messages []mail.Quarantined) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range messages {
		b := c.box(q.Ref.Mailbox)
		if b.uids.Contains(q.Ref.UID) || b.uidls[q.Ref.UIDL] {
			continue
		}
		b.known.Validity = q.Ref.Validity
		b.held[q.Ref] = q
	}
	return nil
}

// Release implements pull.Checkpoint.
func (c *Checkpoint) Release(refs []mail.Ref) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ref := range refs {
		delete(c.box(ref.Mailbox).held, ref)
	}
	return nil
}

// EndPass implements pull.Checkpoint.
func (c *Checkpoint) EndPass(pass mail.Pass) error {
	if err := c.step("end pass"); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Passes = append(c.Passes, pass)
	return nil
}

// Manifest is a fake manifest in memory. What was appended outlives a stop.
type Manifest struct {
	mu sync.Mutex

	// Lines are the deliveries in order.
	Lines []mail.Delivery

	// Steps is asked before each append; nil never stops.
	Steps *Steps

	// Broken is what Scan returns.
	Broken error
}

// Append implements pull.Manifest.
func (m *Manifest) Append(deliveries []mail.Delivery) error {
	if m.Steps != nil {
		if err := m.Steps.Do("append"); err != nil {
			return &mail.Error{Op: "fake append", Scope: mail.ScopeAccount, Class: mail.ClassDisk, Err: err}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Lines = append(m.Lines, slices.Clone(deliveries)...)
	return nil
}

// Scan implements pull.Manifest.
func (m *Manifest) Scan(fn func(mail.Delivery) error) error {
	m.mu.Lock()
	lines, broken := slices.Clone(m.Lines), m.Broken
	m.mu.Unlock()
	for _, d := range lines {
		if err := fn(d); err != nil {
			return err
		}
	}
	return broken
}
