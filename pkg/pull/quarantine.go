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

func waitAfter(tries int) time.Duration { return waits[min(tries, len(waits))-1] }

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
		case !listed[q.Ref]:
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

// quarantine puts those messages of a mailbox into quarantine that failed at
// least so many times, when the pass does not come back to the mailbox.
func (p *pass) quarantine(box mail.MailboxName, least int) {
	p.mu.Lock()
	failed, v, broken := p.failures[box], p.visits[box], p.disk != nil
	delete(p.failures, box)
	p.mu.Unlock()
	if len(failed) == 0 || v == nil || broken {
		return
	}
	before := make(map[mail.Ref]mail.Quarantined)
	for _, q := range p.Checkpoint.Quarantined(box) {
		before[q.Ref] = q
	}
	now := time.Now()
	var messages []mail.Quarantined
	for ref, f := range failed {
		if f.times >= least && f.quarantines() && ref.Validity == v.listing.Validity {
			messages = append(messages, failedAgain(before[ref], ref, f.first, now))
		}
	}
	slices.SortFunc(messages, func(a, b mail.Quarantined) int { return mail.CompareRefs(a.Ref, b.Ref) })
	if err := p.Checkpoint.Quarantine(messages); err != nil {
		p.breakDisk(err)
	}
}

// quarantines reports whether a message that failed like this is left alone for
// a while. It is not when the failure tells nothing of the message: the server
// asks to wait, or this machine has a fault.
func (f failure) quarantines() bool { return !f.gone && blamesMessage(f.first) }

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

// failedAgain is what is recorded of a message after one more failing pass.
func failedAgain(before mail.Quarantined, ref mail.Ref, err error, now time.Time) mail.Quarantined {
	now = now.UTC().Truncate(time.Second)
	q := mail.Quarantined{
		Ref: ref, Tries: before.Tries + 1, First: before.First, Last: now,
		Next: now.Add(waitAfter(before.Tries + 1)), Class: mail.ErrorClass(err), Reason: reason(err),
	}
	if before.Tries == 0 {
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

// withHint tells the reader of a message's error what becomes of the message.
func (p *pass) withHint(err error) error {
	e, ok := errors.AsType[*mail.Error](err)
	if !ok || e.Scope != mail.ScopeMessage || !blamesMessage(e) || errors.Is(e, errDiffers) {
		return err
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
