package imap

import (
	"context"
	"errors"
	"io"
	"math"
	"time"

	"mailpull/pkg/mail"
)

const (
	// resumeFrom is how much of a body must have come before the rest of it is
	// asked for on another connection, and how much that connection must bring
	// to have been worth it. Less is fetched again as fast: on a line of 1 Mbit/s
	// with 300 ms it takes two seconds, and so does another sign-in.
	resumeFrom = 256 << 10

	// overlapBytes is how much of what the receiver has is fetched again, at its
	// beginning and at its end, to see that the server still means the same message.
	overlapBytes = 4 << 10

	// waitFrom is how much must have come before it is waited for a server that
	// is away: with less at stake the pass learns at once that it is. It is two
	// minutes of a line of 1 Mbit/s.
	waitFrom = 16 << 20

	// maxBarren is how many connections in a row may fail to bring resumeFrom
	// before a message is given up; one that fell silent counts twice.
	maxBarren = 4

	// spareSessions is how many connections a message may take beside one for each
	// worthSession of it that came, and quickSessions how many before each further
	// one waits until sessionEvery has passed since the last. Providers lock an
	// account that signs in too often, and do not say how often that is: a box on
	// the way that cuts each connection behind 260 KiB had us sign in 8,000 times,
	// as fast as we could, for a message of 2 GiB. Now these are 86 times, six a
	// minute. A line that loses its connection behind each MiB or later comes to its
	// end, and where it is slow enough to do so, 1 Mbit/s, hardly waits.
	spareSessions = 64
	worthSession  = 1 << 20
	quickSessions = 16
	sessionEvery  = 10 * time.Second
)

// resumeWaits is how long to wait after so many barren connections in a row: a
// server that is started anew, or a line that comes back, needs some seconds.
var resumeWaits = [maxBarren]time.Duration{0, 2 * time.Second, 10 * time.Second, 30 * time.Second}

// bodyStream is the body of a message as the receiver reads it. When the
// connection is lost in the middle of a large one the rest comes over another
// connection of the same source, and neither the receiver nor the archive know
// of it. All of this ends with the process: what was not delivered by then is
// fetched from its beginning.
//
// The receiver gets exactly the bytes that the first answer announced. They are
// those of one message: UIDVALIDITY and RFC822.SIZE are still the same, and the
// first and the last bytes that were given come again and are compared.
type bodyStream struct {
	fetch   *fetch
	command *command
	uid     mail.UID
	answer  *answer // of the first connection; the others add to it
	size    int64   // as announced
	given   int64
	head    []byte // the first bytes given
	tail    []byte // the last bytes given, nil where the body cannot be resumed

	from io.Reader  // the literal, and then rest
	rest *remainder // nil: on the fetch's own connection still

	opened int         // connections after the fetch's own, those in vain included
	last   time.Time   // when the last of them was
	began  int64       // given when the connection in hand was opened
	barren int         // connections in a row that brought too little
	lost   *mail.Error // what ended the fetch's own connection, nil: nothing
	err    error       // what ended the body too early
}

// newBodyStream returns the body of a literal. close must follow.
func (f *fetch) newBodyStream(c *command, uid mail.UID, a *answer, literal io.Reader, size int64) *bodyStream {
	b := &bodyStream{fetch: f, command: c, uid: uid, answer: a, size: size, from: &bodyReader{r: literal, left: size}}
	if b.large() {
		b.head, b.tail = make([]byte, 0, overlapBytes), make([]byte, 0, overlapBytes)
	}
	return b
}

// large reports whether the body is one that may be resumed. Beyond 4 GiB a part
// of a message has no name (RFC 3501 section 9, partial), and a UID that a new
// session may give to another message names nothing.
func (b *bodyStream) large() bool {
	return b.size > resumeFrom && b.size <= math.MaxUint32 && b.fetch.refs.Validity != 0
}

// Read returns io.EOF only behind the last byte of the whole body.
func (b *bodyStream) Read(p []byte) (int, error) {
	for b.err == nil {
		n, err := b.from.Read(p)
		b.keep(p[:n])
		switch {
		case err == nil || err == io.EOF:
			return n, err
		case n > 0:
			return n, nil // the error comes back
		}
		b.err = b.next(err)
	}
	return 0, b.err
}

