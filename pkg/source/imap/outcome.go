package imap

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	goimap "github.com/emersion/go-imap/v2"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

// lookGroup is how many missing messages are looked for at once.
const lookGroup = 64

// complete takes a completed command out of the flight, settles what it
// brought and notes the rest for another try.
//
// A body counts only when its command ended OK: rung 2 of the ladder. The
// messages of a command that was refused, also those that came, are asked for
// once more, each by a command of its own. Any other error means that the
// connection is lost, and then nothing of the command counts.
func (f *fetch) complete(c *command, err error) error {
	no, ok := refusedFetch(err)
	if !ok {
		return err
	}
	f.landed(c)
	for uid := range c.uids.All {
		if err := f.outcome(c, uid, no); err != nil {
			return err
		}
	}
	if err := f.endGroup(); err != nil {
		return err
	}
	return f.throttle(no)
}

// refusedFetch returns the refusal that an error of go-imap is, nil for no
// error; ok is false for an error of the connection.
func refusedFetch(err error) (no *refused, ok bool) {
	if err == nil {
		return nil, true
	}
	answer, ok := errors.AsType[*goimap.Error](err)
	if !ok {
		return nil, false
	}
	return &refused{wire.Status{
		Condition: string(answer.Type),
		Code:      strings.ToUpper(string(answer.Code)),
		Text:      wire.Text(answer.Text),
	}}, true
}

// outcome settles one message of a completed command, or notes it.
func (f *fetch) outcome(c *command, uid mail.UID, no *refused) error {
	a := c.got[uid]
	switch {
	case no != nil && !c.last:
		f.single = append(f.single, uid)
		return nil
	case no != nil:
		return f.settle(f.item(uid), f.refusal(opFetch, f.ref(uid), mail.ScopeMessage, no))
	case a != nil && c.last && (a.other || a.body && !a.named):
		return f.settle(f.item(uid), f.failed(uid, mail.ClassProtocol, errOtherUID))
	case a != nil && a.body && a.named && !a.other:
		return f.whole(uid, a)
	case a != nil && a.empty && a.size == 0:
		if err := f.receiver.Body(f.ref(uid), 0, strings.NewReader("")); err != nil {
			return &ofReceiver{err}
		}
		return f.whole(uid, a)
	case !c.last:
		f.single = append(f.single, uid)
		return nil
	case c.seq != 0:
		return f.settle(f.item(uid), f.failed(uid, mail.ClassServer, errNoBody))
	default:
		f.missing = append(f.missing, uid)
		return nil
	}
}

// whole settles a message whose body is whole.
func (f *fetch) whole(uid mail.UID, a *answer) error {
	f.throttled = 0
	f.wentWell(uid)
	item := f.item(uid)
	item.Flags, item.Date = a.flags, a.date
	return f.settle(item, nil)
}

// throttle gives up the session when the server keeps refusing with words
// that ask us to wait: a single message may be refused so for ever, and must
// not stop the others.
func (f *fetch) throttle(no *refused) error {
	if no == nil || no.class() != mail.ClassThrottled {
		return nil
	}
	if f.throttled++; f.throttled < maxThrottled {
		return nil
	}
	return f.refusal(opFetch, mail.Ref{Mailbox: f.refs.Mailbox}, mail.ScopeAccount, no)
}

// lookFor settles the missing messages: those that the server does not have
// any more are gone; the others are asked for by their sequence number, one
// by one. It speaks beside go-imap, so no command may be in flight.
func (f *fetch) lookFor(ctx context.Context) error {
	for len(f.missing) > 0 {
		n := min(lookGroup, len(f.missing))
		if f.care.needed(f.refs.Mailbox) {
			n, f.looking = 1, f.missing[0]
		}
		group := f.missing[:n]
		f.missing = f.missing[n:]
		there, err := f.look(ctx, group)
		if err != nil {
			return err
		}
		if err := f.confirm(ctx, group, there); err != nil {
			return err
		}
		f.looking = 0
		for _, uid := range group {
			if err := f.found(uid, there[uid]); err != nil {
				return err
			}
		}
		if err := f.endGroup(); err != nil {
			return err
		}
	}
	return nil
}

// sighting is what looking for a message told: its sequence number, 0 if it
// is not there, that the server refused to look, or that SEARCH lists it all
// the same.
type sighting struct {
	seq    uint32
	no     *refused
	listed bool
}

// sightings are those of a group.
type sightings map[mail.UID]sighting

// expunge takes out the message with a sequence number that is removed. Those
// behind it have one less from then on (RFC 9051 section 7.5.1).
func (there sightings) expunge(seq uint32) {
	for uid, s := range there {
		switch {
		case seq == 0 || s.seq < seq:
		case s.seq == seq:
			delete(there, uid)
		default:
			s.seq--
			there[uid] = s
		}
	}
}

// confirm asks for those that were not found by a second method: what is gone
// from the server is not missing, so a server that answers every FETCH with
// nothing would have us call a mailbox complete of which we have nothing. NOOP
// comes first, because a server may say only then that messages were removed
// (RFC 9051 section 5.2). A SEARCH that listed more than there is, as some do,
// confirms nothing.
func (f *fetch) confirm(ctx context.Context, group []mail.UID, there sightings) error {
	var absent mail.UIDSet
	for _, uid := range group {
		if s := there[uid]; s.seq == 0 && s.no == nil {
			absent.Add(uid, uid)
		}
	}
	if len(absent) == 0 || !f.searches {
		return nil
	}
	var uids uidList
	_, err := f.aside(ctx, opFetch, []string{"NOOP", "UID SEARCH UID " + absent.String()}, func(r wire.Response) error {
		switch r.Type {
		case "SEARCH":
			_ = uids.addSearch(r.Raw) // what makes no sense confirms nothing
		case "EXPUNGE":
			there.expunge(r.Num)
		}
		return nil
	})
	if err != nil {
		return err
	}
	listed := uids.set()
	for uid := range absent.All {
		if listed.Contains(uid) {
			there[uid] = sighting{listed: true}
		}
	}
	return nil
}

