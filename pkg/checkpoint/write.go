package checkpoint

import (
	"slices"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/record"
)

// batch is what one Commit adds to one mailbox.
type batch struct {
	box    *box
	ranges []mail.UIDRange
	uidls  []mail.UIDL
}

// plan turns refs into the records of those that are not seen yet.
func (f *File) plan(refs []mail.Ref) ([]change, error) {
	var batches []*batch
	for _, ref := range refs {
		b, err := f.batch(&batches, ref)
		if err != nil {
			return nil, err
		}
		if ref.UID != 0 {
			b.ranges = append(b.ranges, mail.UIDRange{Lo: ref.UID, Hi: ref.UID})
			continue
		}
		b.uidls = append(b.uidls, ref.UIDL)
	}
	now := time.Now().Unix()
	var records []change
	for _, b := range batches {
		records = b.records(records, now)
	}
	return records, nil
}

// batch finds the batch of a ref's mailbox. A batch of refs is nearly always
// of one mailbox, and never of many.
func (f *File) batch(batches *[]*batch, ref mail.Ref) (*batch, error) {
	if err := f.checkRef(ref); err != nil {
		return nil, err
	}
	same := func(b *batch) bool { return b.box.name == ref.Mailbox && b.box.validity == ref.Validity }
	if i := slices.IndexFunc(*batches, same); i >= 0 {
		return (*batches)[i], nil
	}
	known, err := f.box(ref.Mailbox, ref.Validity)
	if err != nil {
		return nil, err
	}
	b := &batch{box: known}
	*batches = append(*batches, b)
	return b, nil
}

// records appends the records of what the batch adds.
func (b *batch) records(records []change, now int64) []change {
	b.box.settle()
	added := mail.NewUIDSet(b.ranges).Minus(b.box.seen)
	for uids := range slices.Chunk(added, rangesPerLine) {
		records = append(records, seenRecord{b.box.number, uids})
	}
	slices.Sort(b.uidls) // so that doubles stand side by side
	for _, uidl := range slices.Compact(b.uidls) {
		if _, seen := b.box.uidls[uidl]; !seen {
			records = append(records, uidlRecord{b.box.number, now, uidl})
		}
	}
	return records
}

// box returns a mailbox, and gives it a number when it has none yet.
func (f *File) box(name mail.MailboxName, validity mail.UIDValidity) (*box, error) {
	b := f.state.byName[name]
	if b == nil {
		if len(name) > maxName {
			return nil, f.refuse(name, "the name has %d bytes, %d are the limit", len(name), maxName)
		}
		f.note(mailboxRecord{f.state.nextNumber(), name, validity})
		b = f.state.byName[name]
	}
	if b.validity != validity {
		return nil, f.refuse(name, "uidvalidity %d, recorded is %d", validity, b.validity)
	}
	return b, nil
}

// note applies a record that the next group will hold.
func (f *File) note(r change) {
	f.pending = line(f.pending, r)
	f.apply(r)
}

// apply changes the state by a record of our own making, which always fits.
func (f *File) apply(r change) {
	if err := r.apply(f.state); err != nil {
		panic("checkpoint: own record does not apply: " + err.Error())
	}
}

// write makes a group of what is pending and of the records, flushes it, and
// only then applies the records: memory never claims more than the disk.
func (f *File) write(records []change) error {
	if len(records) == 0 && len(f.pending) == 0 {
		return nil
	}
	group := f.pending
	for _, r := range records {
		group = line(group, r)
	}
	group = commitLine(group, f.seq+1)
	if err := record.Append(f.file, f.size, group); err != nil {
		return f.die(err)
	}
	f.seq++
	f.size += int64(len(group))
	f.pending = nil
	for _, r := range records {
		f.apply(r)
	}
	return nil
}

// leftOut returns what was excluded as it is read again.
func leftOut(e mail.Excluded) mail.Excluded {
	if e.Messages <= 0 {
		return mail.Excluded{}
	}
	e.Since = e.Since.UTC()
	return e
}

// bounded returns the pass with texts that fit into a line and numbers that
// can be read again.
func bounded(p mail.Pass) mail.Pass {
	const limit = 1 << 10
	p.Start, p.End = p.Start.UTC(), p.End.UTC()
	p.New, p.Missing, p.Quarantined = max(p.New, 0), max(p.Missing, 0), max(p.Quarantined, 0)
	p.MissingBytes = max(p.MissingBytes, 0)
	p.Class = p.Class[:min(len(p.Class), limit)]
	p.Error = p.Error[:min(len(p.Error), limit)]
	p.Hint = p.Hint[:min(len(p.Hint), limit)]
	return p
}
