package mail

import (
	"io"
	"time"
)

// Receiver takes what Session.Fetch reads. Its methods are called from one
// goroutine, the one that called Fetch.
type Receiver interface {
	// Body hands over one message's bytes as they stand on the wire. It must
	// read body to io.EOF or return an error. size is the exact length where
	// the protocol tells it (IMAP's literal), else -1. Bytes that end in any
	// other error than io.EOF are worthless; so are bytes whose ref is never
	// settled. A ref that is not settled can come again; the later bytes
	// replace the earlier ones.
	Body(ref Ref, size int64, body io.Reader) error

	// Settle gives the outcome of one ref, exactly once for each ref, after
	// the server confirmed it (tagged OK or +OK): nil when the bytes given to
	// Body are whole, ErrGone when the server has the message no longer,
	// else a *Error of ScopeMessage.
	Settle(item Item, outcome error) error

	// Settled ends a group of settlements: the server has nothing more to say
	// of them, and the receiver may make durable what it has.
	Settled() error
}

// Box is the archive's side of one mailbox.
type Box interface {
	// Name is the mailbox's name.
	Name() MailboxName

	// Keys reads which keys the archive holds for this mailbox, whatever a
	// mail reader did to the files' flags since, and returns those of them that
	// are wanted: the archive can hold more than fit into memory. wanted is
	// called once or twice for each message of the mailbox, in no order. It reads
	// the disk anew at each call and changes nothing.
	Keys(wanted func(Key) bool) (KeySet, error)

	// Read calls fn with the bytes of the wire of each wanted message that the
	// archive holds, in no order, given the form in which it is kept. One that
	// is not there is left out: a mail reader took it away. One that cannot be
	// read gives its error from body. It ends with fn's first error, which is
	// returned as it is.
	Read(wanted map[Key]Form, fn func(key Key, body io.Reader) error) error
}

// Batch collects deliveries and makes them durable together: rungs 1 to 5 of
// the ladder. The order of calls is any number of Add and Drop, then Seal,
// then any number of Drop and Rekey, then Flush or Abort; nothing may be called after
// these two. No method is interrupted by a cancelled context.
type Batch interface {
	// Add reads body to its end and keeps it under the key; rung 1. Writing
	// may go on after Add returned, beside the next Add, within a bounded
	// amount of memory. An error in reading body is returned as it is and
	// leaves the batch without this key, but otherwise intact; an error in
	// writing is a *Error of class disk, can be of an earlier Add, and
	// leaves only Abort.
	Add(box Box, key Key, body io.Reader) error

	// Drop forgets a message: rung 2 failed, or it is not wanted. Dropping a
	// key that is not there does nothing.
	Drop(key Key)

	// Rekey asks Flush to give a message that the archive holds in box another
	// key, on the same rungs as the rest of the batch. A message that is no
	// longer there by then is left out: a mail reader took it away.
	Rekey(box Box, from, to Key)

	// Len and Size are how many messages the batch holds and how many bytes
	// they had on the wire.
	Len() int
	Size() int64

	// Seal waits until all is written and returns what is known of each
	// message, by key: size, hash, form, Message-ID. The items are empty. A
	// panic of a goroutine that wrote is raised here.
	Seal() (map[Key]Delivery, error)

	// Flush climbs rungs 3 to 5 for the messages named in items, which must
	// all be in the batch, and drops the others. When it returns nil every one
	// of them is in new/ or cur/ with its flags and date, durable in data and
	// in name. After an error none of them may be counted as delivered,
	// though some can be in place already; the same keys are then found by
	// Box.Keys.
	Flush(items map[Key]Item) error

	// Abort removes what the batch wrote to tmp/.
	Abort()
}

// Known is what a checkpoint knows of a mailbox.
type Known struct {
	Validity UIDValidity

	// Seen is how many messages are recorded as delivered.
	Seen int

	// Complete is the status at the last time when nothing was missing, or
	// nil: not yet, or something was delivered or failed since.
	Complete *Status

	// Listed is how many messages the server listed then, and Excluded which of
	// them were left out.
	Listed   int
	Excluded Excluded

	// Matching is set from Reset until the mailbox is complete again with no
	// message left out.
	Matching bool

	// Order is what was recorded last of the server's order.
	Order Order
}

// Order is how far the order can be relied on in which a POP3 server lists its
// messages. The zero value means that nothing is known of it.
type Order struct {
	// Mark is the Status.Mark of the last time when nothing was missing.
	Mark uint64

	// Whole is when the mailbox was last listed whole, to the second.
	Whole time.Time

	// Broken is set once messages that were new stood before known ones.
	Broken bool
}
