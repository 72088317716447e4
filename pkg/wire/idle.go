package wire

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Idle lets the server tell of changes in the selected mailbox, by IDLE of RFC
// 2177 (RFC 9051 section 6.3.13). fn gets each untagged response and ends the
// wait by returning true, and so does the end of d; both are answered by the
// server within the usual limits, so that one that has died is noticed. While
// the wait lasts silence is no fault.
//
// A server that refuses has a status that is not OK. What holds for Aside holds
// here: go-imap must have no command in flight, and any error ends the
// connection, but for one of class local.
func (c *IMAP) Idle(ctx context.Context, d time.Duration, fn func(r Response) bool) (Status, error) {
	i := &idle{c: c, fn: fn, tag: c.nextTag()}
	err := c.takeOver(ctx, func() error { return i.run(d) })
	return i.status, err
}

// idle is one wait under way.
type idle struct {
	c      *IMAP
	fn     func(r Response) bool
	tag    string
	told   int  // untagged responses
	early  bool // fn wants to end a wait that has not begun
	status Status
	done   sync.Once
	asked  atomic.Bool // DONE was sent
}

// run sends IDLE, waits, and reads the answer.
func (i *idle) run(d time.Duration) error {
	i.c.conn.Await()
	if _, err := i.c.conn.Write([]byte(i.tag + " IDLE\r\n")); err != nil {
		return i.c.in.fail(err)
	}
	var timer *time.Timer
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	for {
		r, err := i.c.in.response()
		switch {
		case err != nil:
			return err
		case r.Tag == i.tag && r.Status.OK() && !i.asked.Load():
			return i.c.in.fail(fmt.Errorf("%w: the server ended the wait by itself", ErrProtocol))
		case r.Tag == i.tag:
			i.status = r.Status
			i.c.conn.Answered()
			return nil
		case r.Tag == "+" && timer == nil:
			i.c.conn.rest()
			timer = time.AfterFunc(d, i.end)
			if i.early {
				i.end()
			}
		case r.Tag != "*":
			return i.c.in.fail(errForeignTag)
		default:
			if err := i.untagged(r, timer != nil); err != nil {
				return err
			}
		}
	}
}

// untagged hands on what the server tells. News that comes before the server is
// waiting ends the wait as soon as it has begun.
func (i *idle) untagged(r Response, waiting bool) error {
	if i.told++; i.told > maxAside {
		return i.c.in.fail(fmt.Errorf("%w: more than %d responses while waiting", ErrProtocol, maxAside))
	}
	switch {
	case !i.fn(r):
	case waiting:
		i.end()
	default:
		i.early = true
	}
	return nil
}

// end sends DONE, once, and makes the answer due.
func (i *idle) end() {
	i.done.Do(func() {
		i.asked.Store(true)
		_, _ = i.c.conn.Write([]byte("DONE\r\n")) // an error is kept, and comes up in reading
		i.c.conn.Await()
	})
}