// look asks for nothing but the UID of each message. FETCH is asked and not
// SEARCH, because some servers find by SEARCH what they cannot fetch.
func (f *fetch) look(ctx context.Context, uids []mail.UID) (sightings, error) {
	commands := make([]string, len(uids))
	for i, uid := range uids {
		commands[i] = "UID FETCH " + strconv.FormatUint(uint64(uid), 10) + " (UID)"
	}
	there := make(sightings, len(uids))
	statuses, err := f.aside(ctx, opFetch, commands, func(r wire.Response) error {
		switch r.Type {
		case "FETCH":
			if uid, ok := fetchedUID(r.Nodes); ok && len(there) < 2*lookGroup {
				there[uid] = sighting{seq: r.Num}
			}
		case "EXPUNGE":
			there.expunge(r.Num)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, uid := range uids {
		if no := refusedBy(statuses[i]); no != nil {
			there[uid] = sighting{no: no}
		}
	}
	return there, nil
}

// found settles a message that was looked for.
func (f *fetch) found(uid mail.UID, s sighting) error {
	switch {
	case s.no != nil:
		return f.settle(f.item(uid), f.refusal(opFetch, f.ref(uid), mail.ScopeMessage, s.no))
	case s.listed:
		return f.settle(f.item(uid), f.failed(uid, mail.ClassServer, errNoBody))
	case s.seq == 0:
		f.wentWell(uid)
		return f.settle(f.item(uid), mail.ErrGone)
	}
	f.send(&command{uids: mail.UIDSet{{Lo: uid, Hi: uid}}, seq: s.seq, last: true})
	for len(f.flight) > 0 {
		if err := f.next(); err != nil {
			return err
		}
	}
	return nil
}

// wentWell notes that a message came whole or is gone.
func (f *fetch) wentWell(uid mail.UID) {
	f.well++
	f.inflated = f.compressed
	f.care.well(f.ref(uid))
}

// settle gives the outcome of a message to the receiver.
func (f *fetch) settle(item mail.Item, outcome error) error {
	f.settled++
	if err := f.receiver.Settle(item, outcome); err != nil {
		return &ofReceiver{err}
	}
	return nil
}

// endGroup ends a group of settlements, unless the receiver holds bodies of
// another command: it may make durable what it has, and forgets the rest.
func (f *fetch) endGroup() error {
	if f.settled == 0 {
		return nil
	}
	for _, c := range f.flight {
		if c.handed > 0 {
			return nil
		}
	}
	f.settled, f.bytes, f.since = 0, 0, time.Now()
	if err := f.receiver.Settled(); err != nil {
		return &ofReceiver{err}
	}
	return nil
}

// fail returns the error that a fetch ends with, and closes the connection:
// this comes before waiting for go-imap, which waits for us to read on.
func (f *fetch) fail(ctx context.Context, err error) error {
	defer f.Abort()
	if of, ok := errors.AsType[*ofReceiver](err); ok {
		return of.err
	}
	if inside, ok := errors.AsType[*endedInside](err); ok {
		return inside.lost
	}
	dead := f.lost(ctx, opFetch, err)
	if err := f.learn(dead); err != nil {
		return err
	}
	return dead
}

// learn draws from the end of a session what the next one should do. Where
// care was taken the message in hand is to blame, and is settled as failed. A
// session that brought nothing is followed by a careful one, at once.
func (f *fetch) learn(dead *mail.Error) error {
	switch dead.Class {
	case mail.ClassConnect, mail.ClassServer, mail.ClassProtocol, mail.ClassTimeout:
	default: // we ended it ourselves, or shall wait
		return nil
	}
	if f.blamesCompression(dead) {
		return nil
	}
	box := f.refs.Mailbox
	if !f.care.needed(box) {
		if f.well == 0 {
			f.care.take(box)
			dead.Retry = mail.RetryNow
		}
		return nil
	}
	uid := f.inHand()
	if uid == 0 {
		return nil
	}
	f.care.blame(f.ref(uid))
	dead.UID = uid
	failed := f.failed(uid, dead.Class, dead.Err)
	failed.Hint = dead.Hint
	return f.receiver.Settle(f.item(uid), failed)
}

// inHand returns the one message that was asked for and is not settled, or 0
// if there are none or many.
func (f *fetch) inHand() mail.UID {
	if len(f.flight) == 1 {
		return f.flight[0].onlyUID()
	}
	return f.looking
}

// ref names a message of the set.
func (f *fetch) ref(uid mail.UID) mail.Ref {
	return mail.Ref{Mailbox: f.refs.Mailbox, Validity: f.refs.Validity, UID: uid}
}

// item is what is known of a message without an answer.
func (f *fetch) item(uid mail.UID) mail.Item { return mail.Item{Ref: f.ref(uid)} }

// failed returns the outcome of a message that cannot be had now.
func (f *fetch) failed(uid mail.UID, class mail.Class, err error) *mail.Error {
	return &mail.Error{
		Op: opFetch, Mailbox: f.shown(f.refs.Mailbox), UID: uid,
		Scope: mail.ScopeMessage, Retry: mail.RetryLater, Class: class, Err: err,
	}
}

// ofReceiver marks an error of the receiver on its way out of a fetch.
type ofReceiver struct{ err error }

// Error returns the text of the receiver's error.
func (e *ofReceiver) Error() string { return e.err.Error() }
