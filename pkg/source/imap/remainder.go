package imap

import (
	"bytes"
	"context"
	"errors"
	"io"

	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailpull/pkg/mail"
)

// sliceBytes is how much of a message is asked for at once: so much that a round
// trip is nothing beside it, so little that each answer has its end soon.
const sliceBytes = 16 << 20

var (
	errRenumbered = errors.New("the mailbox has another UIDVALIDITY now")
	errNoPart     = errors.New("the server does not send the rest of the message")
	errOtherPart  = errors.New("the server sent something else than the part of the message that was asked for")
	errNotTheSame = errors.New("the message is not what it was")
)

// remainder reads the rest of one message in a session of its own, slice by
// slice. Its errors are *mail.Error. It belongs to the goroutine of the fetch.
type remainder struct {
	*Session
	ctx    context.Context
	stop   func()
	stream *bodyStream

	slice   *imapclient.FetchCommand // the one in hand, nil between two
	message *imapclient.FetchMessageData
	body    *bodyReader // the rest of the slice
	torn    bool        // a slice could not be read to its end
}

// remainderOf opens a session and finds the place in it at which a body goes
// on. The caller closes what is returned.
func (f *fetch) remainderOf(b *bodyStream) (*remainder, error) {
	ctx, cancel := f.untilAborted()
	session, err := f.source.Open(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	stop := session.wire.CloseOn(ctx)
	r := &remainder{Session: session, ctx: ctx, stop: func() { stop(); cancel() }, stream: b}
	if err := r.begin(); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// begin opens the mailbox and finds the place, once the server has sent the
// first bytes again that the receiver has, and the last ones.
//
// The first show what the last cannot: a server that makes up MIME for each
// session writes other boundaries and the same base64 between them. They cost a
// round trip, and are not asked for together with the rest because a server that
// knows no parts would send the whole message twice.
func (r *remainder) begin() error {
	f := r.stream.fetch
	e, _, err := r.examine(r.ctx, opFetch, mail.Mailbox{Name: f.refs.Mailbox, Wire: f.wireName}, "")
	if err != nil {
		return err
	}
	if e.opened.Validity != f.refs.Validity {
		return r.useless(errRenumbered)
	}
	head, tail := r.stream.head, r.stream.tail
	if err := r.ask(0, int64(len(head))); err != nil {
		return err
	}
	if err := r.compare(head); err != nil {
		return err
	}
	if err := r.seek(int64(len(head)), r.stream.given-int64(len(tail))); err != nil {
		return err
	}
	return r.compare(tail)
}

// compare reads bytes that the receiver has and sees that they are the same.
func (r *remainder) compare(had []byte) error {
	again := make([]byte, len(had))
	if _, err := io.ReadFull(r.body, again); err != nil {
		return r.tore(err)
	}
	if !bytes.Equal(again, had) {
		return r.unfit(errNotTheSame)
	}
	return nil
}

// seek goes on from one place in the message to a later one: by another slice, or
// in the answer in hand where that is the whole message.
func (r *remainder) seek(from, to int64) error {
	if r.body.left > 0 {
		return r.skip(to - from)
	}
	if err := r.endSlice(); err != nil {
		return err
	}
	return r.ask(to, sliceBytes)
}

// skip reads over bytes of the answer in hand.
func (r *remainder) skip(n int64) error {
	if _, err := io.CopyN(io.Discard, r.body, n); err != nil {
		return r.tore(err)
	}
	return nil
}

// Read implements io.Reader. It returns io.EOF behind the last byte of the
// message, once the server has said OK to its last slice.
func (r *remainder) Read(p []byte) (int, error) {
	for {
		if r.body == nil {
			if r.stream.given == r.stream.size {
				return 0, io.EOF
			}
			if err := r.ask(r.stream.given, sliceBytes); err != nil {
				return 0, err
			}
		}
		n, err := r.body.Read(p)
		switch {
		case n > 0 || err == nil:
			return n, nil // the error comes back
		case err != io.EOF:
			return 0, r.tore(err)
		}
		r.body = nil
		if err := r.endSlice(); err != nil {
			return 0, err
		}
	}
}

// ask asks for a slice of at most so many bytes that begins at an offset, and
// reads up to its bytes.
func (r *remainder) ask(offset, most int64) error {
	count := min(most, r.stream.size-offset)
	options := r.stream.command.options()
	options.BodySection[0].Partial = &goimap.SectionPartial{Offset: offset, Size: count}
	r.slice = r.client.Fetch(goimap.UIDSetNum(goimap.UID(r.stream.uid)), options)
	if r.message = r.slice.Next(); r.message != nil {
		for item := r.message.Next(); item != nil; item = r.message.Next() {
			if body, ok := item.(imapclient.FetchItemDataBodySection); ok && body.Literal != nil {
				return r.take(body, offset, count)
			}
			if err := r.note(item); err != nil {
				return err
			}
		}
	}
	if err := r.endSlice(); err != nil {
		return err
	}
	return r.useless(errNoPart) // the message is gone
}

// take makes a body the one in hand if it is the part that was asked for. A
// server that knows no parts sends the whole message: what the receiver has of it
// is read over, for this once.
func (r *remainder) take(item imapclient.FetchItemDataBodySection, offset, count int64) error {
	size := item.Literal.Size()
	isPart := func(p *goimap.SectionPartial) bool {
		return item.MatchCommand(&goimap.FetchItemBodySection{Partial: p})
	}
	r.body = &bodyReader{r: item.Literal, left: size}
	switch {
	case size == count && isPart(&goimap.SectionPartial{Offset: offset}):
		return nil
	case size == r.stream.size && (isPart(nil) || isPart(&goimap.SectionPartial{})):
		r.care.sendsNoParts()
		return r.skip(offset)
	}
	return r.unfit(errOtherPart)
}

// note takes what an answer tells beside the body. A size that the first answer
// did not tell before its body, and never will, must be that of the body.
func (r *remainder) note(item imapclient.FetchItemData) error {
	a := r.stream.answer
	switch item := item.(type) {
	case imapclient.FetchItemDataUID:
		if mail.UID(item.UID) != r.stream.uid {
			return r.unfit(errOtherPart)
		}
	case imapclient.FetchItemDataRFC822Size:
		told := a.size
		if told < 0 {
			told = r.stream.size
		}
		if item.Size != told {
			return r.unfit(errNotTheSame)
		}
	default:
		a.add(item)
	}
	return nil
}

// endSlice reads the answer to its end: a slice counts when the server has said
// OK to it, as every body does.
func (r *remainder) endSlice() error {
	if r.message != nil {
		for item := r.message.Next(); item != nil; item = r.message.Next() {
			if err := r.note(item); err != nil {
				return err
			}
		}
	}
	err := r.slice.Close()
	r.slice, r.message = nil, nil
	no, ok := refusedFetch(err)
	switch {
	case !ok:
		return r.lost(r.ctx, opFetch, err)
	case no != nil:
		if no.Condition == "BAD" && !no.passes() {
			r.care.sendsNoParts()
		}
		return r.refusal(opFetch, r.stream.fetch.ref(r.stream.uid), mail.ScopeAccount, no)
	}
	return nil
}

// tore returns the error for a slice that ended too early.
func (r *remainder) tore(err error) error {
	r.torn = true
	return r.lost(r.ctx, opFetch, err)
}

// unfit returns the error for an answer that shows that the parts of this server's
// messages cannot be put together. It is not asked for any again.
func (r *remainder) unfit(err error) error {
	r.care.sendsNoParts()
	return r.useless(err)
}

// useless returns the error for a session that cannot bring the rest.
func (r *remainder) useless(err error) error {
	f := r.stream.fetch
	return &mail.Error{
		Op: opFetch, Mailbox: f.shown(f.refs.Mailbox), UID: r.stream.uid,
		Scope: mail.ScopeAccount, Class: mail.ClassProtocol, Err: err,
	}
}

// close gives the session up, wherever it stands. Reading on in a slice that
// tore would meet go-imap's reader on the same buffer, so that one ends first.
func (r *remainder) close() {
	r.stop()
	r.Abort()
	if r.torn {
		<-r.client.Closed()
	}
	if r.slice != nil {
		_ = r.slice.Close() // what is left of the answer is of no use
		r.slice = nil
	}
	r.end()
}
