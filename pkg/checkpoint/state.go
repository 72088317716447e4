package checkpoint

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"

	"mailpull/pkg/mail"
	"mailpull/pkg/record"
)

// rangesPerLine keeps a line short enough to be read on a screen.
const rangesPerLine = 64

// state is what the records say.
type state struct {
	boxes    []*box // in the order in which they were declared
	byName   map[mail.MailboxName]*box
	byNumber map[int]*box

	// passes are the last one, the last complete one and the last one with an
	// error, in the order in which they ended. One pass can be all three.
	passes []mail.Pass
}

// box is what is known of one mailbox.
type box struct {
	number   int
	name     mail.MailboxName
	validity mail.UIDValidity

	seen  mail.UIDSet
	fresh []mail.UIDRange     // seen as well, not yet merged; see addUIDs
	uidls map[mail.UIDL]int64 // with the time of first sight, Unix seconds

	// held are the messages in quarantine, none of them seen.
	held map[place]mail.Quarantined

	// status, listed and excluded are of the last time when nothing was missing,
	// if completed is set. complete is set as long as nothing was added since.
	status    mail.Status
	listed    int
	excluded  mail.Excluded
	completed bool
	complete  bool

	order mail.Order

	// matching is set from a reset until the next completion that leaves out no
	// message; was is the UIDVALIDITY before the reset.
	matching bool
	was      mail.UIDValidity
}

func newState() *state {
	return &state{byName: map[mail.MailboxName]*box{}, byNumber: map[int]*box{}}
}

// nextNumber is the number for the next mailbox.
func (s *state) nextNumber() int {
	n := 0
	for _, b := range s.boxes {
		n = max(n, b.number)
	}
	return n + 1
}

// delivered returns how many messages are seen, in all mailboxes.
func (s *state) delivered() int {
	n := 0
	for _, b := range s.boxes {
		n += b.seenCount()
	}
	return n
}

// box returns a mailbox by its number.
func (s *state) box(number int) (*box, error) {
	if b := s.byNumber[number]; b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("there is no mailbox %d above this line", number)
}

func (r mailboxRecord) apply(s *state) error {
	if s.byNumber[r.number] != nil {
		return fmt.Errorf("there is a mailbox %d already", r.number)
	}
	if s.byName[r.name] != nil {
		return fmt.Errorf("mailbox %q has a number already", record.Clip(string(r.name)))
	}
	b := &box{number: r.number, name: r.name, validity: r.validity}
	s.boxes = append(s.boxes, b)
	s.byNumber[b.number] = b
	s.byName[b.name] = b
	return nil
}

func (r resetRecord) apply(s *state) error {
	b, err := s.box(r.number)
	if err != nil {
		return err
	}
	kept := *b
	*b = box{number: b.number, name: b.name, validity: r.validity, matching: true, was: r.was}
	if kept.validity == r.validity {
		// POP3: a unique-id that was seen and comes back is still the same.
		kept.settle()
		b.seen, b.uidls, b.held, b.order = kept.seen, kept.uidls, kept.held, kept.order
	}
	return nil
}

func (r seenRecord) apply(s *state) error {
	b, err := s.box(r.number)
	if err != nil {
		return err
	}
	b.addUIDs(r.uids)
	b.freeUIDs(r.uids)
	b.complete = false
	return nil
}

func (r uidlRecord) apply(s *state) error {
	b, err := s.box(r.number)
	if err != nil {
		return err
	}
	if b.uidls == nil {
		b.uidls = map[mail.UIDL]int64{}
	}
	if _, known := b.uidls[r.uidl]; !known {
		b.uidls[r.uidl] = r.first
	}
	delete(b.held, place{uidl: r.uidl})
	b.complete = false
	return nil
}

func (r completeRecord) apply(s *state) error {
	b, err := s.box(r.number)
	if err != nil {
		return err
	}
	b.status, b.listed, b.excluded = r.status, r.listed, r.excluded
	b.completed, b.complete = true, true
	// A message that is left out may be in the archive under a former ref. It is
	// to be matched when it is wanted again.
	b.matching = b.matching && r.excluded.Messages > 0
	return nil
}

func (r orderRecord) apply(s *state) error {
	b, err := s.box(r.number)
	if err != nil {
		return err
	}
	b.order = r.order
	return nil
}

func (r passRecord) apply(s *state) error {
	all := append(s.passes, r.pass)
	newest, complete, failed := len(all)-1, last(all, isComplete), last(all, isFailed)
	var kept []mail.Pass
	for i, p := range all {
		if i == newest || i == complete || i == failed {
			kept = append(kept, p)
		}
	}
	s.passes = kept
	return nil
}

func isComplete(p mail.Pass) bool { return p.Complete }
func isFailed(p mail.Pass) bool   { return p.Error != "" }

// last returns the index of the last pass that is so, or -1.
func last(passes []mail.Pass, is func(mail.Pass) bool) int {
	for i := len(passes) - 1; i >= 0; i-- {
		if is(passes[i]) {
			return i
		}
	}
	return -1
}

// records yields the records that make the state out of nothing, in an order
// that is always the same.
func (s *state) records() iter.Seq[change] {
	return func(yield func(change) bool) {
		for _, b := range s.boxes {
			if !b.records(yield) {
				return
			}
		}
		for _, p := range s.passes {
			if !yield(passRecord{p}) {
				return
			}
		}
	}
}

// records yields a mailbox's records. A reset that goes on, and a completion
// that is over, stand before what was seen, as they did when they were
// written.
func (b *box) records(yield func(change) bool) bool {
	b.settle()
	for r := range b.preamble {
		if !yield(r) {
			return false
		}
	}
	for uids := range slices.Chunk(b.seen, rangesPerLine) {
		if !yield(seenRecord{b.number, uids}) {
			return false
		}
	}
	byTime := func(x, y mail.UIDL) int {
		return cmp.Or(cmp.Compare(b.uidls[x], b.uidls[y]), cmp.Compare(x, y))
	}
	for _, uidl := range slices.SortedFunc(maps.Keys(b.uidls), byTime) {
		if !yield(uidlRecord{b.number, b.uidls[uidl], uidl}) {
			return false
		}
	}
	for _, entry := range b.quarantined() {
		if !yield(quarantineRecord{b.number, entry}) {
			return false
		}
	}
	if b.order != (mail.Order{}) && !yield(orderRecord{b.number, b.order}) {
		return false
	}
	return !b.complete || yield(b.completion())
}

// preamble yields the records that stand before what was seen. What was
// complete before a reset is forgotten.
func (b *box) preamble(yield func(change) bool) {
	validity := b.validity
	if b.matching {
		validity = b.was
	}
	_ = yield(mailboxRecord{b.number, b.name, validity}) &&
		(!b.matching || yield(resetRecord{b.number, b.validity, b.was})) &&
		(!b.completed || b.complete || yield(b.completion()))
}

// completion is the record of the last time when nothing was missing.
func (b *box) completion() completeRecord {
	return completeRecord{b.number, b.status, b.listed, b.excluded}
}
