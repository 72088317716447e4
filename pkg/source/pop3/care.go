package pop3

import (
	"sync"

	"mailpull/pkg/mail"
)

// carefulMessages is how many messages are read one at a time after something
// went wrong: as many as a group has, so that the one to blame is among them.
const carefulMessages = groupMessages

// care is what a source has learned about its maildrop in earlier sessions.
// Its methods may be called from any goroutine.
type care struct {
	mu     sync.Mutex
	left   int // messages that are to be read one at a time
	blamed map[mail.UIDL]bool
}

// careful reports whether the next message is to be read by itself.
func (c *care) careful() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left > 0
}

// lost notes that a session ended while messages were read.
func (c *care) lost() {
	c.mu.Lock()
	c.left = carefulMessages
	c.mu.Unlock()
}

// went notes that so many messages in a row went well.
func (c *care) went(messages int) {
	c.mu.Lock()
	c.left = max(0, c.left-messages)
	c.mu.Unlock()
}

// blame notes that a message ended a session.
func (c *care) blame(uidl mail.UIDL) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.blamed == nil {
		c.blamed = make(map[mail.UIDL]bool)
	}
	c.blamed[uidl] = true
}

// wasBlamed reports whether a message ended a session before.
func (c *care) wasBlamed(uidl mail.UIDL) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.blamed[uidl]
}
