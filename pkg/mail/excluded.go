package mail

import "time"

// Excluded says how many messages of a mailbox were left on the server because
// they arrived before Since. The zero value means that none were.
type Excluded struct {
	Messages int
	Since    time.Time
}

// Covers reports whether a mailbox that was complete but for these messages is
// so, too, when those are wanted that arrived since then; the zero time means
// all of them.
func (e Excluded) Covers(since time.Time) bool {
	return e.Messages == 0 || !since.IsZero() && !since.Before(e.Since)
}
