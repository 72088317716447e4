package imap

import (
	"context"
	"slices"
	"sync"
	"time"

	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailpull/pkg/mail"
)

// Servers may mix the answers to two commands, and Dovecot does. A group of
// settlements can end only while the receiver holds no body of another command,
// which with commands always in flight may never be. So when one of these
// bounds is reached no more is sent until all is answered, at the price of one
// round trip.
const (
	groupMessages = 2048
	groupBytes    = 16 << 20
	groupAge      = 5 * time.Second
)

// maxThrottled is how many commands in a row may be refused with words that
// ask us to wait before the whole account is believed to be meant.
const maxThrottled = 3

// Fetch implements pull.Session.
//
// The set is cut into commands, several of them in flight, whose answers may
// come mixed. A message counts as answered when its command was completed and
// its whole body came. Those that were not answered are asked for singly,
// because one bad message can spoil the answer to a set; those that are still
// missing are looked for, and fetched by sequence number as the last resort,
// where go-imap takes an answer whose UID comes after the body. Each ref so
// ends whole, gone, or failed.
//
// A session that ends on the way brings nothing of the commands in flight, but
// for a large message inside which it ends: the rest of that comes over another
// one, see resume.go. The next session may have to take care, see care.go. Where
// the line is slow the server is asked to compress, see compress.go.
func (s *Session) Fetch(ctx context.Context, refs mail.Refs, r mail.Receiver) error {
	defer s.wire.CloseOn(ctx)()
	if refs.Mailbox != s.selected {
		return &mail.Error{
			Op: opFetch, Mailbox: s.shown(refs.Mailbox), Scope: mail.ScopeAccount, Class: mail.ClassLocal, Err: errNotOpen,
		}
	}
	alone := s.care.among(refs)
	f := &fetch{
		Session:  s,
		ctx:      ctx,
		refs:     refs,
		receiver: r,
		plan:     newPlanner(refs.UIDs.Minus(alone), s.average),
		alone:    alone,
		since:    time.Now(),
		jobs:     make(chan *command, maxInFlight),
		events:   make(chan event),
	}
	f.speed.begin(f.since)
	defer f.letGo()
	err := f.run()
	if err == nil {
		err = f.lookFor(ctx)
	}
	if err != nil {
		err = f.fail(ctx, err)
	}
	f.stop()
	if err != nil {
		s.end()
	}
	return err
}

// letGo ends what a panic of the receiver leaves behind: the pumps, which wait
// for a message to be taken, and go-imap's reader, which waits for the pumps.
func (f *fetch) letGo() {
	if !f.stopped {
		f.Abort()
		f.stop()
		f.end()
	}
}

// fetch is one call of Session.Fetch. Everything belongs to the goroutine
// that called it, but for the two channels: the sender writes the commands of
// jobs, and one pump for each command hands its messages to events. So
// neither a full send buffer nor a server that mixes the answers to two
// commands can stop the reading.
type fetch struct {
	*Session
	ctx      context.Context
	refs     mail.Refs
	receiver mail.Receiver
	plan     *planner
	alone    mail.UIDSet // blamed once, asked for when all else is done
	single   []mail.UID  // to be asked for once more, singly
	missing  []mail.UID  // not answered when asked for singly

	jobs    chan *command
	events  chan event
	running sync.WaitGroup // the sender and the pumps
	started bool
	stopped bool

	flight    []*command // sent and not completed, oldest first
	held      *command   // its message ended the fetch, and its pump waits
	torn      bool       // a body could not be read to its end
	looking   mail.UID   // looked for with care
	well      int        // refs that came whole or are gone
	settled   int        // refs settled since the last Settled
	bytes     int64      // of the bodies handed over since then
	since     time.Time  // when that was
	throttled int        // refusals in a row that ask us to wait
}

// command is one UID FETCH, or a FETCH of one sequence number.
type command struct {
	uids    mail.UIDSet
	seq     uint32 // if not 0, the sequence number of the only UID
	last    bool   // asks for one message: what fails now is not asked for again
	minimal bool   // asks for little but the body
	got     map[mail.UID]*answer
	latest  mail.UID      // the last one in got
	handed  int           // bodies that the receiver was given
	over    bool          // its end was taken from events
	taken   chan struct{} // the message handed over was dealt with
}

// event is a message of a command, or the command's end.
type event struct {
	*command
	message *imapclient.FetchMessageData // nil at the end
	err     error
}

