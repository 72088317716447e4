package pull

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"

	"mailpull/pkg/mail"
)

// adoptGroup is how many refs one commit of known messages takes.
const adoptGroup = 4096

// keysAtOnce is how many keys of a mailbox are held in memory, 2 MB. A larger
// archive is read several times.
const keysAtOnce = 1 << 17

// adopt takes out of fresh what was delivered before.
//
// What the manifest lists was delivered whole, so it is committed without a
// look at the server, also when its file is gone by now: what a mail reader
// deletes or files elsewhere is not fetched again. It is asked only for a mailbox
// that the checkpoint does not know.
//
// What only the disk has, because a crash fell between rungs 4 and 6 or the
// manifest is gone too, is left in fresh, to be fetched once more and compared:
// without the manifest's line nobody knows whether its line ends were changed,
// and a line must not be invented.
func (l *lane) adopt(v *visit, fresh mail.Refs) (mail.Refs, error) {
	adopted, mayHold := 0, true
	if _, known := l.Checkpoint.Known(v.box.Name); !known {
		held, err := count(v.archive)
		if err != nil {
			return fresh, err
		}
		mayHold = held > 0 // a new mailbox's folder was read, and need not be again
		v.forgotten = mayHold
		if adopted, err = l.commitListed(v, fresh, l.listed()); err != nil {
			return fresh, err
		}
		if adopted > 0 {
			fresh = l.Checkpoint.New(fresh)
		}
	}
	present := 0
	var err error
	if mayHold {
		present, err = l.findPresent(v, fresh)
	}
	if adopted+present > 0 {
		l.Log.Info("known from before", "mailbox", v.box.Name.Shown(), "messages", adopted, "to_compare", present)
	}
	return fresh, err
}

// count returns how many messages the archive holds of a mailbox, or a few more:
// one that a mail reader moves meanwhile can be counted twice.
func count(archive mail.Box) (n int, err error) {
	_, err = archive.Keys(func(mail.Key) bool { n++; return false })
	return n, err
}

// commitListed commits those refs that are in the manifest and returns how many
// they are.
func (l *lane) commitListed(v *visit, refs mail.Refs, listed *refSet) (adopted int, err error) {
	var group []mail.Ref
	for ref := range refs.All {
		if !listed.contains(ref) {
			continue
		}
		adopted++
		if group = append(group, ref); len(group) < adoptGroup {
			continue
		}
		if err := l.commitGroup(v, &group); err != nil {
			return adopted, err
		}
	}
	return adopted, l.commitGroup(v, &group)
}

// findPresent notes which of the refs have a file in the archive and returns how
// many they are.
func (l *lane) findPresent(v *visit, refs mail.Refs) (present int, err error) {
	v.present.account = l.Account
	defer v.present.settle()
	for refs.Len() > 0 {
		var group mail.Refs
		group, refs = refs.Cut(keysAtOnce)
		keys := make([]mail.Key, 0, group.Len())
		for ref := range group.All {
			keys = append(keys, mail.NewKey(l.Account, ref))
		}
		wanted, held := mail.NewKeySet(keys), 0
		found, err := v.archive.Keys(func(key mail.Key) bool { held++; return wanted.Contains(key) })
		if err != nil || held == 0 {
			return present, err
		}
		if present += len(found); len(found) > 0 {
			for ref := range group.All {
				if found.Contains(mail.NewKey(l.Account, ref)) {
					v.present.add(ref)
				}
			}
		}
		if err := context.Cause(l.ctx); err != nil {
			return present, err
		}
	}
	return present, nil
}

// commitGroup commits refs that are known from before and empties the group.
// It is where a long listing notices that the pass was cancelled.
//
// A mailbox that the checkpoint forgot is known to it from the first commit on.
// So it is noted with that as one that is being matched: whoever opens it later,
// because the connection was lost or the process killed, has to go on matching.
func (l *lane) commitGroup(v *visit, group *[]mail.Ref) error {
	if err := context.Cause(l.ctx); err != nil {
		return err
	}
	if v.forgotten {
		if err := l.Checkpoint.Reset(v.box.Name, v.listing.Validity); err != nil {
			return err
		}
		v.forgotten = false
	}
	if len(*group) == 0 {
		return nil
	}
	err := l.Checkpoint.Commit(*group)
	*group = (*group)[:0]
	return err
}

// listed returns the refs that the manifest had when a lane first asked. What
// this pass delivers is not among them, and is in the checkpoint.
func (p *pass) listed() *refSet {
	p.askManifest.Do(func() {
		listed := &refSet{account: p.Account}
		err := p.Manifest.Scan(func(d mail.Delivery) error {
			listed.add(d.Item.Ref)
			return nil
		})
		if err != nil {
			// A damaged manifest costs bandwidth, not messages.
			p.Log.Warn("manifest could not be read, comparing with the server instead", "err", err)
			listed = &refSet{}
		}
		listed.settle()
		p.inManifest = listed
	})
	return p.inManifest
}

// comparePresent reads the archive's files of those deliveries whose keys are
// in place already and returns why the others are not known to be the same:
// errDiffers, or that the file cannot be read. A file that a mail reader removed
// meanwhile counts as the same: it was delivered, and what a reader deletes is
// not fetched again.
func comparePresent(l *load, sealed map[mail.Key]mail.Delivery) (differ map[mail.Key]error, err error) {
	wanted := make(map[*visit]map[mail.Key]mail.Form)
	for _, s := range l.settled {
		if !s.visit.present.contains(s.item.Ref) {
			continue
		}
		if wanted[s.visit] == nil {
			wanted[s.visit] = make(map[mail.Key]mail.Form)
		}
		wanted[s.visit][s.key] = sealed[s.key].Form
	}
	differ = make(map[mail.Key]error)
	buf := make([]byte, 32<<10)
	for v, keys := range wanted {
		err := v.archive.Read(keys, func(key mail.Key, body io.Reader) error {
			// It stops nothing but its message.
			if err := compare(body, sealed[key], buf); err != nil {
				differ[key] = err
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return differ, nil
}

// compare reads a file of the archive, through buf, and says how it differs from
// a delivery.
func compare(file io.Reader, d mail.Delivery, buf []byte) error {
	h := sha256.New()
	n, err := io.CopyBuffer(h, file, buf)
	if err == nil && (n != d.Size || [sha256.Size]byte(h.Sum(nil)) != d.SHA256) {
		err = errDiffers
	}
	return err
}

// errDiffers says that a file is not what the server sends under its ref.
var errDiffers = errors.New("the archive's file differs from what the server sends; neither was changed")

// differ notes a message whose file is not known to be what the server sends.
// It is not asked for again in this pass. A file that differs will do so for
// ever; one that could not be read is this machine's fault, and the next pass
// looks again.
func (p *pass) differ(d mail.Delivery, why error) {
	err := &mail.Error{
		Op: "pull", Mailbox: d.Item.Ref.Mailbox, UID: d.Item.Ref.UID, UIDL: d.Item.Ref.UIDL,
		Scope: mail.ScopeMessage, Class: mail.ClassDisk, Err: why,
	}
	if errors.Is(why, errDiffers) {
		err.Retry = mail.RetryNever
		err.Hint = "look at the file whose name holds " + d.Key.String() + "; to have the message fetched again, move the file out of the archive and run: mailpull quarantine retry " + p.Account + " " + d.Key.String()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures.set(d.Item.Ref, failure{times: maxTries, first: err})
	p.whole-- // it came whole, and still counts among those that failed
	p.wholeIn[d.Item.Ref.Mailbox]--
}
