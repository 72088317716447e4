package pull

import (
	"context"
	"io"

	"mailpull/pkg/mail"
)

// Source is the server side of one account. Its adapters are source/imap and
// source/pop3; mailtest has a fake and the suite that all of them pass.
type Source interface {
	// Open connects, secures the connection, signs in and returns a session.
	// When ctx is cancelled Open returns soon, with ctx's cause. Sessions of
	// one source may be open at the same time, unless Limit says otherwise.
	//
	// The error is a *mail.Error of ScopeAccount whose class tells which of
	// the steps failed.
	Open(ctx context.Context) (Session, error)

	// Limit is the largest number of sessions that may be open at once: 1
	// for POP3, which locks its maildrop (RFC 1939 section 3).
	Limit() int
}

// Session is one signed-in connection. It belongs to one goroutine; only
// Abort may be called from another one. Cancelling the ctx of any method
// closes the connection for good.
//
// An error of ScopeMailbox leaves the session usable for the next mailbox;
// after an error of ScopeAccount only Abort may follow.
type Session interface {
	// Mailboxes lists every mailbox of the account, in the server's order.
	// Status is filled in where the server tells it in the same breath or by
	// pipelined questions; a mailbox whose status was refused has none.
	Mailboxes(ctx context.Context) ([]mail.Mailbox, error)

	// Select opens a mailbox without changing anything in it and lists what
	// it holds: the refs, and the state that held before the listing began,
	// so that a message which arrives meanwhile is found by the next pass.
	// Its UIDVALIDITY is 0 where the server has no stable UIDs.
	Select(ctx context.Context, box mail.Mailbox) (mail.Refs, mail.Status, error)

	// Fetch reads the bodies of refs, all of them in the selected mailbox,
	// and hands them to r in the order in which the server sends them. It
	// returns nil once every ref was settled, whatever each outcome was; after
	// an error, refs that were not settled have no outcome and are the
	// caller's to ask for again. An error from r ends the fetch and is
	// returned as it is, with the session dead.
	Fetch(ctx context.Context, refs mail.Refs, r Receiver) error

	// Close ends the session politely. Call it only when everything went
	// well: for POP3 it is QUIT.
	Close(ctx context.Context) error

	// Abort drops the connection at once. It may be called at any time, from
	// any goroutine, any number of times, also after Close.
	Abort()
}

// Receiver takes what Session.Fetch reads. Its methods are called from one
// goroutine, the one that called Fetch.
type Receiver interface {
	// Body hands over one message's bytes as they stand on the wire. It must
	// read body to io.EOF or return an error. size is the exact length where
	// the protocol tells it (IMAP's literal), else -1. Bytes that end in any
	// other error than io.EOF are worthless; so are bytes whose ref is never
	// settled. Body is called at most once for a ref between two settlements.
	Body(ref mail.Ref, size int64, body io.Reader) error

	// Settle gives the outcome of one ref, exactly once for each ref, after
	// the server confirmed it (tagged OK or +OK): nil when the bytes given to
	// Body are whole, mail.ErrGone when the server has the message no longer,
	// else a *mail.Error of ScopeMessage.
	Settle(item mail.Item, outcome error) error

	// Settled ends a group of settlements: the server has nothing more to say
	// of them, and the receiver may make durable what it has.
	Settled() error
}

// Store is an account's archive. It belongs to one pass at a time; its boxes
// and batches may be used from several goroutines, each one by a single one.
// The adapter is archive/maildir.
type Store interface {
	// Box opens the archive's side of a mailbox and creates it where it is
	// missing. The new folders are durable with the first batch's Flush.
	Box(m mail.Mailbox) (Box, error)

	// NewBatch returns an empty batch. It does no I/O.
	NewBatch() Batch
}

// Box is the archive's side of one mailbox.
type Box interface {
	// Name is the mailbox's name.
	Name() mail.MailboxName

	// Keys reads which keys the archive holds for this mailbox, whatever a
	// mail reader did to the files' flags since. It reads the disk anew at
	// each call and changes nothing.
	Keys() (mail.KeySet, error)

	// Open returns the bytes of the wire of an archived message, given the
	// form in which they are kept. fs.ErrNotExist says that no file has the
	// key.
	Open(key mail.Key, form mail.Form) (io.ReadCloser, error)
}

