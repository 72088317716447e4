package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/record"
)

const (
	// fileName is the checkpoint's name in its directory.
	fileName = "checkpoint"

	// tempName is where the file is folded into. What an interrupted fold
	// left there is removed by the next Open.
	tempName = "checkpoint.tmp"
)

// maxName bounds the bytes of a mailbox's name and of a UIDL. RFC 1939 allows
// 70 for a UIDL, and a mailbox's name comes in one line.
const maxName = 16 << 10

// Options says which checkpoint to open.
type Options struct {
	// Dir is the account's state directory. It stays the caller's to close,
	// and the caller holds the account's lock as long as the File is open.
	Dir durable.Dir

	// Account and Source are written to the file's first line; a file with
	// others is refused. Source is a word such as "imap" or "pop3".
	Account string
	Source  string

	// Log is told of what was dropped. Nil means silence.
	Log *slog.Logger
}

// File is an open checkpoint. It keeps what is seen in memory, UIDs as
// ranges. It may be used from several goroutines; a call that writes holds
// the others up until it is durable.
//
// After the first error in writing or flushing every call that returns an
// error returns that one, and nothing more is written: the kernel may have
// dropped what it could not write and say yes to the next flush. The next
// Open reads what there is.
type File struct {
	dir  durable.Dir
	head header
	log  *slog.Logger

	mu    sync.Mutex
	file  durable.File
	state *state

	// size is how much of the file is durable, folded where its first group
	// ends, seq the number of its last group.
	size, folded int64
	seq          uint64

	// pending is the text of records that are in state and not in the file.
	pending []byte

	// err is why the file is dead, or nil.
	err error
}

// Open opens the account's checkpoint and makes an empty one where there is
// none. An unfinished group at the end is cut off, with a log line. The
// file's name is durable when Open returns.
//
// The error is a *mail.Error of class disk; errors.Is finds ErrDamaged,
// ErrVersion and ErrMismatch in it, or the file system's error.
func Open(o Options) (*File, error) {
	f := &File{dir: o.Dir, head: header{o.Account, o.Source}, log: o.Log, state: newState()}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	if err := f.open(); err != nil {
		if f.file != nil {
			_ = f.file.Close() // nothing was written that a close could lose
		}
		return nil, f.failure(err)
	}
	return f, nil
}

func (f *File) open() error {
	if err := f.dir.Remove(tempName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	size, err := f.length()
	if err != nil {
		return err
	}
	if size == 0 {
		return f.fold()
	}
	if f.file, err = f.dir.Append(fileName); err != nil {
		return err
	}
	edited, err := f.read(size)
	if err != nil {
		return err
	}
	// A process that was killed between the rename and this flush may have
	// left a name that a power cut would take back, and one that was killed
	// between writing a group and flushing it a group that is not durable yet
	// and is now believed.
	if err := f.file.Sync(); err != nil {
		return err
	}
	if err := f.dir.Sync(); err != nil {
		return err
	}
	if edited {
		return f.fold()
	}
	return f.foldIfDue()
}

// length returns the file's size, 0 when there is none. An empty file says as
// little as a missing one; it is made anew rather than refused, because a
// missing checkpoint is no danger.
func (f *File) length() (int64, error) {
	file, err := f.dir.Open(fileName)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close() // it was only read
	size, err := file.Size()
	if err == nil && size == 0 {
		f.log.Warn("checkpoint was empty", "path", f.path())
	}
	return size, err
}

// read loads the file and cuts off what an interrupted append left.
func (f *File) read(size int64) (edited bool, err error) {
	loaded, found, err := load(f.file, size)
	if err != nil {
		return false, err
	}
	if err := f.head.check(found.header); err != nil {
		if !f.head.mayReplace(found.header, loaded) {
			return false, err
		}
		return true, nil
	}
	f.state, f.size, f.folded, f.seq = loaded, found.good, found.folded, found.seq
	if found.good == size {
		return found.edited, nil
	}
	f.log.Info("checkpoint lost an unfinished group",
		"path", f.path(), "line", found.next, "bytes", size-found.good)
	if err := f.file.Truncate(found.good); err != nil {
		return false, err
	}
	return found.edited, f.file.Sync()
}

// check refuses the header of another account's file.
func (h header) check(found header) error {
	if err := record.CheckAccount(found.account, h.account); err != nil {
		return err
	}
	return record.CheckSource(found.source, h.source)
}

// mayReplace reports whether a file of another source says so little that it
// is written anew: who tries IMAP, is refused, and goes on with POP3 has lost
// nothing.
func (h header) mayReplace(found header, loaded *state) bool {
	return found.account == h.account && loaded.delivered() == 0
}

// Known returns what is recorded for a mailbox; ok is false when the mailbox
// was never seen. Listed and Excluded stay known after something was added.
func (f *File) Known(name mail.MailboxName) (known mail.Known, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.state.byName[name]
	if b == nil {
		return mail.Known{}, false
	}
	known = mail.Known{Validity: b.validity, Seen: b.seenCount(), Listed: b.listed, Excluded: b.excluded, Matching: b.matching, Order: b.order}
	if b.complete {
		status := b.status
		status.Validity = b.validity
		known.Complete = &status
	}
	return known, true
}

// Delivered returns how many messages are recorded as delivered, in all
// mailboxes.
func (f *File) Delivered() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state.delivered()
}

