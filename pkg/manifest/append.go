package manifest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/record"
)

// maxAppend bounds how many deliveries go into one append, so that Open finds
// the end of the last one within maxTail.
const maxAppend = 4096

// Append records deliveries, one line each, as one append for each maxAppend
// of them; all are durable when it returns nil.
//
// A delivery that cannot be written (no UID and no UIDL, a name of more than
// 16 KiB) is a *mail.Error of ScopeMessage, and nothing is recorded.
func (f *File) Append(deliveries []mail.Delivery) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	for _, d := range deliveries {
		if err := f.refuse(d.Item.Ref); err != nil {
			return err
		}
	}
	now := time.Now()
	for group := range slices.Chunk(deliveries, maxAppend) {
		if err := f.append(group, now); err != nil {
			f.err = f.failure(err)
			return f.err
		}
	}
	return nil
}

// refuse returns an error for a ref that a line cannot hold.
func (f *File) refuse(ref mail.Ref) error {
	var err error
	switch {
	case (ref.UID == 0) == (ref.UIDL == ""):
		err = errors.New("a ref needs either a uid or a uidl")
	case len(ref.UIDL) > maxName || len(ref.Mailbox) > maxName:
		err = fmt.Errorf("a name of more than %d bytes", maxName)
	default:
		return nil
	}
	return &mail.Error{
		Op:      fmt.Sprintf("manifest %q: append", f.account),
		Mailbox: mail.MailboxName(record.Clip(string(ref.Mailbox))),
		UID:     ref.UID,
		UIDL:    mail.UIDL(record.Clip(string(ref.UIDL))),
		Scope:   mail.ScopeMessage,
		Class:   mail.ClassLocal,
		Err:     err,
	}
}

// append writes a group with one write and flushes it.
func (f *File) append(group []mail.Delivery, now time.Time) error {
	next, lines := f.chain.lines(group, now)
	if err := record.Append(f.file, f.size, lines); err != nil {
		return err
	}
	f.chain = next
	f.size += int64(len(lines))
	return nil
}

// lines returns the lines of an append and the chain behind them.
func (c chain) lines(group []mail.Delivery, now time.Time) (next chain, b []byte) {
	const usual = 400 // bytes in a line
	b = make([]byte, 0, usual*len(group))
	for i, d := range group {
		start := len(b)
		b = text(b, now, d)
		b = append(b, prevWord...)
		b = append(b, c.prev[:]...)
		if i < len(group)-1 {
			b = append(b, moreWord...)
			b = append(b, '\n')
		} else {
			c.number++
			b = closeLine(b, start, c.number)
		}
		c.prev = digestOf(b[start : len(b)-1])
	}
	return c, b
}
