package imap

import (
	"cmp"

	"mailpull/pkg/mail"
)

const (
	// firstMessages is how many messages the first command asks for, before
	// anything is known of their size. On a line that was found to be slow they are
	// thought to have firstSize.
	firstMessages = 16
	firstSize     = 64 << 10

	// maxMessages bounds one command. It also bounds the text of its UID set
	// to 256 numbers of ten digits and a comma, 2.8 kB, well below the 8 kB
	// line that every server must take (RFC 9051 section 4.4 asks for 8192).
	maxMessages = 256

	// wantBytes is how much one command should bring at most: enough to hide a
	// round trip, little enough that a failed command costs little. On a slow line
	// it is less, see rate.
	wantBytes = 2 << 20

	// maxInFlight is how many commands wait for their answers at once. The
	// next is sent when one is done, so that the server always has work.
	maxInFlight = 4
)

// planner cuts a set of UIDs into ascending disjoint sets, one for each
// command. Their size follows the messages seen so far.
type planner struct {
	rest     []mail.UIDRange
	next     mail.UID // the first UID of rest[0] that is left
	average  int64    // what the server told of their size, 0 if nothing
	messages int64
	bytes    int64
	single   bool  // one message for each command
	want     int64 // bytes that the next command should bring; 0: wantBytes
}

// newPlanner returns a planner for the set, whose messages have that many bytes
// on average, 0 if nobody knows.
func newPlanner(set mail.UIDSet, average int64) *planner {
	p := &planner{rest: set, average: average}
	if len(set) > 0 {
		p.next = set[0].Lo
	}
	return p
}

// seen tells the planner the size of a message.
func (p *planner) seen(size int64) {
	p.messages++
	p.bytes += size
}

// take returns the set for the next command, empty when nothing is left.
func (p *planner) take() mail.UIDSet {
	var set mail.UIDSet
	for n := p.messagesPerCommand(); n > 0 && len(p.rest) > 0; {
		r := p.rest[0]
		size := min(n, int64(r.Hi-p.next)+1)
		last := p.next + mail.UID(size-1)
		set = append(set, mail.UIDRange{Lo: p.next, Hi: last})
		n -= size
		if last < r.Hi {
			p.next = last + 1
			break
		}
		p.rest = p.rest[1:]
		if len(p.rest) > 0 {
			p.next = p.rest[0].Lo
		}
	}
	return set
}

// messagesPerCommand is how many messages bring about the bytes that are wanted.
func (p *planner) messagesPerCommand() int64 {
	if p.single {
		return 1
	}
	want, average := cmp.Or(p.want, wantBytes), p.average
	switch {
	case p.messages > 0:
		average = max(1, p.bytes/p.messages)
	case average > 0:
	case want < firstBytes:
		average = firstSize
	default:
		return firstMessages
	}
	return min(max(1, want/average), maxMessages)
}
