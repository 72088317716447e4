package imap

import (
	"io"
	"strings"
	"time"

	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailpull/pkg/mail"
)

// answer is what came of one message.
type answer struct {
	flags []string
	date  time.Time
	size  int64 // RFC822.SIZE, -1 if it did not come

	body  bool // a body that is not empty was handed over, and is whole
	empty bool // a body of no bytes came
	named bool // the answer names the UID
	other bool // the answer names another UID, too
}

// take reads one message of a command and hands its body to the receiver. An
// error means that the fetch is over.
func (f *fetch) take(c *command, m *imapclient.FetchMessageData) error {
	a := &answer{size: -1}
	uid := c.onlyUID()
	for item := m.Next(); item != nil; item = m.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			a.other = a.other || uid != 0 && uid != mail.UID(item.UID)
			a.named = true
			if uid == 0 {
				uid = mail.UID(item.UID)
			}
		case imapclient.FetchItemDataRFC822Size:
			a.size = item.Size
		case imapclient.FetchItemDataBodySection:
			if err := f.takeBody(c, uid, a, item); err != nil {
				return err
			}
		default:
			a.add(item)
		}
	}
	if c.uids.Contains(uid) {
		c.got[uid], c.latest = a, uid
	}
	return nil
}

// add takes what becomes part of the item.
func (a *answer) add(item imapclient.FetchItemData) {
	switch item := item.(type) {
	case imapclient.FetchItemDataFlags:
		a.flags = keepFlags(item.Flags)
	case imapclient.FetchItemDataInternalDate:
		a.date = item.Time
	}
}

// onlyUID returns the UID of a command that asks for one message, else 0.
func (c *command) onlyUID() mail.UID {
	if len(c.uids) == 1 && c.uids[0].Lo == c.uids[0].Hi {
		return c.uids[0].Lo
	}
	return 0
}

// takeBody hands a body to the receiver. A body of no bytes is not handed
// over before it is clear whether it is one.
func (f *fetch) takeBody(c *command, uid mail.UID, a *answer, item imapclient.FetchItemDataBodySection) error {
	whole := item.MatchCommand(&goimap.FetchItemBodySection{})
	if !whole || item.Literal == nil || a.body || !c.uids.Contains(uid) {
		return nil // go-imap reads over it
	}
	size := item.Literal.Size()
	if size == 0 {
		a.empty = true
		return nil
	}
	body := f.newBodyStream(c, uid, a, item.Literal, size)
	defer body.close()
	c.handed++
	err := f.receiver.Body(f.ref(uid), size, body)
	switch {
	case body.err != nil:
		return body.err // of the connection; the receiver only passed it on
	case err != nil:
		return &ofReceiver{err}
	case body.given != size:
		return &ofReceiver{&mail.Error{Op: opFetch, Mailbox: f.shown(f.refs.Mailbox), Scope: mail.ScopeAccount, Class: mail.ClassLocal, Err: errUnread}}
	}
	a.body = true
	f.bytes += size
	f.plan.seen(size)
	f.speed.took(size, time.Now())
	if body.lost != nil {
		return f.resumed(uid, a, body.lost)
	}
	return nil
}

// resumed settles a message that came whole over another connection than the
// fetch's own, which is lost: every byte came, and the server said OK to the
// last of them. The fetch ends with what its connection ended with, and nothing
// is held against a message that was in flight there.
func (f *fetch) resumed(uid mail.UID, a *answer, lost *mail.Error) error {
	if err := f.whole(uid, a); err != nil {
		return err
	}
	return &endedInside{lost}
}

// bodyReader reads a literal. go-imap ends a literal that was cut off with a
// plain io.EOF, so the bytes are counted.
type bodyReader struct {
	r    io.Reader
	left int64
	err  error // what ended the body too early
}

// Read returns io.EOF only behind the last byte of the whole body.
func (b *bodyReader) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	switch {
	case err == nil || err == io.EOF && b.left == 0:
		return n, err
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	b.err = err
	return n, err
}

// keepFlags returns the flags without \Recent, which belongs to the session
// and not to the message (RFC 3501 section 2.3.2).
func keepFlags(flags []goimap.Flag) []string {
	kept := make([]string, 0, len(flags))
	for _, flag := range flags {
		if !strings.EqualFold(string(flag), `\Recent`) {
			kept = append(kept, string(flag))
		}
	}
	return kept
}