// keep notes what is given to the receiver.
func (b *bodyStream) keep(p []byte) {
	b.given += int64(len(p))
	if b.tail == nil {
		return
	}
	b.head = append(b.head, p[:min(len(p), overlapBytes-len(b.head))]...)
	if len(p) >= overlapBytes {
		b.tail = append(b.tail[:0], p[len(p)-overlapBytes:]...)
		return
	}
	if over := len(b.tail) + len(p) - overlapBytes; over > 0 {
		b.tail = b.tail[:copy(b.tail, b.tail[over:])]
	}
	b.tail = append(b.tail, p...)
}

// next has the body go on over another connection after one ended with err, or
// returns why it ends here: an error of the fetch's own connection, unless the
// server asked to wait meanwhile.
func (b *bodyStream) next(err error) error {
	f := b.fetch
	if b.lost == nil {
		f.torn = true
		b.lost = f.lost(f.ctx, opFetch, err)
	} else {
		b.rest.close()
	}
	last := f.classified(err, b.lost)
	if b.given-b.began >= resumeFrom {
		b.barren = 0
	} else if b.rest != nil {
		b.count(last)
	}
	for b.mayResume(last) {
		if err := b.open(); err != nil {
			last = f.classified(err, b.lost)
			b.count(last)
			continue
		}
		return nil
	}
	if b.rest != nil || b.barren > 0 {
		f.source.options.Log.Info("the rest of the message could not be had", "connections", b.opened, "err", last)
	}
	if mail.AsksToWait(last) {
		return last
	}
	return b.lost
}

// classified returns err as an error of a session, which those of other sessions
// are already.
func (f *fetch) classified(err error, own *mail.Error) *mail.Error {
	if known, ok := errors.AsType[*mail.Error](err); ok {
		return known
	}
	return own
}

// count counts a connection that brought too little.
func (b *bodyStream) count(err *mail.Error) {
	b.barren++
	if err.Class == mail.ClassTimeout {
		b.barren++
	}
}

// mayResume reports whether another connection may bring more after one ended
// with err: when it was lost, and neither we ended it nor did the server say
// anything. The answer must have named the message before its body: what would
// stand behind the body does not come any more.
func (b *bodyStream) mayResume(err *mail.Error) bool {
	f := b.fetch
	if b.tail == nil || b.given < resumeFrom || b.barren >= maxBarren || !f.care.parts() {
		return false
	}
	if !b.answer.named || b.answer.other || int64(b.opened) >= spareSessions+b.given/worthSession {
		return false
	}
	switch err.Class {
	case mail.ClassConnect, mail.ClassTimeout, mail.ClassDNS:
	default:
		return false
	}
	d := resumeWaits[b.barren]
	return (d == 0 || b.given >= waitFrom) && f.wait(max(d, b.pause()))
}

// pause is how long the next connection should wait because of those before it,
// not more than 0 for not at all.
func (b *bodyStream) pause() time.Duration {
	if b.opened < quickSessions {
		return 0
	}
	return sessionEvery - time.Since(b.last)
}

// wait waits, and reports whether the fetch is still wanted then.
func (f *fetch) wait(d time.Duration) bool {
	ctx, stop := f.untilAborted()
	defer stop()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// untilAborted returns the fetch's context, which ends when the session is
// aborted, too.
func (f *fetch) untilAborted() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(f.ctx)
	stop := context.AfterFunc(f.alive, func() { cancel(context.Cause(f.alive)) })
	return ctx, func() { stop(); cancel(nil) }
}

// open opens the next connection and finds the place in the message there.
func (b *bodyStream) open() error {
	b.opened, b.last = b.opened+1, time.Now()
	rest, err := b.fetch.remainderOf(b)
	if err != nil {
		return err
	}
	b.rest, b.from, b.began = rest, rest, b.given
	b.fetch.source.options.Log.Info("connection lost inside a message, going on over another one",
		"mailbox", b.fetch.shown(b.fetch.refs.Mailbox).Shown(), "uid", b.uid, "given", b.given, "bytes", b.size, "err", b.lost)
	return nil
}

// close ends the connection that the body came over last, if it is not the
// fetch's own.
func (b *bodyStream) close() {
	if b.rest != nil {
		b.rest.close()
	}
}

// endedInside ends a fetch whose own connection was lost inside a message that
// came whole all the same: it is known where, and nothing is to blame for it.
type endedInside struct{ lost *mail.Error }

// Error returns the text of what ended the connection.
func (e *endedInside) Error() string { return e.lost.Error() }
