package pop3

import "strconv"

const (
	// maxDepth is how many commands may wait for their answers: 512 messages
	// with their proofs, which is 14 MB of ordinary mail, more than a fast
	// line holds in a round trip of 100 ms. Together they are less than 16
	// KiB, which every transport takes in without the server reading: RFC
	// 2449 section 6.6 forbids more, because both sides would wait for each
	// other. There is no bound of bytes: a server is never further ahead of
	// us than the transport lets it be, whatever was asked for.
	maxDepth = 1024

	// A group of settlements ends after so many messages or bytes.
	groupMessages = 64
	groupBytes    = 4 << 20
)

// question is a command that was sent and not answered: RETR for a message, or
// the proof that it and what came before it were answered.
type question struct {
	place int // in todo
	proof bool
}

// write sends what fill asks for. Its errors end the connection, and so the
// reader finds them.
func (f *fetch) write() {
	for commands := range f.commands {
		_ = f.conn.Send(commands...) // kept by the connection
	}
}

// fill asks for more messages once a quarter of those asked for are read, so
// that many commands share a packet and the server never runs out of them.
func (f *fetch) fill() {
	if len(f.due) > 0 && f.asked-f.read > f.low {
		return
	}
	if len(f.due) == 0 && f.open == 0 {
		f.alone = !f.provable || f.care.careful() || f.asked >= f.suspects
	}
	var commands []string
	for q, ok := f.next(); ok; q, ok = f.next() {
		commands = append(commands, f.command(q))
		f.due = append(f.due, q)
	}
	f.low = (f.asked - f.read) * 3 / 4
	if len(commands) > 0 {
		f.commands <- commands // it has room for as many as can be due
	}
}

// next decides what to ask before the next answer is read, if anything.
func (f *fetch) next() (q question, ok bool) {
	depth := maxDepth
	if f.alone || !f.conn.Pipelining {
		depth = 1
	}
	if len(f.due) >= depth {
		return question{}, false
	}
	ended := f.asked == len(f.todo) || f.asked == f.suspects && !f.alone || f.stop != nil
	if f.open > 0 && (ended || f.full()) {
		f.open = 0
		return question{place: f.asked - 1, proof: true}, true
	}
	if ended {
		return question{}, false
	}
	q = question{place: f.asked}
	f.asked++
	f.open++
	return q, true
}

// full reports whether the messages that were asked for since the last proof
// want one. Where commands travel together each message has its own: a message
// that was torn in two and two that became one, between two proofs, would make
// up for each other. Without pipelining a proof costs a round trip, and one for
// many is enough, because two messages cannot become one: the second was not
// asked for yet.
func (f *fetch) full() bool {
	return f.alone || f.conn.Pipelining || f.open >= groupMessages
}

// command writes a question. A server that does not say unique-ids one by one
// is asked how many messages there are, which only a proof behind a single
// message can be.
func (f *fetch) command(q question) string {
	switch {
	case !q.proof:
		return "RETR " + strconv.Itoa(f.listing.number(f.todo[q.place]))
	case !f.provable:
		return "STAT"
	}
	return "UIDL " + strconv.Itoa(f.listing.number(f.todo[q.place]))
}
