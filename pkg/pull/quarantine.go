package pull

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"mailpull/pkg/mail"
)

// waits is how long a message in quarantine is left alone after the first
// failing pass, the second and so on; from the last of them on it stays so.
var waits = [...]time.Duration{time.Hour, 4 * time.Hour, 12 * time.Hour, 24 * time.Hour, 3 * 24 * time.Hour, mail.MaxWait}

// lostPasses is how many passes in a row a message is asked for at once again
// when the connection ended or fell silent at it and the server said nothing.
// That is the network's fault more often than the message's, and a large message
// on a bad line must not wait for hours between its tries.
const lostPasses = 2

// waitAfter returns how long a message is left alone after so many failing
// passes, the last of which ended with err.
func waitAfter(tries int, err error) time.Duration {
	if class := mail.ErrorClass(err); class == mail.ClassConnect || class == mail.ClassTimeout {
		if tries -= lostPasses; tries < 1 {
			return 0
		}
	}
	return waits[min(tries, len(waits))-1]
}

// inQuarantine returns how many messages of a mailbox are left alone by this
// pass, and how many are due to be asked for again.
func (p *pass) inQuarantine(box mail.MailboxName) (held, due int) {
	for _, q := range p.Checkpoint.Quarantined(box) {
		if q.Due(p.result.Start) {
			due++
		} else {
			held++
		}
	}
	return held, due
}

// listedHeld returns the messages in quarantine that a listing has.
func (p *pass) listedHeld(listing mail.Refs) map[mail.Ref]bool {
	entries := p.Checkpoint.Quarantined(listing.Mailbox)
	if len(entries) == 0 {
		return nil
	}
	uidls := make(map[mail.UIDL]bool)
	for _, q := range entries {
		if q.Ref.UIDL != "" {
			uidls[q.Ref.UIDL] = false
		}
	}
	for _, uidl := range listing.UIDLs {
		if _, held := uidls[uidl]; held {
			uidls[uidl] = true
		}
	}
	listed := make(map[mail.Ref]bool, len(entries))
	for _, q := range entries {
		if q.Ref.Validity == listing.Validity && (listing.UIDs.Contains(q.Ref.UID) || uidls[q.Ref.UIDL]) {
			listed[q.Ref] = true
		}
	}
	return listed
}

// leaveQuarantined takes the messages out of fresh that are in quarantine and
// not due, and ends the quarantine of those that the server lists no longer.
// What a person said of an ignored one is kept: a server that hides it for once
// must not bring it back.
func (l *lane) leaveQuarantined(v *visit, fresh mail.Refs) (mail.Refs, error) {
	entries := l.Checkpoint.Quarantined(v.box.Name)
	if len(entries) == 0 {
		return fresh, nil
	}
	listed := l.listedHeld(v.listing)
	held := make(map[mail.Ref]bool)
	var gone []mail.Ref
	for _, q := range entries {
		switch {
		case !listed[q.Ref] && !q.Ignored:
			gone = append(gone, q.Ref)
		case !q.Due(l.result.Start):
			held[q.Ref] = true
		}
	}
	var rest mail.Refs
	rest, v.held = split(fresh, held)
	if len(gone) == 0 {
		return rest, nil
	}
	if err := l.Checkpoint.Release(gone); err != nil {
		l.breakDisk(err)
		return rest, err
	}
	return rest, nil
}

// split parts refs into those that are not in the set and those that are.
func split(refs mail.Refs, set map[mail.Ref]bool) (without, within mail.Refs) {
	without, within = refs, refs
	without.UIDLs, within.UIDLs = nil, nil
	var ranges []mail.UIDRange
	for ref := range set {
		if refs.UIDs.Contains(ref.UID) {
			ranges = append(ranges, mail.UIDRange{Lo: ref.UID, Hi: ref.UID})
		}
	}
	within.UIDs = mail.NewUIDSet(ranges)
	without.UIDs = refs.UIDs.Minus(within.UIDs)
	for _, uidl := range refs.UIDLs {
		if set[mail.Ref{Mailbox: refs.Mailbox, Validity: refs.Validity, UIDL: uidl}] {
			within.UIDLs = append(within.UIDLs, uidl)
		} else {
			without.UIDLs = append(without.UIDLs, uidl)
		}
	}
	return without, within
}

// endMailbox notes that the pass does not come back to a mailbox; stuck is set
// when that is so because one session after the other brought only failures, or
// because too many messages failed.
func (p *pass) endMailbox(box mail.MailboxName, stuck bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended[box] = p.ended[box] || stuck
}