// Passes returns those of the last passes that are remembered, in the order in
// which they ended: the last, the last complete and the last failed one.
func (f *File) Passes() []mail.Pass {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.state.passes)
}

// New returns the refs of the listing that are not recorded as seen: all of
// them when the mailbox is new, or when the listing has another UIDVALIDITY
// than the record, for then nothing recorded speaks of it.
func (f *File) New(listing mail.Refs) mail.Refs {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.state.byName[listing.Mailbox]
	if b == nil || b.validity != listing.Validity {
		return listing
	}
	b.settle()
	fresh := mail.Refs{Mailbox: listing.Mailbox, Validity: listing.Validity}
	fresh.UIDs = listing.UIDs.Minus(b.seen)
	for _, uidl := range listing.UIDLs {
		if _, seen := b.uidls[uidl]; !seen {
			fresh.UIDLs = append(fresh.UIDLs, uidl)
		}
	}
	return fresh
}

// FirstSeen returns when a UIDL was first committed, to the second; ok is
// false when it never was.
func (f *File) FirstSeen(name mail.MailboxName, uidl mail.UIDL) (first time.Time, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.state.byName[name]
	if b == nil {
		return time.Time{}, false
	}
	seconds, ok := b.uidls[uidl]
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0), true
}

// Commit records deliveries as seen, together with what Complete and Reset
// left to be written; durable when it returns nil. Refs that are seen already
// cost nothing. The first Commit of a UIDL is its first sight.
//
// A ref that no listing can hold (no UID and no UIDL, another UIDVALIDITY
// than its mailbox's) is a *mail.Error of ScopeMailbox, and nothing is
// recorded.
func (f *File) Commit(refs []mail.Ref) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	records, err := f.plan(refs)
	if err != nil {
		return err
	}
	return f.write(records)
}

// Complete records that nothing is missing from a mailbox at the given
// status but what was left out on purpose. Known tells it at once; it is durable with the next Commit or
// EndPass. A status with another UIDVALIDITY than the record is refused with
// a *mail.Error of ScopeMailbox.
func (f *File) Complete(name mail.MailboxName, status mail.Status, listed int, excluded mail.Excluded) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	b, err := f.box(name, status.Validity)
	if err != nil {
		return err
	}
	status.Validity, status.Mark = 0, 0 // they stand in other records
	status.Messages, listed = max(status.Messages, 0), max(listed, 0)
	r := completeRecord{b.number, status, listed, leftOut(excluded)}
	if b.complete && b.status == status && b.listed == listed && b.excluded == r.excluded {
		return nil
	}
	f.note(r)
	return nil
}

// Order records how far a POP3 server's order can be relied on. Known tells it
// at once; it is durable with the next Commit or EndPass.
func (f *File) Order(name mail.MailboxName, order mail.Order) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	b, err := f.box(name, 0)
	if err != nil {
		return err
	}
	order.Whole = time.Unix(order.Whole.Unix(), 0) // as it is read back
	if b.order != order {
		f.note(orderRecord{b.number, order})
	}
	return nil
}

// Reset notes a mailbox's UIDVALIDITY, and that messages are being matched
// until Complete. What was seen is forgotten, unless the UIDVALIDITY is the one
// that it was. Known tells it at once; it is durable with the next Commit or
// EndPass.
func (f *File) Reset(name mail.MailboxName, validity mail.UIDValidity) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	was := validity
	if b := f.state.byName[name]; b != nil {
		was = b.validity
	}
	b, err := f.box(name, was)
	if err != nil {
		return err
	}
	f.note(resetRecord{b.number, validity, was})
	return nil
}

// EndPass records how a pass ended, together with what Complete and Reset
// left to be written; durable when it returns nil.
func (f *File) EndPass(pass mail.Pass) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	if err := f.write([]change{passRecord{bounded(pass)}}); err != nil {
		return err
	}
	if err := f.foldIfDue(); err != nil {
		return f.die(err)
	}
	return nil
}

// Close lets go of the file. What Complete and Reset left to be written is
// forgotten. Every later call returns an error.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	if f.err == nil {
		f.err = f.failure(errClosed)
	}
	if err != nil {
		return f.failure(err)
	}
	return nil
}

// die makes err the answer to every later call.
func (f *File) die(err error) error {
	f.err = f.failure(err)
	return f.err
}

func (f *File) failure(err error) error { return failure(f.head.account, f.path(), err) }

func (f *File) path() string { return filepath.Join(f.dir.Path(), fileName) }

// refuse is the error for what cannot be recorded of a mailbox.
func (f *File) refuse(name mail.MailboxName, format string, args ...any) error {
	return &mail.Error{
		Op:      fmt.Sprintf("checkpoint %q: commit", f.head.account),
		Mailbox: mail.MailboxName(record.Clip(string(name))),
		Scope:   mail.ScopeMailbox,
		Class:   mail.ClassLocal,
		Err:     fmt.Errorf(format, args...),
	}
}
