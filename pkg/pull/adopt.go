package pull

import (
	"crypto/sha256"
	"errors"
	"io"

	"mailpull/pkg/mail"
)

// adoptGroup is how many refs one commit of known messages takes.
const adoptGroup = 4096

// adopt takes out of fresh what the archive holds under its key. What the
// manifest lists was delivered whole, so it is committed without a look at
// the server. What only the disk has is left in fresh, to be fetched once
// more and compared: without the manifest's line nobody knows whether its
// line ends were changed, and a line must not be invented.
func (l *lane) adopt(v *visit, fresh mail.Refs, keys mail.KeySet) (mail.Refs, error) {
	var present []mail.Key
	for ref := range fresh.All {
		if key := mail.NewKey(l.Account, ref); keys.Contains(key) {
			present = append(present, key)
		}
	}
	if len(present) == 0 {
		return fresh, nil
	}
	v.present = mail.NewKeySet(present)

	listed, err := l.Manifest.Lookup(v.present)
	if err != nil {
		// A damaged manifest costs bandwidth, not messages.
		l.Log.Warn("manifest could not be read, comparing with the server instead", "err", err)
		return fresh, nil
	}
	if err := l.commitKnown(fresh, listed); err != nil {
		return fresh, err
	}
	l.Log.Info("found in the archive", "mailbox", string(v.box.Name), "messages", len(listed),
		"to_compare", len(v.present)-len(listed))
	return l.Checkpoint.New(fresh), nil
}

// commitKnown records the refs whose keys are listed.
func (l *lane) commitKnown(fresh mail.Refs, listed mail.KeySet) error {
	var group []mail.Ref
	for ref := range fresh.All {
		if !listed.Contains(mail.NewKey(l.Account, ref)) {
			continue
		}
		if group = append(group, ref); len(group) == adoptGroup {
			if err := l.Checkpoint.Commit(group); err != nil {
				return err
			}
			group = group[:0]
		}
	}
	if len(group) == 0 {
		return nil
	}
	return l.Checkpoint.Commit(group)
}

// comparePresent reads the archive's files of those deliveries whose keys are
// in place already and returns the keys whose bytes are not those of the wire.
// A file that a mail reader removed meanwhile counts as the same: it was
// delivered, and what a reader deletes is not fetched again.
func comparePresent(l *load, sealed map[mail.Key]mail.Delivery) (differ map[mail.Key]bool, err error) {
	wanted := make(map[*visit]map[mail.Key]mail.Form)
	for _, s := range l.settled {
		if !s.visit.present.Contains(s.key) {
			continue
		}
		if wanted[s.visit] == nil {
			wanted[s.visit] = make(map[mail.Key]mail.Form)
		}
		wanted[s.visit][s.key] = sealed[s.key].Form
	}
	differ = make(map[mail.Key]bool)
	for v, keys := range wanted {
		err := v.archive.Read(keys, func(key mail.Key, body io.Reader) error {
			h := sha256.New()
			n, err := io.Copy(h, body)
			d := sealed[key]
			differ[key] = n != d.Size || [sha256.Size]byte(h.Sum(nil)) != d.SHA256
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return differ, nil
}

// errDiffers says that a file is not what the server sends under its ref.
var errDiffers = errors.New("the archive's file differs from what the server sends; neither was changed")

// differ notes a message whose file is not what the server sends.
func (v *visit) differ(d mail.Delivery) {
	if v.differs != nil {
		return
	}
	v.differs = &mail.Error{
		Op: "pull", Mailbox: d.Item.Ref.Mailbox, UID: d.Item.Ref.UID, UIDL: d.Item.Ref.UIDL,
		Scope: mail.ScopeMessage, Retry: mail.RetryNever, Class: mail.ClassDisk, Err: errDiffers,
		Hint: "look at the file whose name holds " + d.Key.String() + "; move it out of the archive to have the message fetched again",
	}
}