// Batch collects deliveries and makes them durable together: rungs 1 to 5 of
// the ladder. The order of calls is any number of Add and Drop, then Seal,
// then any number of Drop, then Flush or Abort; nothing may be called after
// these two. No method is interrupted by a cancelled context.
type Batch interface {
	// Add reads body to its end and keeps it under the key; rung 1. Writing
	// may go on after Add returned, beside the next Add, within a bounded
	// amount of memory. An error in reading body is returned as it is and
	// leaves the batch without this key, but otherwise intact; an error in
	// writing is a *mail.Error of class disk, can be of an earlier Add, and
	// leaves only Abort.
	Add(box Box, key mail.Key, body io.Reader) error

	// Drop forgets a message: rung 2 failed, or it is not wanted. Dropping a
	// key that is not there does nothing.
	Drop(key mail.Key)

	// Len and Size are how many messages the batch holds and how many bytes
	// they had on the wire.
	Len() int
	Size() int64

	// Seal waits until all is written and returns what is known of each
	// message, by key: size, hash, form, Message-ID. The items are empty.
	Seal() (map[mail.Key]mail.Delivery, error)

	// Flush climbs rungs 3 to 5 for the messages named in items, which must
	// all be in the batch, and drops the others. When it returns nil every one
	// of them is in new/ or cur/ with its flags and date, durable in data and
	// in name. After an error none of them may be counted as delivered,
	// though some can be in place already; the same keys are then found by
	// Box.Keys.
	Flush(items map[mail.Key]mail.Item) error

	// Abort removes what the batch wrote to tmp/.
	Abort()
}

// Checkpoint is an account's record of what was delivered. It belongs to one
// pass at a time and may be used from several goroutines.
type Checkpoint interface {
	// Known returns what is recorded for a mailbox; ok is false when the
	// mailbox was never seen.
	Known(box mail.MailboxName) (known Known, ok bool)

	// New returns the refs of the listing that are not recorded as seen. The
	// listing's UIDVALIDITY must be the recorded one, or the mailbox new.
	New(listing mail.Refs) mail.Refs

	// Commit records deliveries as seen; rung 6. They are durable when it
	// returns nil. The order of the refs does not matter, and committing a ref
	// twice is harmless.
	Commit(refs []mail.Ref) error

	// Complete records that every message which the mailbox had at status is
	// seen, gone or excluded, so that an unchanged mailbox can be passed over.
	// It becomes durable with the next Commit or EndPass.
	Complete(box mail.MailboxName, status mail.Status, listed int) error

	// EndPass records how a pass ended; durable when it returns nil.
	EndPass(pass mail.Pass) error
}

// Known is what a checkpoint knows of a mailbox.
type Known struct {
	Validity mail.UIDValidity

	// Seen is how many messages are recorded as delivered.
	Seen int

	// Complete is the status at the last time when nothing was missing, or
	// nil: not yet, or something was delivered or failed since.
	Complete *mail.Status

	// Listed is how many messages the server listed then.
	Listed int
}

// Manifest is an account's list of what the archive holds. It belongs to one
// pass at a time and may be used from several goroutines.
type Manifest interface {
	// Append records deliveries, one line each; rung 6, before the
	// checkpoint's Commit. They are durable when it returns nil.
	Append(deliveries []mail.Delivery) error

	// Lookup reads the whole list and returns what it says of the wanted
	// keys, the last line of a key counting. It is called only when the
	// archive holds something that the checkpoint does not know.
	Lookup(wanted mail.KeySet) (map[mail.Key]mail.Delivery, error)
}

// Observer is told how a pass goes. Its methods may be called from several
// goroutines and must return at once.
type Observer interface {
	// Planned says that a mailbox has n messages to fetch.
	Planned(box mail.MailboxName, n int)

	// Received says that n more bytes of bodies were read.
	Received(n int)

	// Delivered says that messages became durable and were committed.
	Delivered(box mail.MailboxName, messages int)

	// Done says how a mailbox ended.
	Done(result mail.MailboxResult)
}