// quarantineFailed puts the messages into quarantine that failed as often as
// the pass asks for them: once in a mailbox that it is done with, maxTries times
// in one that it could not get to the end of. It is called when lanes and ladder
// are done, and is durable with the end of the pass.
//
// A message is blamed for its failure when others came, at least as many as
// failed. When few or none come, it is rather the server or the network that has
// a fault, and all of a mailbox in quarantine would be a mailbox that nobody
// misses: each pass asks again and complains. But one message that fails where
// no other is new is blamed all the same; so are those that end session after
// session with what the server says, or the next pass would come no further.
func (p *pass) quarantineFailed() {
	if p.broken() != nil {
		return
	}
	for box := range p.failures { // of those that the pass did not get to the end of
		p.suspect(box)
	}
	now := time.Now()
	var messages []mail.Quarantined
	for _, s := range p.suspects {
		if s.tries > 0 || p.fresh <= max(1, p.whole) || p.ended[s.ref.Mailbox] && fromServer(s.err) {
			messages = append(messages, s.failedAgain(now))
		}
	}
	slices.SortFunc(messages, func(a, b mail.Quarantined) int { return mail.CompareRefs(a.Ref, b.Ref) })
	if err := p.Checkpoint.Quarantine(messages); err != nil {
		p.breakDisk(err)
		return
	}
	for _, q := range messages {
		p.Log.Info("message in quarantine", "mailbox", q.Ref.Mailbox.Shown(), "key", mail.NewKey(p.Account, q.Ref), "tries", q.Tries, "next", q.Next)
	}
}

// suspect is a message that may be to blame for its failure. tries is in how many
// passes it failed before, and since when.
type suspect struct {
	ref   mail.Ref
	err   error
	tries int
	since time.Time
}

// suspect turns the failures of a mailbox into suspects. Those that never failed
// before are only counted once there are many. The caller holds p.mu, or is the
// last one who works.
func (p *pass) suspect(box mail.MailboxName) {
	for _, s := range p.suspectsIn(box) {
		if s.tries == 0 {
			if p.fresh++; p.fresh > maxSuspects {
				continue
			}
		}
		p.suspects = append(p.suspects, s)
	}
	delete(p.failures, box)
}

// suspectsIn returns the suspects of a mailbox in the order of their refs.
func (p *pass) suspectsIn(box mail.MailboxName) []suspect {
	v := p.visits[box]
	if v == nil {
		return nil
	}
	before := make(map[mail.Ref]mail.Quarantined)
	for _, q := range p.Checkpoint.Quarantined(box) {
		before[q.Ref] = q
	}
	_, ended := p.ended[box]
	var out []suspect
	for ref, f := range p.failures[box] {
		often := f.times >= maxTries || ended
		if !f.gone && often && ref.Validity == v.listing.Validity && blamesMessage(f.first) {
			out = append(out, suspect{ref, f.first, before[ref].Tries, before[ref].First})
		}
	}
	slices.SortFunc(out, func(a, b suspect) int { return mail.CompareRefs(a.ref, b.ref) })
	return out
}

// blamesMessage reports whether a message that failed like this is left alone
// for a while. It is not when the failure tells nothing of the message: the
// server asks to wait, or this machine has a fault.
func blamesMessage(err error) bool {
	if errors.Is(err, errDiffers) {
		return true
	}
	switch mail.ErrorClass(err) {
	case mail.ClassThrottled, mail.ClassQuota, mail.ClassAuth, mail.ClassDisk, mail.ClassLocal:
		return false
	}
	return true
}

// fromServer reports whether a failure is what the server said, and not that
// nothing came from it.
func fromServer(err error) bool {
	class := mail.ErrorClass(err)
	return class == mail.ClassServer || class == mail.ClassProtocol
}

// failedAgain is what is recorded of a message after one more failing pass.
func (s suspect) failedAgain(now time.Time) mail.Quarantined {
	now = now.UTC().Truncate(time.Second)
	q := mail.Quarantined{
		Ref: s.ref, Tries: s.tries + 1, First: s.since, Last: now,
		Next: now.Add(waitAfter(s.tries+1, s.err)), Class: mail.ErrorClass(s.err), Reason: reason(s.err),
	}
	if s.tries == 0 {
		q.First = now
	}
	return q
}

// reason returns an error's text without the place, which is recorded by
// itself, as one printable line of bounded length.
func reason(err error) string {
	if e, ok := errors.AsType[*mail.Error](err); ok && e.Err != nil {
		err = e.Err
	}
	text := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(err.Error(), "?"))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= mail.MaxReason {
		return text
	}
	const more = "..."
	cut := mail.MaxReason - len(more)
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + more
}

// withHint returns why a mailbox is not complete. Where that is a message which
// is in quarantine now, the reader is told so. The caller holds p.mu.
func (p *pass) withHint(m mail.MailboxResult) error {
	e, ok := errors.AsType[*mail.Error](m.Err)
	if !ok || e.Scope != mail.ScopeMessage || errors.Is(e, errDiffers) || !p.holds(m.Mailbox, e) {
		return m.Err
	}
	hinted := *e
	hinted.Hint = "the message is asked for again later, see: mailpull quarantine list " + p.Account
	if first := mail.ErrorHint(e); first != "" {
		hinted.Hint = first + "; " + hinted.Hint
	} else {
		hinted.Hint = "whatever else the server gave is archived; " + hinted.Hint
	}
	return &hinted
}

// holds reports whether the message of an error is in quarantine.
func (p *pass) holds(box mail.MailboxName, e *mail.Error) bool {
	return slices.ContainsFunc(p.Checkpoint.Quarantined(box), func(q mail.Quarantined) bool {
		return q.Ref.UID == e.UID && q.Ref.UIDL == e.UIDL
	})
}