// run sends commands and takes their answers until nothing is left to ask.
func (f *fetch) run() error {
	for {
		if err := f.compress(); err != nil {
			return err
		}
		if f.fill(); len(f.flight) == 0 {
			return nil
		}
		if f.ctx.Err() != nil { // much can be read already, and must not hold up the end
			return context.Cause(f.ctx)
		}
		if err := f.next(); err != nil {
			return err
		}
	}
}

// next waits for one event and deals with it.
func (f *fetch) next() error {
	e := <-f.events
	if e.message != nil {
		f.held = e.command // stop lets it go, if it comes to that
		if err := f.take(e.command, e.message); err != nil {
			return err
		}
		f.held = nil
		e.taken <- struct{}{}
		return nil
	}
	e.over = true
	return f.complete(e.command, e.err)
}

// groupIsFull reports whether the group of settlements should end.
func (f *fetch) groupIsFull() bool {
	return f.settled >= groupMessages || f.bytes >= groupBytes ||
		f.settled > 0 && time.Since(f.since) >= groupAge
}

// fill keeps commands in flight: one of one message where care is needed, so
// that a session which ends tells whose fault it was. The blamed come last.
func (f *fetch) fill() {
	most := maxInFlight
	f.plan.single = f.care.needed(f.refs.Mailbox)
	f.plan.want = f.speed.want(time.Now())
	if f.plan.single {
		most = 1
	}
	for len(f.flight) == 0 || len(f.flight) < most && !f.groupIsFull() && !f.wantsCompression() {
		if len(f.single) > 0 {
			uid := f.single[0]
			f.single = f.single[1:]
			f.send(&command{uids: mail.UIDSet{{Lo: uid, Hi: uid}}, last: true})
			continue
		}
		if set := f.plan.take(); len(set) > 0 {
			f.send(&command{uids: set})
			continue
		}
		break
	}
	if len(f.flight) == 0 && len(f.alone) > 0 {
		one, rest := f.alone.Cut(1)
		f.alone = rest
		f.send(&command{uids: one, last: true, minimal: true})
	}
}

// send hands a command to the sender, which is started with the first one.
func (f *fetch) send(c *command) {
	c.got = make(map[mail.UID]*answer)
	c.taken = make(chan struct{})
	f.flight = append(f.flight, c)
	if !f.started {
		f.started = true
		f.running.Go(f.sender) // stop waits for it
	}
	f.jobs <- c // it has room for all that may be in flight
}

// landed takes a completed command out of the flight.
func (f *fetch) landed(c *command) {
	f.flight = slices.DeleteFunc(f.flight, func(other *command) bool { return other == c })
}

// sender writes the commands in order.
func (f *fetch) sender() {
	for c := range f.jobs {
		sent := f.client.Fetch(c.numSet(), c.options())
		f.running.Go(func() { f.pump(c, sent) }) // stop waits for it
	}
}

// pump hands over the messages of one command, one at a time, and its end.
func (f *fetch) pump(c *command, sent *imapclient.FetchCommand) {
	for m := sent.Next(); m != nil; m = sent.Next() {
		f.events <- event{command: c, message: m}
		<-c.taken
	}
	f.events <- event{command: c, err: sent.Close()}
}

// stop waits for the sender and the pumps. If commands are in flight the
// connection must be closed by now: then their answers end at once.
//
// A pump reads over what is left of its message. If reading the body failed,
// go-imap's reader went on meanwhile, on the same buffer; the pump has to wait
// until that one has ended.
func (f *fetch) stop() {
	f.stopped = true
	close(f.jobs)
	if f.torn {
		<-f.client.Closed()
	}
	if f.held != nil {
		f.held.taken <- struct{}{}
	}
	for _, c := range f.flight {
		for !c.over {
			e := <-f.events
			if e.message != nil {
				e.taken <- struct{}{}
				continue
			}
			e.over = true
		}
	}
	f.running.Wait()
}

// numSet returns what the command asks for.
func (c *command) numSet() goimap.NumSet {
	if c.seq != 0 {
		return goimap.SeqSetNum(c.seq)
	}
	set := make(goimap.UIDSet, 0, len(c.uids))
	for _, r := range c.uids {
		set = append(set, goimap.UIDRange{Start: goimap.UID(r.Lo), Stop: goimap.UID(r.Hi)})
	}
	return set
}

// options returns the items to ask for: none that makes the server or go-imap
// parse mail, and BODY.PEEK, which leaves \Seen alone.
func (c *command) options() *goimap.FetchOptions {
	return &goimap.FetchOptions{
		UID:          true,
		Flags:        !c.minimal,
		InternalDate: !c.minimal,
		RFC822Size:   true, // without it nobody knows an empty message from none
		BodySection:  []*goimap.FetchItemBodySection{{Peek: true}},
	}
}
