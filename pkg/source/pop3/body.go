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

const (
	// maxDepth is how many commands may wait for their answers. Together they
	// are less than 4 KiB, which every transport takes in without the server
	// reading: RFC 2449 section 6.6 forbids more, because both sides would
	// wait for each other.
	maxDepth = 256

	// maxAhead is how many bytes may be on their way, by what LIST says.
	// A pass that is cancelled throws that much away.
	maxAhead = 8 << 20

	// A group of settlements ends after so many messages or bytes.
	groupMessages = 64
	groupBytes    = 4 << 20
)

// Fetch implements pull.Session. It asks for many messages ahead where the
// server pipelines. A message is settled when the answer after it has begun
// well, and the last one by the answer to a NOOP: see the package comment.
func (s *Session) Fetch(ctx context.Context, refs mail.Refs, r mail.Receiver) error {
	if s.listing == nil {
		return &mail.Error{
			Op: "pop3 retr", Mailbox: refs.Mailbox, Scope: mail.ScopeAccount,
			Class: mail.ClassLocal, Err: errors.New("no mailbox is selected"),
		}
	}
	defer s.closeOn(ctx)()
	f := &fetch{Session: s, receiver: r, refs: refs, depth: 1}
	if s.conn.Pipelining {
		f.depth = maxDepth
	}
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
	err := f.run(ctx)
	whole = err == nil
	return f.blame(err)
}

// fetch is the state of one Fetch.
type fetch struct {
	*Session
	receiver mail.Receiver
	depth    int
	commands chan []string

	refs  mail.Refs
	todo  []int32 // places in the listing
	asked int     // how many of todo were asked for
	read  int     // how many of todo were answered
	ahead int64   // bytes asked for and not read, by what LIST says
	low   int     // ask for more when no more than so many answers are due
	noop  bool    // the last command was sent

	unproved *mail.Ref // a whole body that waits for the next answer to begin
	bytes    int64     // of the message in unproved

	groupLen  int
	groupSize int64
}

// write sends what fill asks for. Its errors end the connection, and so the
// reader finds them.
func (f *fetch) write() {
	for commands := range f.commands {
		_ = f.conn.Send(commands...) // kept by the connection
	}
}

func (f *fetch) run(ctx context.Context) error {
	if err := f.plan(); err != nil {
		return err
	}
	for f.read < len(f.todo) {
		// Much can be buffered here after the connection was closed.
		if ctx.Err() != nil {
			return lost("pop3 retr", "", context.Cause(ctx))
		}
		f.fill()
		if err := f.message(); err != nil {
			return err
		}
	}
	if f.asked > 0 {
		if err := f.prove(); err != nil {
			return err
		}
	}
	return f.endGroup()
}

// plan finds the refs in the listing. What is not there is gone: the maildrop
// is locked, and its numbers stay as they are.
func (f *fetch) plan() error {
	f.todo = make([]int32, 0, f.refs.Len())
	for ref := range f.refs.All {
		position, found := f.listing.find(ref.UIDL)
		if found {
			f.todo = append(f.todo, position)
			continue
		}
		if err := f.settle(ref, 0, mail.ErrGone); err != nil {
			return err
		}
	}
	return nil
}

// ref returns the ref of the nth message of todo.
func (f *fetch) ref(n int) mail.Ref {
	uidl := f.listing.uidls[f.todo[n]]
	return mail.Ref{Mailbox: f.refs.Mailbox, Validity: f.refs.Validity, UIDL: uidl}
}

// fill asks for more messages once half of those asked for are read, so that
// many commands share a packet and the server never runs out of them.
func (f *fetch) fill() {
	if f.asked-f.read > f.low {
		return
	}
	var commands []string
	for f.mayAsk() {
		commands = append(commands, fmt.Sprintf("RETR %d", f.todo[f.asked]+1))
		f.ahead += f.size(f.asked)
		f.asked++
	}
	f.low = (f.asked - f.read) / 2
	if f.asked == len(f.todo) && !f.noop && (f.depth > 1 || f.read == f.asked) {
		commands = append(commands, "NOOP")
		f.noop = true
	}
	if len(commands) > 0 {
		f.commands <- commands // it has room for as many as can be due
	}
}

// mayAsk decides whether to ask for one more message before the next answer
// is read. One message beside the one in hand may always be on its way.
func (f *fetch) mayAsk() bool {
	due := f.asked - f.read
	if f.asked == len(f.todo) || due >= f.depth {
		return false
	}
	return due < 2 || f.ahead+f.size(f.asked) <= maxAhead
}

// size returns what LIST says of the nth message of todo.
func (f *fetch) size(n int) int64 { return int64(f.listing.sizes[f.todo[n]]) }

// message reads the next answer.
func (f *fetch) message() error {
	ref := f.ref(f.read)
	reply, content, err := f.conn.Message()
	if err != nil {
		return f.lost(ref, err)
	}
	f.ahead -= f.size(f.read)
	f.read++
	if err := f.settleUnproved(); err != nil {
		return err
	}
	if !reply.OK {
		e := refused("pop3 retr", mail.ScopeMessage, reply)
		e.UIDL = ref.UIDL
		return f.settle(ref, 0, e)
	}
	return f.body(ref, content)
}

// body hands one body to the receiver, and reads what the receiver leaves.
func (f *fetch) body(ref mail.Ref, content io.Reader) error {
	b := &body{ref: ref, content: content}
	if err := f.receiver.Body(ref, -1, b); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, b); err != nil {
		return err
	}
	f.unproved, f.bytes = &ref, b.size
	return nil
}

// prove asks for one more answer, so that the last message is followed by one
// like all the others. A refusal proves as much.
func (f *fetch) prove() error {
	f.fill()
	if _, err := f.conn.Answer(); err != nil {
		return f.lost(f.ref(len(f.todo)-1), err)
	}
	return f.settleUnproved()
}

// lost classifies an error at the beginning of the answer for ref. When what
// stands there is no answer, the body before it did not end where it seemed
// to, and that message is to blame.
func (f *fetch) lost(ref mail.Ref, err error) error {
	noAnswer := errors.Is(err, wire.ErrProtocol) || errors.Is(err, wire.ErrTooMuch)
	if f.unproved == nil || !noAnswer {
		return lost("pop3 retr", ref.UIDL, err)
	}
	e := lost("pop3 retr", f.unproved.UIDL, err)
	e.Hint = "The server does not mark the end of this message as the standard wants, so it cannot be fetched whole."
	return e
}

// blame fails the message that broke the protocol, before the session's error
// is returned: the caller then gets further with the next session.
func (f *fetch) blame(err error) error {
	e, ok := errors.AsType[*mail.Error](err)
	if !ok || e.Class != mail.ClassProtocol || e.UIDL == "" {
		return err
	}
	failed := *e
	failed.Scope = mail.ScopeMessage
	ref := mail.Ref{Mailbox: f.refs.Mailbox, Validity: f.refs.Validity, UIDL: e.UIDL}
	if settleErr := f.receiver.Settle(mail.Item{Ref: ref}, &failed); settleErr != nil {
		return settleErr
	}
	return err
}

func (f *fetch) settleUnproved() error {
	if f.unproved == nil {
		return nil
	}
	ref := *f.unproved
	f.unproved = nil
	return f.settle(ref, f.bytes, nil)
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

// body is what the receiver reads: a message whose errors are classified, and
// whose io.EOF means that the strict end was seen.
type body struct {
	ref     mail.Ref
	content io.Reader
	size    int64
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.content.Read(p)
	b.size += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = lost("pop3 retr", b.ref.UIDL, err)
	}
	return n, err
}
