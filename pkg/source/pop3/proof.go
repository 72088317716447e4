package pop3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

// settlement is the outcome of a message, which counts once it is proved.
type settlement struct {
	place   int   // in todo
	size    int64 // bytes read
	outcome error
	passing bool // it was refused in words that ask to wait
}

// prove reads the answer behind messages, and settles them if it is the one
// which belongs there.
func (f *fetch) prove(q question) error {
	matched, reply, err := f.conn.AnswerIs(func(text []byte) bool { return f.proves(text, q) })
	if err != nil {
		return f.broke(q.place, lost("pop3 retr", f.ref(q.place).UIDL, err))
	}
	if !matched {
		e := lost("pop3 retr", f.ref(q.place).UIDL,
			fmt.Errorf("%w: another answer than the one to %s: %q", wire.ErrProtocol, f.command(q), reply.Text))
		return f.broke(q.place, e)
	}
	f.care.went(len(f.unproved))
	for _, s := range f.unproved {
		if s.passing {
			f.held = append(f.held, s)
			continue
		}
		if err := f.settleHeld(); err != nil {
			return err
		}
		if err := f.settle(f.ref(s.place), s.size, s.outcome); err != nil {
			return err
		}
	}
	f.unproved = f.unproved[:0]
	return nil
}

// settleHeld settles the refusals that ask to wait. When so many came in a row
// that the session waits, they are no fault of the messages and have no
// outcome.
func (f *fetch) settleHeld() error {
	held := f.held
	f.held = nil
	for _, s := range held {
		if f.stop != nil && s.place >= f.stopFrom {
			continue
		}
		if err := f.settle(f.ref(s.place), 0, s.outcome); err != nil {
			return err
		}
	}
	return nil
}

// proves reports whether the text of an answer belongs to a proof.
func (f *fetch) proves(text []byte, q question) bool {
	position := f.todo[q.place]
	if f.provable {
		return names(text, f.listing.number(position), f.listing.uidls[position])
	}
	// The size is left out: some servers correct it once they read a message.
	words := strings.Fields(string(text))
	if len(words) < 2 || words[0] != strconv.Itoa(len(f.listing.uidls)) {
		return false
	}
	_, err := parseNumber([]byte(words[1]))
	return err == nil
}

// names reports whether the text of an answer is a message's number and
// unique-id (RFC 1939 section 7).
func names(text []byte, number int, uidl mail.UIDL) bool {
	n, value, ok := numbered(text)
	return ok && n == uint64(number) && string(value) == string(uidl)
}

// numbered reads a number, a space and a value. Some servers pad the two words
// with blanks.
func numbered(text []byte) (n uint64, value []byte, ok bool) {
	digits, value, ok := bytes.Cut(bytes.TrimSpace(text), []byte(" "))
	n, err := parseNumber(digits)
	return n, bytes.TrimLeft(value, " \t"), ok && err == nil
}

// broke decides what an error that ends the session means for the messages.
// With others on their way it is not sure which one is to blame, so none fails,
// and the next session reads them one at a time. A message that was read by itself is to blame, or was at least in hand: it
// fails, so that the caller gets past it.
func (f *fetch) broke(place int, e *mail.Error) error {
	if f.ctx.Err() != nil || errors.Is(e, context.Canceled) {
		return e
	}
	if !f.alone {
		f.care.lost()
		e.UIDL = ""
		e.Retry = mail.RetryNow
		return e
	}
	if f.stop != nil {
		return f.stop
	}
	ref := f.ref(place)
	e.UIDL = ref.UIDL
	if e.Class == mail.ClassProtocol && e.Hint == "" {
		e.Hint = "the server does not mark the end of this message as the standard wants, so it cannot be fetched whole"
	}
	f.care.lost()
	f.care.blame(ref.UIDL)
	failed := *e
	failed.Scope = mail.ScopeMessage
	if err := f.receiver.Settle(mail.Item{Ref: ref}, &failed); err != nil {
		return err
	}
	return e
}
