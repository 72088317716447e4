package pull

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"

	"mailpull/pkg/mail"
)

// errNoValidity is what a mailbox without stable UIDs is refused for.
var errNoValidity = errors.New("the server gives it no UIDVALIDITY, so its messages cannot be told apart for ever")

// identify notices when a mailbox's refs no longer mean what they did: its
// UIDVALIDITY changed (RFC 9051 section 2.3.1.1), or a POP3 server made
// unique-ids anew, as they do when a maildrop moves. The archive then keeps
// what it has, and each message that the server sends again under a new ref is
// matched by its hash: never a second copy, never a stop.
func (l *lane) identify(listing mail.Refs) error {
	if err := l.refuseUnstable(listing); err != nil {
		return err
	}
	known, ok := l.Checkpoint.Known(listing.Mailbox)
	switch {
	case !ok || known.Seen == 0 && known.Validity == listing.Validity:
		return nil
	case known.Validity != listing.Validity:
		l.Log.Warn("uidvalidity changed, matching what the archive has by content",
			"mailbox", listing.Mailbox.Shown(), "before", known.Validity, "now", listing.Validity)
		l.mu.Lock()
		l.result.Renumbered++
		l.mu.Unlock()
	case len(listing.UIDLs) == 0 || known.Matching || !l.replaced(listing, known.Listed):
		return nil
	}
	return l.Checkpoint.Reset(listing.Mailbox, listing.Validity)
}

// refuseUnstable returns why a mailbox without stable UIDs is not pulled, or nil.
func (p *pass) refuseUnstable(listing mail.Refs) error {
	known, _ := p.Checkpoint.Known(listing.Mailbox)
	if listing.Validity != 0 || len(listing.UIDs) == 0 && known.Validity == 0 {
		return nil
	}
	return &mail.Error{
		Op: "pull", Mailbox: listing.Mailbox, Scope: mail.ScopeMailbox, Retry: mail.RetryNever,
		Class: mail.ClassServer, Err: errNoValidity,
		Hint: "leave the mailbox out with exclude below mailboxes, or ask whoever runs the server; INBOX may be had over POP3",
	}
}

// replaced reports whether unique-ids that the server listed at the last
// complete pass are gone and others are new. Nearly always some messages were
// removed and others came; that the same messages got other unique-ids looks no
// different, and is seen by their content.
func (l *lane) replaced(listing mail.Refs, listedBefore int) bool {
	fresh := l.Checkpoint.New(listing).Len() - len(l.listedHeld(listing)) // one in quarantine is known too
	switch known := listing.Total() - fresh; {
	case fresh == 0 || known > 0 && known >= listedBefore:
		return false
	case known == 0:
		l.Log.Warn("no unique-id is known any more, matching what the archive has by content",
			"mailbox", listing.Mailbox.Shown(), "messages", fresh)
	default:
		l.Log.Debug("unique-ids are gone and others are new, matching the new ones by content",
			"mailbox", listing.Mailbox.Shown(), "messages", fresh)
	}
	return true
}

// former are the keys of archived messages by the hash of their bytes. Equal
// messages have a key each, and a file whose form nobody knows stands under the
// hashes of both.
type former struct {
	keys  map[[sha256.Size]byte][]mail.Key
	taken map[mail.Key]bool
}

func (f *former) add(sum [sha256.Size]byte, key mail.Key) {
	if f.keys == nil {
		f.keys = make(map[[sha256.Size]byte][]mail.Key)
		f.taken = make(map[mail.Key]bool)
	}
	f.keys[sum] = append(f.keys[sum], key)
}

// take returns the key under which the archive holds the bytes of d, at most
// once for each file.
func (f *former) take(d mail.Delivery) (mail.Key, bool) {
	for _, key := range f.keys[d.SHA256] {
		if !f.taken[key] {
			f.taken[key] = true
			return key, true
		}
	}
	return mail.Key{}, false
}

// findFormer collects the messages of a mailbox that the archive holds under
// refs which the server does not list. It looks only while a mailbox is being
// matched, as one is whose checkpoint is gone.
//
// The manifest has their hashes. Where it has not, because it is gone or
// damaged, the files are read: it must not depend on a second file that
// nothing is stored twice.
func (l *lane) findFormer(v *visit) error {
	if known, _ := l.Checkpoint.Known(v.box.Name); !known.Matching {
		return nil
	}
	old, err := l.unlisted(v)
	if err != nil || len(old) == 0 {
		return err
	}
	found := make([]bool, len(old))
	err = l.Manifest.Scan(func(d mail.Delivery) error {
		if d.Item.Ref.Mailbox != v.box.Name {
			return nil
		}
		if i, ok := old.Index(d.Key); ok && !found[i] {
			found[i] = true
			v.former.add(d.SHA256, d.Key)
		}
		return nil
	})
	if err != nil {
		l.Log.Warn("manifest could not be read, reading the archive instead", "mailbox", v.box.Name.Shown(), "err", err)
	}
	unknown := make(map[mail.Key]mail.Form)
	for i, key := range old {
		if !found[i] {
			unknown[key] = mail.FormWire
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return v.archive.Read(unknown, func(key mail.Key, file io.Reader) error {
		if err := v.former.read(key, file); err != nil {
			l.Log.Warn("a file of the archive could not be read", "mailbox", v.box.Name.Shown(), "key", key.String(), "err", err)
		}
		return context.Cause(l.ctx)
	})
}

// unlisted returns those keys of the archive that belong to no ref of the
// listing. It takes the keys part by part, so that its memory is bounded whatever
// the archive holds of what the server lists, and by the archive, whatever a
// server lists.
func (l *lane) unlisted(v *visit) (mail.KeySet, error) {
	held, err := count(v.archive)
	if err != nil || held == 0 {
		return nil, err
	}
	var old mail.KeySet
	parts := held/keysAtOnce + 1
	for part := range parts {
		keys, err := v.archive.Keys(func(key mail.Key) bool { return key.Part(parts) == part })
		if err != nil {
			return nil, err
		}
		listed := make([]bool, len(keys))
		for ref := range v.listing.All {
			key := mail.NewKey(l.Account, ref)
			if key.Part(parts) != part {
				continue
			}
			if i, ok := keys.Index(key); ok {
				listed[i] = true
			}
			if err := context.Cause(l.ctx); err != nil {
				return nil, err
			}
		}
		for i, key := range keys {
			if !listed[i] {
				old = append(old, key)
			}
		}
	}
	return old, nil // in order, because the parts are
}

// read adds a file under the hashes of what it may have been on the wire: its
// bytes as they are, and with each LF made CRLF.
func (f *former) read(key mail.Key, file io.Reader) error {
	asWire, asLF := sha256.New(), sha256.New()
	in := bufio.NewReader(file)
	for {
		line, err := in.ReadSlice('\n')
		asWire.Write(line)
		if text, ended := bytes.CutSuffix(line, []byte("\n")); ended {
			asLF.Write(text)
			asLF.Write([]byte("\r\n"))
		} else {
			asLF.Write(line)
		}
		switch {
		case err == nil, errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			wire, lf := [sha256.Size]byte(asWire.Sum(nil)), [sha256.Size]byte(asLF.Sum(nil))
			f.add(wire, key)
			if lf != wire {
				f.add(lf, key)
			}
			return nil
		default:
			return err
		}
	}
}
