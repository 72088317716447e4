package imap

import (
	"sync"
	"time"

	"mailpull/pkg/mail"
)

const (
	// carefulMessages is how many messages of a mailbox must go well before its
	// commands ask for more than one again.
	carefulMessages = 32

	// maxBlamed bounds what is remembered of single messages.
	maxBlamed = 64

	// believed is how long the server's compression and its parts of messages are
	// left alone once they seemed bad. The source lives as long as the daemon, and
	// one cut or one odd message must not cost all passes until that ends; to try
	// again costs one session.
	believed = 6 * time.Hour
)

// care remembers, for the sessions of one source, where a session ended in the
// middle of a fetch. Servers hang up on a message that they cannot read, and
// some answers cannot be read by us; nothing of the torn command counts then,
// so that the next session would end at the same place for ever.
//
// A mailbox in which a session ended before anything came is fetched with
// care: one message in each command, and one command at a time. When a session
// ends then, it is known which message it ended with.
//
// Such a message is asked for once more, after all others and with less than
// usual: it may be only its date that cannot be read.
type care struct {
	mu      sync.Mutex
	careful map[mail.MailboxName]int // how many messages must still go well
	blamed  map[mail.Ref]bool
	plain   time.Time // no session is compressed until then
	noParts time.Time // parts of messages cannot be had, or not be put together, until then
}

// needed reports whether a mailbox is to be fetched with care.
func (c *care) needed(box mail.MailboxName) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.careful[box] > 0
}

// take begins to take care with a mailbox.
func (c *care) take(box mail.MailboxName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.careful == nil {
		c.careful = make(map[mail.MailboxName]int)
	}
	c.careful[box] = carefulMessages
}

// well notes a message that came whole or is gone.
func (c *care) well(ref mail.Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.blamed, ref)
	left, careful := c.careful[ref.Mailbox]
	switch {
	case left > 1:
		c.careful[ref.Mailbox] = left - 1
	case careful:
		delete(c.careful, ref.Mailbox)
	}
}

// blame notes a message with which a session ended. When too many are known
// all of them are forgotten: that costs each no more than an attempt.
func (c *care) blame(ref mail.Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.blamed == nil || len(c.blamed) >= maxBlamed {
		c.blamed = make(map[mail.Ref]bool)
	}
	c.blamed[ref] = true
}

// among returns which of the refs were blamed. What nobody wants any more is
// forgotten.
func (c *care) among(refs mail.Refs) mail.UIDSet {
	c.mu.Lock()
	defer c.mu.Unlock()
	var alone mail.UIDSet
	for ref := range c.blamed {
		switch {
		case ref.Mailbox != refs.Mailbox:
		case ref.Validity != refs.Validity || !refs.UIDs.Contains(ref.UID):
			delete(c.blamed, ref)
		default:
			alone.Add(ref.UID, ref.UID)
		}
	}
	return alone
}

// sendsNoParts notes that the server does not send parts of messages as they are
// asked for. For a while a large message is asked for anew then when its
// connection is lost, as every other: to read over what came before would cost as
// much.
func (c *care) sendsNoParts() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noParts = time.Now().Add(believed)
}

// parts reports whether a part of a message may be asked for.
func (c *care) parts() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !time.Now().Before(c.noParts)
}
