package mail

import (
	"cmp"
	"time"
)

const (
	// MaxWait is the longest time between two tries of a message in quarantine.
	MaxWait = 7 * 24 * time.Hour

	// MaxReason bounds the bytes of a reason.
	MaxReason = 200
)

// Quarantined is one message in quarantine: it could not be had, and is left
// alone until its next try, so that a pass neither waits for it nor complains
// of it again.
type Quarantined struct {
	Ref Ref

	// Tries is how many passes failed to get the message, First and Last when
	// the first and the last of them did, to the second.
	Tries       int
	First, Last time.Time

	// Next is when a pass asks for the message again, to the second.
	Next time.Time

	// Ignored is set when a person said that it is never to be asked for.
	Ignored bool

	// Class and Reason are of the last failure. The reason is one printable
	// line of at most MaxReason bytes, without the message's place.
	Class  Class
	Reason string
}

// Due reports whether a pass that begins now asks for the message. A next try
// that is further away than any wait was written under another clock: it is
// due, for nobody knows how far the clock was off.
func (q Quarantined) Due(now time.Time) bool {
	return !q.Ignored && (!q.Next.After(now) || q.Next.Sub(now) > MaxWait)
}

// CompareRefs orders refs by mailbox, UIDVALIDITY, UID and UIDL.
func CompareRefs(a, b Ref) int {
	return cmp.Or(
		cmp.Compare(a.Mailbox, b.Mailbox),
		cmp.Compare(a.Validity, b.Validity),
		cmp.Compare(a.UID, b.UID),
		cmp.Compare(a.UIDL, b.UIDL),
	)
}
