package wire

import (
	"sync/atomic"
	"time"
)

// idCommand says who we are (RFC 2971).
const idCommand = `ID ("name" "mailpull")`

// patience is how long the answer to ID may take once the server has let us in.
// Nothing is to be computed for it; it is the round trip that counts.
const patience = 10 * time.Second

// Manners is what was learned of an IMAP server by signing in to it. The zero
// value knows nothing. It may be used by any number of connections at once.
type Manners struct {
	apart atomic.Bool
}

// haste is the ID that was sent together with a sign-in, so that both cost one
// round trip: RFC 2971 section 3.1 allows ID in any state, and RFC 9051 section
// 5.5 a command before the one in front of it is answered. There are proxies that
// sign in for us and drop what they have read behind that: ID's answer never
// comes.
type haste struct {
	tag      string // of ID, empty when it was not sent
	accepted bool   // the sign-in was
	answered bool   // ID was, which may be before the sign-in
}

// behindID returns a line with ID in front of it, where ID may be sent together
// with the sign-in. That is its place before AUTHENTICATE: Cyrus 3.6.1 drops what
// it has read behind that, because what follows may be encrypted.
func (c *IMAP) behindID(line string) string {
	if !c.mayHasten() {
		return line
	}
	c.haste.tag = c.nextTag()
	return c.haste.tag + " " + idCommand + "\r\n" + line
}

// beforeID returns the last line of a LOGIN with ID behind it, where ID may be
// sent together with the sign-in. The servers that want ID want it from somebody
// who is signed in.
func (c *IMAP) beforeID(line string) string {
	if !c.mayHasten() {
		return line
	}
	c.haste.tag = c.nextTag()
	return line + "\r\n" + c.haste.tag + " " + idCommand
}

// mayHasten reports whether the server announced ID before the sign-in and was
// not seen to drop it.
func (c *IMAP) mayHasten() bool { return c.Has("ID") && !c.options.Manners.apart.Load() }

// introduced reads the answer to an ID that was sent with the sign-in, unless it
// came first. It may be a refusal, see introduce.
func (c *IMAP) introduced() error {
	if c.haste.tag == "" {
		return nil
	}
	c.haste.accepted = true
	if c.haste.answered {
		return nil
	}
	timer := time.AfterFunc(patience, func() { c.conn.Fail(ErrTimeout) })
	defer timer.Stop()
	r, err := c.await(c.haste.tag, nil)
	if err == nil && r.Tag == "+" {
		err = c.in.fail(errContinuation)
	}
	c.haste.answered = err == nil
	return err
}

// tooHasty reports whether opening failed because, it may be, ID was sent with
// the sign-in, and remembers that: from now on this server is asked for one thing
// after the other. One that refused the sign-in has understood it.
func (c *IMAP) tooHasty(err error) bool {
	if c.haste.tag == "" || c.haste.answered || !c.haste.accepted && !isHangup(err) {
		return false
	}
	if c.options.Manners.apart.CompareAndSwap(false, true) {
		c.options.Log.Info("ID is no longer sent together with the sign-in, the server may have dropped it", "err", err)
	}
	return true
}
