package checkpoint

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/record"
)

// maxQuarantined is how many messages of an account can be in quarantine. All
// of them are kept in memory, so that a server on which nothing can be read
// costs a few megabytes and no more. What does not find room is asked for in
// each pass.
const maxQuarantined = 10_000

// place names a message within its mailbox.
type place struct {
	uid  mail.UID
	uidl mail.UIDL
}

func placeOf(ref mail.Ref) place { return place{ref.UID, ref.UIDL} }

// Quarantined returns a mailbox's messages in quarantine, in the order of
// their refs.
func (f *File) Quarantined(name mail.MailboxName) []mail.Quarantined {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.state.byName[name]
	if b == nil {
		return nil
	}
	return b.quarantined()
}

// Quarantine puts messages into quarantine, or changes what is recorded of
// those that are there. Quarantined tells it at once; it is durable with the
// next Commit or EndPass. A message that is seen is left out. So is a new one
// when the account's quarantine is full, and the log says so.
//
// A ref that Commit would refuse is refused here too, and nothing is recorded.
func (f *File) Quarantine(entries []mail.Quarantined) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	for _, e := range entries {
		if err := f.checkRef(e.Ref); err != nil {
			return err
		}
		if _, err := f.box(e.Ref.Mailbox, e.Ref.Validity); err != nil {
			return err
		}
	}
	room, left := maxQuarantined-f.state.quarantined(), 0
	for _, e := range entries {
		b := f.state.byName[e.Ref.Mailbox]
		_, known := b.held[placeOf(e.Ref)]
		switch {
		case b.has(e.Ref):
			continue
		case !known && room <= 0:
			left++
			continue
		case !known:
			room--
		}
		f.note(quarantineRecord{b.number, boundedEntry(e)})
	}
	if left > 0 {
		f.log.Warn("quarantine is full, these messages are asked for in each pass", "messages", left, "full", maxQuarantined)
	}
	return nil
}

// Release ends the quarantine of messages that were not delivered. Quarantined
// tells it at once; it is durable with the next Commit or EndPass.
func (f *File) Release(refs []mail.Ref) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	for _, ref := range refs {
		b := f.state.byName[ref.Mailbox]
		if b == nil || b.validity != ref.Validity {
			continue
		}
		if _, held := b.held[placeOf(ref)]; held {
			f.note(releaseRecord{b.number, placeOf(ref)})
		}
	}
	return nil
}

// checkRef refuses a ref that no listing can hold.
func (f *File) checkRef(ref mail.Ref) error {
	if (ref.UID == 0) == (ref.UIDL == "") {
		return f.refuse(ref.Mailbox, "a ref needs either a uid or a uidl")
	}
	if len(ref.UIDL) > maxName {
		return f.refuse(ref.Mailbox, "a uidl has %d bytes, %d are the limit", len(ref.UIDL), maxName)
	}
	return nil
}

// boundedEntry returns the entry with texts that fit into a line, times that
// are read again as they are, and a number that can be.
func boundedEntry(e mail.Quarantined) mail.Quarantined {
	e.Tries = max(e.Tries, 0)
	for _, t := range []*time.Time{&e.First, &e.Last, &e.Next} {
		*t = t.UTC().Truncate(time.Second)
	}
	e.Class = e.Class[:min(len(e.Class), mail.MaxReason)]
	e.Reason = e.Reason[:min(len(e.Reason), mail.MaxReason)]
	return e
}

// quarantined returns how many messages are in quarantine, in all mailboxes.
func (s *state) quarantined() int {
	n := 0
	for _, b := range s.boxes {
		n += len(b.held)
	}
	return n
}

// quarantined returns the mailbox's messages in quarantine, with their whole
// refs and in their order.
func (b *box) quarantined() []mail.Quarantined {
	entries := make([]mail.Quarantined, 0, len(b.held))
	for p, e := range b.held {
		e.Ref = mail.Ref{Mailbox: b.name, Validity: b.validity, UID: p.uid, UIDL: p.uidl}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(x, y mail.Quarantined) int { return mail.CompareRefs(x.Ref, y.Ref) })
	return entries
}

// has reports whether a message is seen.
func (b *box) has(ref mail.Ref) bool {
	if ref.UID != 0 {
		b.settle()
		return b.seen.Contains(ref.UID)
	}
	_, seen := b.uidls[ref.UIDL]
	return seen
}

// freeUIDs ends the quarantine of what was delivered.
func (b *box) freeUIDs(uids mail.UIDSet) {
	for p := range b.held {
		if uids.Contains(p.uid) {
			delete(b.held, p)
		}
	}
}

func (r quarantineRecord) apply(s *state) error {
	b, err := s.box(r.number)
	if err != nil {
		return err
	}
	if b.held == nil {
		b.held = make(map[place]mail.Quarantined)
	}
	p, e := placeOf(r.entry.Ref), r.entry
	e.Ref = mail.Ref{} // the key says it
	b.held[p] = e
	return nil
}

func (r releaseRecord) apply(s *state) error {
	b, err := s.box(r.number)
	if err != nil {
		return err
	}
	delete(b.held, r.place)
	return nil
}

func (r quarantineRecord) text(b []byte) []byte {
	e := r.entry
	b = fmt.Appendf(b, "quarantine %d ", r.number)
	b = placeOf(e.Ref).text(b)
	b = fmt.Appendf(b, " tries %d", e.Tries)
	b = e.First.UTC().AppendFormat(append(b, " first "...), time.RFC3339Nano)
	b = e.Last.UTC().AppendFormat(append(b, " last "...), time.RFC3339Nano)
	b = e.Next.UTC().AppendFormat(append(b, " next "...), time.RFC3339Nano)
	b = append(append(b, ' '), ignoring(e.Ignored)...)
	b = strconv.AppendQuoteToASCII(append(b, " class "...), string(e.Class))
	return strconv.AppendQuoteToASCII(append(b, " reason "...), e.Reason)
}

func (r releaseRecord) text(b []byte) []byte {
	return r.place.text(fmt.Appendf(b, "release %d ", r.number))
}

// text appends the UID or the UIDL.
func (p place) text(b []byte) []byte {
	if p.uid != 0 {
		return strconv.AppendUint(b, uint64(p.uid), 10)
	}
	return strconv.AppendQuoteToASCII(b, string(p.uidl))
}

func ignoring(ignored bool) string {
	if ignored {
		return "ignored"
	}
	return "waiting"
}

func parseQuarantine(f *record.Fields) change {
	var r quarantineRecord
	e := &r.entry
	r.number = f.Count()
	p := parsePlace(f)
	e.Ref.UID, e.Ref.UIDL = p.uid, p.uidl
	f.Label("tries")
	e.Tries = f.Count()
	f.Label("first")
	e.First = f.Time()
	f.Label("last")
	e.Last = f.Time()
	f.Label("next")
	e.Next = f.Time()
	switch word := f.Word(); word {
	case ignoring(true):
		e.Ignored = true
	case ignoring(false):
	default:
		f.Fail("%q is neither waiting nor ignored", record.Clip(word))
	}
	f.Label("class")
	e.Class = mail.Class(f.Quoted())
	f.Label("reason")
	e.Reason = f.Quoted()
	return r
}

func parsePlace(f *record.Fields) (p place) {
	if f.Quotes() {
		p.uidl = mail.UIDL(f.Quoted())
	} else {
		p.uid = mail.UID(f.Uint(32))
	}
	if p == (place{}) {
		f.Fail("a message needs a uid or a uidl")
	}
	return p
}
