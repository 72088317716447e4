package pull

import (
	"crypto/sha256"
	"errors"
	"slices"

	"mailpull/pkg/mail"
)

// errNoValidity is what a mailbox without stable UIDs is refused for.
var errNoValidity = errors.New("the server gives it no UIDVALIDITY, so its messages cannot be told apart for ever")

// identify notices when a mailbox's refs no longer mean what they did: its
// UIDVALIDITY changed (RFC 9051 section 2.3.1.1), or a POP3 server made all
// unique-ids anew, as they do when a maildrop moves. The archive then keeps
// what it has, and each message that the server sends again under a new ref is
// matched by its hash: never a second copy, never a stop.
func (l *lane) identify(listing mail.Refs) error {
	if len(listing.UIDs) > 0 && listing.Validity == 0 {
		return &mail.Error{
			Op: "pull", Mailbox: listing.Mailbox, Scope: mail.ScopeMailbox, Retry: mail.RetryNever,
			Class: mail.ClassServer, Err: errNoValidity,
			Hint: "pull this account over POP3, if the server offers it",
		}
	}
	known, ok := l.Checkpoint.Known(listing.Mailbox)
	switch {
	case !ok || known.Seen == 0 && known.Validity == listing.Validity:
		return nil
	case known.Validity != listing.Validity:
		l.Log.Warn("uidvalidity changed, matching what the archive has by content",
			"mailbox", string(listing.Mailbox), "before", known.Validity, "now", listing.Validity)
	case len(listing.UIDLs) > 0 && !known.Matching && l.Checkpoint.New(listing).Len() == len(listing.UIDLs):
		l.Log.Warn("no unique-id is known any more, matching what the archive has by content",
			"mailbox", string(listing.Mailbox), "messages", len(listing.UIDLs))
	default:
		return nil
	}
	return l.Checkpoint.Reset(listing.Mailbox, listing.Validity)
}

// former are the keys of archived messages by the hash of their bytes. Equal
// messages have a key each.
type former map[[sha256.Size]byte][]mail.Key

// take returns the key under which the archive holds the bytes of d, at most
// once for each file.
func (f former) take(d mail.Delivery) (mail.Key, bool) {
	keys := f[d.SHA256]
	if len(keys) == 0 {
		return mail.Key{}, false
	}
	f[d.SHA256] = keys[1:]
	return keys[0], true
}

// findFormer collects the messages of a mailbox that the archive holds under
// refs which the server does not list. It looks only while a mailbox is being
// matched, and in one whose checkpoint is gone.
func (l *lane) findFormer(v *visit, keys mail.KeySet) error {
	known, ok := l.Checkpoint.Known(v.box.Name)
	if ok && !known.Matching {
		return nil
	}
	var current []mail.Key
	for ref := range v.listing.All {
		current = append(current, mail.NewKey(l.Account, ref))
	}
	listed := mail.NewKeySet(current)
	if !slices.ContainsFunc(keys, func(k mail.Key) bool { return !listed.Contains(k) }) {
		return nil
	}

	// A message that was matched before has a line for each of its keys, but
	// its file has only the last one, which keys tells.
	found := make(former)
	err := l.Manifest.Scan(func(d mail.Delivery) error {
		if d.Item.Ref.Mailbox == v.box.Name && keys.Contains(d.Key) && !listed.Contains(d.Key) {
			found[d.SHA256] = append(found[d.SHA256], d.Key)
		}
		return nil
	})
	if err != nil && !ok {
		// Both state files are gone or damaged. What the archive has under the
		// refs of today is found all the same.
		l.Log.Warn("manifest could not be read, former messages are not matched", "err", err)
		return nil
	}
	if err != nil {
		// Going on would store every message a second time.
		return &mail.Error{
			Op: "pull", Mailbox: v.box.Name, Scope: mail.ScopeMailbox, Class: mail.ClassDisk, Err: err,
			Hint: "the mailbox's messages have new numbers, and the manifest that would tell which are in the archive already cannot be read",
		}
	}
	v.former = found
	return nil
}
