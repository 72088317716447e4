package pull

import (
	"context"
	"time"

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
	// Its UIDVALIDITY is 0 where the server has no stable UIDs. With box.Since
	// set the listing may leave out what stood there at that status, if the
	// session has proof that all of it still does: see Refs.Rest.
	Select(ctx context.Context, box mail.Mailbox) (mail.Refs, mail.Status, error)

	// Older returns which messages of the selected mailbox the server says arrived
	// before the day of since, which is midnight in UTC. What it does not say
	// clearly is not among them, so that nothing is left out by mistake; nor must
	// be what arrived on the day before, for servers compare days in time zones of
	// their own. mail.ErrNoDates is in the error's chain where the source, or this
	// server, does not search by date; the session goes on. A server that only does
	// not do so now is an error of the mailbox without it.
	Older(ctx context.Context, since time.Time) (mail.UIDSet, error)

	// Fetch reads the bodies of refs, all of them in the selected mailbox,
	// and hands them to r in the order in which the server sends them. It
	// returns nil once every ref was settled, whatever each outcome was; after
	// an error, refs that were not settled have no outcome and are the
	// caller's to ask for again. An error from r ends the fetch and is
	// returned as it is, with the session dead.
	Fetch(ctx context.Context, refs mail.Refs, r mail.Receiver) error

	// Close ends the session politely. Call it only when everything went
	// well: for POP3 it is QUIT.
	Close(ctx context.Context) error

	// Abort drops the connection at once. It may be called at any time, from
	// any goroutine, any number of times, also after Close.
	Abort()
}

// Watcher is a session that can wait for news. Not every source has one.
type Watcher interface {
	// Watch opens a mailbox without changing anything in it and returns its
	// state once that differs from since in a way that can mean new messages;
	// at once for the zero Status. It waits as long as that takes, and notices a
	// server that has died meanwhile. mail.ErrCannotWatch is in the error's chain
	// when the server does not offer it.
	//
	// The rules of Session hold: it belongs to one goroutine, and ctx closes the
	// connection.
	Watch(ctx context.Context, box mail.Mailbox, since mail.Status) (mail.Status, error)
}

// Store is an account's archive. It belongs to one pass at a time; its boxes
// and batches may be used from several goroutines, each one by a single one.
// The adapter is archive/maildir.
type Store interface {
	// Box opens the archive's side of a mailbox and creates it where it is
	// missing. The new folders are durable with the first batch's Flush.
	Box(m mail.Mailbox) (mail.Box, error)

	// NewBatch returns an empty batch. It does no I/O.
	NewBatch() mail.Batch
}

// Checkpoint is an account's record of what was delivered. It belongs to one
// pass at a time and may be used from several goroutines.
type Checkpoint interface {
	// Known returns what is recorded for a mailbox; ok is false when the
	// mailbox was never seen.
	Known(box mail.MailboxName) (known mail.Known, ok bool)

	// New returns the refs of the listing that are not recorded as seen. The
	// listing's UIDVALIDITY must be the recorded one, or the mailbox new.
	New(listing mail.Refs) mail.Refs

	// Commit records deliveries as seen; rung 6. They are durable when it
	// returns nil. The order of the refs does not matter, and committing a ref
	// twice is harmless.
	Commit(refs []mail.Ref) error

	// Reset notes that the server's refs no longer mean what they did, and that
	// messages are being matched until the mailbox is complete again with no
	// message excluded. What was seen is forgotten when the UIDVALIDITY is another one; a unique-id of
	// POP3 that comes back is still the same. It becomes durable with the next
	// Commit or EndPass.
	Reset(box mail.MailboxName, validity mail.UIDValidity) error

	// Complete records that every message which the mailbox had at status is
	// seen, gone, excluded or in quarantine, so that an unchanged mailbox can be
	// passed over as long as no excluded message is wanted.
	// It becomes durable with the next Commit or EndPass.
	Complete(box mail.MailboxName, status mail.Status, listed int, excluded mail.Excluded) error

	// Order records how far the server's order can be relied on. It becomes
	// durable with the next Commit or EndPass; Reset keeps it unless the
	// UIDVALIDITY is another one.
	Order(box mail.MailboxName, order mail.Order) error

	// Quarantined returns a mailbox's messages in quarantine, in the order of
	// their refs. A message that is seen is none of them any more.
	Quarantined(box mail.MailboxName) []mail.Quarantined

	// Quarantine puts messages into quarantine, or changes what is recorded of
	// those that are there. Seen ones are left out, and so are new ones beyond
	// the bound that a checkpoint sets itself. It becomes durable with the next
	// Commit or EndPass. Reset ends the quarantine of all messages of a mailbox
	// whose UIDVALIDITY is another one.
	Quarantine(messages []mail.Quarantined) error

	// Release ends the quarantine of messages that the server does not list any
	// more. It becomes durable with the next Commit or EndPass.
	Release(refs []mail.Ref) error

	// EndPass records how a pass ended; durable when it returns nil.
	EndPass(pass mail.Pass) error
}

// Manifest is an account's list of what the archive holds. It belongs to one
// pass at a time and may be used from several goroutines.
type Manifest interface {
	// Append records deliveries, one line each; rung 6, before the
	// checkpoint's Commit. They are durable when it returns nil.
	Append(deliveries []mail.Delivery) error

	// Scan calls fn for each delivery, in the order of the lines, and stops
	// at its first error. It is called only for a mailbox whose refs
	// changed or that the checkpoint does not know.
	Scan(fn func(mail.Delivery) error) error
}

// Observer is told how a pass goes. Its methods may be called from several
// goroutines and must return at once.
type Observer interface {
	// Planned says that a mailbox has n messages to fetch, of about so many bytes
	// in all; 0 bytes mean that nobody knows.
	Planned(box mail.MailboxName, n int, bytes int64)

	// Received says that n more bytes of bodies were read.
	Received(n int)

	// Delivered says that messages became durable and were committed.
	Delivered(box mail.MailboxName, messages int)

	// Done says how a mailbox ended.
	Done(result mail.MailboxResult)
}

// Opener is a source whose Open returns a session type of its own.
type Opener[S Session] interface {
	Open(ctx context.Context) (S, error)
	Limit() int
}

// NewSource makes a Source of an adapter, which does not know this package
// and so cannot name Session as what its Open returns.
func NewSource[S Session](o Opener[S]) Source { return opened[S]{o} }

type opened[S Session] struct{ Opener[S] }

func (o opened[S]) Open(ctx context.Context) (Session, error) {
	s, err := o.Opener.Open(ctx)
	if err != nil {
		return nil, err
	}
	return s, nil
}
