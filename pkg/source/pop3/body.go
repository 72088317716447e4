package pop3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

// maxPassing is how many messages in a row may be refused in words that ask to
// wait, before the session waits.
const maxPassing = 3

// Fetch implements pull.Session. It asks for many messages ahead where the
// server pipelines. A message is settled when an answer behind it proved that
// the answers belong to the messages: see the package comment. A message that
// ended a session before comes last.
//
// An error while messages are read is of RetryNow when the next session of the
// source reads them in another way: one at a time.
func (s *Session) Fetch(ctx context.Context, refs mail.Refs, r mail.Receiver) error {
	if s.listing == nil {
		return &mail.Error{
			Op: "pop3 retr", Mailbox: refs.Mailbox, Scope: mail.ScopeAccount,
			Class: mail.ClassLocal, Err: errors.New("no mailbox is selected"),
		}
	}
	defer s.closeOn(ctx)()
	f := &fetch{Session: s, ctx: ctx, receiver: r, refs: refs}
	// Commands are written beside reading: a server that is busy sending
	// does not read, and both sides would wait for each other.
	f.commands = make(chan []string, maxDepth+1)
	var writer sync.WaitGroup
	writer.Go(f.write) // Fetch waits for it
	whole := false
	defer func() {
		if !whole {
			s.Abort() // also when the receiver panics; it ends the writer
		}
		close(f.commands)
		writer.Wait()
	}()
	err := f.run()
	whole = err == nil
	return err
}

// fetch is the state of one Fetch.
type fetch struct {
	*Session
	ctx      context.Context // of the one call
	receiver mail.Receiver
	commands chan []string

	refs  mail.Refs
	todo  []int32    // places in the listing
	asked int        // how many of todo were asked for
	read  int        // how many of todo were answered
	due   []question // in the order of the answers
	low   int        // ask for more when no more than so many messages are due
	alone bool       // each message has its own proof, and nothing is asked ahead

	suspects int          // place in todo of the first message that ended a session before
	open     int          // messages asked for since the last proof was
	unproved []settlement // of the messages read since the last proof
	held     []settlement // proved refusals that ask to wait, while there are no others

	groupLen  int   // messages settled since the last group ended
	groupSize int64 // and their bytes

	passing int         // messages refused in a row in words that ask to wait
	stop    *mail.Error // ask for no more messages and end with this error

	stopFrom int // place in todo of the first message of those
}

func (f *fetch) run() error {
	if err := f.plan(); err != nil {
		return err
	}
	for {
		// Much can be buffered here after the connection was closed.
		if f.ctx.Err() != nil {
			return lost("pop3 retr", "", context.Cause(f.ctx))
		}
		f.fill()
		if len(f.due) == 0 {
			break
		}
		if err := f.answer(); err != nil {
			return err
		}
	}
	if err := f.settleHeld(); err != nil {
		return err
	}
	if err := f.endGroup(); err != nil || f.stop == nil {
		return err
	}
	return f.stop
}

// plan finds the refs in the listing. What is not there is gone: the maildrop
// is locked, and its numbers stay as they are.
func (f *fetch) plan() error {
	f.todo = make([]int32, 0, f.refs.Len())
	var last []int32
	for ref := range f.refs.All {
		position, found := f.listing.find(ref.UIDL)
		switch {
		case found && f.care.wasBlamed(ref.UIDL):
			last = append(last, position)
			continue
		case found:
			f.todo = append(f.todo, position)
			continue
		}
		outcome := mail.ErrGone
		if ref.UIDL != "" && ref.UIDL == f.listing.againUIDL() {
			outcome = f.listing.againError()
		}
		if err := f.settle(ref, 0, outcome); err != nil {
			return err
		}
	}
	f.suspects = len(f.todo)
	f.todo = append(f.todo, last...)
	return nil
}

// settle tells the receiver an outcome, and ends the group when it is full.
func (f *fetch) settle(ref mail.Ref, size int64, outcome error) error {
	if err := f.receiver.Settle(mail.Item{Ref: ref}, outcome); err != nil {
		return err
	}
	f.groupLen++
	f.groupSize += size
	if f.groupLen < groupMessages && f.groupSize < groupBytes {
		return nil
	}
	return f.endGroup()
}

func (f *fetch) endGroup() error {
	if f.groupLen == 0 {
		return nil
	}
	f.groupLen, f.groupSize = 0, 0
	return f.receiver.Settled()
}

// ref returns the ref of the nth message of todo.
func (f *fetch) ref(n int) mail.Ref {
	uidl := f.listing.uidls[f.todo[n]]
	return mail.Ref{Mailbox: f.refs.Mailbox, Validity: f.refs.Validity, UIDL: uidl}
}

// answer reads the next answer.
func (f *fetch) answer() error {
	q := f.due[0]
	f.due = f.due[1:]
	if q.proof {
		return f.prove(q)
	}
	return f.message(q.place)
}

// message reads the answer to RETR.
func (f *fetch) message(place int) error {
	ref := f.ref(place)
	reply, content, err := f.conn.Message()
	if err != nil {
		return f.broke(place, lost("pop3 retr", ref.UIDL, err))
	}
	if reply.OK {
		size, err := f.body(place, content)
		if err != nil {
			return err
		}
		f.passing = 0
		f.unproved = append(f.unproved, settlement{place: place, size: size})
	} else {
		f.refusal(place, reply)
	}
	f.read++
	return nil
}

// body hands one body to the receiver, and reads what the receiver leaves. It
// returns how many bytes there were.
func (f *fetch) body(place int, content io.Reader) (size int64, err error) {
	b := &body{ref: f.ref(place), content: content}
	err = f.receiver.Body(b.ref, -1, b)
	if err == nil {
		_, err = io.Copy(io.Discard, b)
	}
	if b.err != nil && errors.Is(err, b.err) {
		err = f.broke(place, b.err)
	}
	return b.size, err
}

// refusal keeps the outcome of a message that the server refused. A server
// that asks to wait again and again is left alone: what is on its way is read,
// and nothing more is asked for.
func (f *fetch) refusal(place int, reply wire.POP3Reply) {
	e := refused("pop3 retr", mail.ScopeMessage, reply)
	e.UIDL = f.ref(place).UIDL
	passing := reply.Passing()
	f.unproved = append(f.unproved, settlement{place: place, outcome: e, passing: passing})
	if !passing {
		f.passing = 0
		return
	}
	if f.passing++; f.passing < maxPassing || f.stop != nil {
		return
	}
	f.stopFrom = place - maxPassing + 1
	f.stop = refused("pop3 retr", mail.ScopeAccount, reply)
	f.stop.Class = mail.ClassThrottled
	f.stop.Hint = "the server hands out no more messages for now; the next run goes on"
	f.stop.Err = fmt.Errorf("%d messages in a row were refused: %w", maxPassing, reply)
}

// body is what the receiver reads: a message whose errors are classified, and
// whose io.EOF means that the strict end was seen.
type body struct {
	ref     mail.Ref
	content io.Reader
	size    int64       // read so far
	err     *mail.Error // what ended the connection
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.content.Read(p)
	b.size += int64(n)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	if b.err == nil {
		b.err = lost("pop3 retr", b.ref.UIDL, err)
	}
	return n, b.err
}
