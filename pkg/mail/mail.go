// Package mail holds the words that every part of mailpull shares: mailboxes,
// refs, items, keys and the one error type. It does no I/O and knows no
// protocol, so that a source, a store and a checkpoint can speak of the same
// message without knowing each other.
package mail

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// UID is an IMAP unique identifier (RFC 9051 section 2.3.1.1). Zero means
// that there is none.
type UID uint32

// UIDValidity tells one incarnation of a mailbox from another (RFC 9051
// section 2.3.1.1). Zero means that the server named none; POP3 has none.
type UIDValidity uint32

// UIDL is a POP3 unique-id (RFC 1939 section 7). Empty means that there is
// none.
type UIDL string

// Inbox is the one mailbox that every source has. A POP3 maildrop has no
// other.
const Inbox MailboxName = "INBOX"

// MailboxName names a mailbox for ever: in refs, keys, checkpoints and on the
// screen. It is the server's name decoded to UTF-8, with the server's own
// hierarchy delimiter. A name that does not decode to something that encodes
// back to the same bytes is kept as the bytes of the wire behind U+FFFD, which
// no decoded name begins with: so two names of a server never become one.
type MailboxName string

// Shown returns the name for an error or a log, where a long one is cut: a
// server may call a mailbox what it likes, and a line must stay one that can
// be read.
func (n MailboxName) Shown() string { return shorten(string(n)) }

// maxShown is how many bytes of a name are shown, counted as they stand in
// quotes.
const maxShown = 200

// shorten cuts a name that is longer than maxShown in quotes, and marks it as
// not whole.
func shorten(name string) string {
	const mark = "..."
	quoted, fits := 0, 0
	for i := 0; i < len(name); {
		_, size := utf8.DecodeRuneInString(name[i:])
		if quoted += len(strconv.Quote(name[i:i+size])) - len(`""`); quoted > maxShown {
			return name[:fits] + mark
		}
		if i += size; quoted <= maxShown-len(mark) {
			fits = i
		}
	}
	return name
}

// Mailbox is one entry of a source's list of mailboxes.
type Mailbox struct {
	// Name is what mailpull calls it.
	Name MailboxName

	// Wire is the name exactly as the server wrote it, without quotes. It is
	// what commands carry.
	Wire string

	// Delimiter parts the levels of Name; zero means a flat name.
	Delimiter rune

	// Use holds the special-use words (RFC 6154), such as \Sent.
	Use []string

	// NoSelect is set for a name that holds other mailboxes but no messages.
	NoSelect bool

	// Status is what the server told together with the list, or nil.
	Status *Status

	// Since is set for a Select that need not list what stood in the mailbox
	// at that status. A session that leaves it out says so in Refs.Rest; none
	// has to.
	Since *Status
}

// Path returns the levels of the mailbox's name, at least one, none of them
// cleaned: a level can be empty, "..", or hold any byte.
func (m Mailbox) Path() []string {
	if m.Delimiter == 0 {
		return []string{string(m.Name)}
	}
	return strings.Split(string(m.Name), string(m.Delimiter))
}

// Status is a mailbox's state as the server tells it, without listing it.
type Status struct {
	// Validity is 0 where the server has no stable UIDs.
	Validity UIDValidity

	// UIDNext is the UID that the next new message will have, 0 if unknown.
	UIDNext UID

	// Messages is how many messages there are.
	Messages int

	// ModSeq is HIGHESTMODSEQ (RFC 7162), 0 if unknown.
	ModSeq uint64

	// Size is the sum of all message sizes in bytes, -1 if unknown.
	Size int64

	// Mark is a hash of some messages' unique-ids and places, by which the
	// source knows the mailbox again; 0 where that makes no sense.
	Mark uint64
}

// MeanSize returns how many bytes the messages have on average, 0 where the
// server did not tell or s is nil.
func (s *Status) MeanSize() float64 {
	if s == nil || s.Messages <= 0 || s.Size <= 0 {
		return 0
	}
	return float64(s.Size) / float64(s.Messages)
}

// Ref names one message for ever: by mailbox, UIDVALIDITY and UID, or by
// UIDL.
type Ref struct {
	Mailbox  MailboxName
	Validity UIDValidity
	UID      UID
	UIDL     UIDL
}

// Refs is a set of refs of one mailbox. Either UIDs or UIDLs is used, never
// both; UIDLs stand in the server's order and hold no duplicates.
type Refs struct {
	Mailbox  MailboxName
	Validity UIDValidity
	UIDs     UIDSet
	UIDLs    []UIDL

	// Rest is how many messages of the mailbox a listing leaves out, because
	// they stood there before; see Mailbox.Since.
	Rest int
}

// Total returns how many messages the mailbox has by a listing.
func (r Refs) Total() int { return r.Rest + r.Len() }

// Len returns the number of refs in the set.
func (r Refs) Len() int { return r.UIDs.Len() + len(r.UIDLs) }

// All calls yield for each ref, in ascending or server order, until it
// returns false.
func (r Refs) All(yield func(Ref) bool) {
	for uid := range r.UIDs.All {
		if !yield(Ref{Mailbox: r.Mailbox, Validity: r.Validity, UID: uid}) {
			return
		}
	}
	for _, uidl := range r.UIDLs {
		if !yield(Ref{Mailbox: r.Mailbox, Validity: r.Validity, UIDL: uidl}) {
			return
		}
	}
}

// Cut returns the first n refs of the set and the rest.
func (r Refs) Cut(n int) (head, tail Refs) {
	head, tail = r, r
	head.UIDs, tail.UIDs = r.UIDs.Cut(n)
	n = min(n-head.UIDs.Len(), len(r.UIDLs))
	head.UIDLs, tail.UIDLs = r.UIDLs[:n:n], r.UIDLs[n:]
	return head, tail
}

// Item is what a source tells about a message besides its body.
type Item struct {
	Ref Ref

	// Flags are the IMAP flags, such as \Seen; nil where the source has none.
	Flags []string

	// Date is INTERNALDATE, or zero where the source has none.
	Date time.Time
}

// HasFlag reports whether the item carries the flag, in any case (RFC 9051
// section 2.3.2).
func (it Item) HasFlag(flag string) bool {
	for _, f := range it.Flags {
		if strings.EqualFold(f, flag) {
			return true
		}
	}
	return false
}

// Form says how the bytes of the wire are kept in the archive's file.
type Form byte

// The two forms. In FormLF every line of the wire ended in CRLF and the file
// has LF instead, so the wire's bytes are the file's with each LF made CRLF.
// In FormWire the file is the wire's bytes.
const (
	FormLF   Form = 'L'
	FormWire Form = 'W'
)

// String returns "lf" or "wire", the words of the manifest.
func (f Form) String() string {
	if f == FormLF {
		return "lf"
	}
	return "wire"
}

// Delivery is one message that the archive holds.
type Delivery struct {
	Item Item
	Key  Key

	// Size and SHA256 are of the bytes of the wire, whatever the form.
	Size   int64
	SHA256 [32]byte
	Form   Form

	// MessageID is the Message-ID header's value with its angle brackets, cut
	// to a bounded length, or empty. It is a hint and never an identity.
	MessageID string
}
