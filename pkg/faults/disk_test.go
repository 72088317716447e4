package faults

import (
	"fmt"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"mailpull/pkg/checkpoint"
	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
	"mailpull/pkg/wire"
)

// diskAccount is an account whose source is a fake without a network, for the
// suites that only ask what the disk does to it.
type diskAccount struct {
	server *mailtest.Server
	oracle *mailtest.Oracle

	// kept are refs of messages that must be in the archive whatever the records
	// say of them, because a process was told so before the suite began.
	kept map[mail.Ref]bool

	// wrap is what self-tests put between the product and its disk.
	wrap func(*mailtest.MemDisk) durable.Dir

	// broken changes a rig, for self-tests.
	broken func(*rig)
}

// diskMailbox is the second mailbox of a diskAccount.
const diskMailbox mail.MailboxName = "Work/2024"

// newDiskAccount returns an account of 24 messages, which are three batches.
func newDiskAccount() *diskAccount {
	a := &diskAccount{server: mailtest.NewServer(), oracle: mailtest.NewOracle(account)}
	a.server.Group = 4
	a.add(mail.Inbox, 0, 16)
	a.add(diskMailbox, 16, 24)
	return a
}

// add gives the server messages, of every kind that is stored in its own way:
// short ones, some longer than a sector and a page, with line ends that are
// kept as they are, seen and flagged ones.
func (a *diskAccount) add(name mail.MailboxName, from, to int) {
	box := a.server.Box(name)
	for i := from; i < to; i++ {
		body := fmt.Sprintf("Message-ID: <%d@example.com>\r\nSubject: number %d\r\n\r\n", i, i)
		switch i % 8 {
		case 2:
			body += strings.Repeat("longer than a sector\r\n", 30)
		case 5:
			body += strings.Repeat("longer than a page\r\n", 300)
		case 6:
			body += "a line that ends\nin its own way"
		}
		uid := box.UIDNext
		box.Add(body)
		box.Messages[len(box.Messages)-1].Item.Date = time.Unix(1_700_000_000+int64(i), 0)
		if i%3 == 1 {
			box.Messages[len(box.Messages)-1].Item.Flags = []string{`\Seen`, `\Flagged`}
		}
		a.oracle.Add([]byte(body), mail.Ref{Mailbox: name, Validity: box.Validity, UID: uid})
	}
}

// renumber gives the messages of a mailbox new UIDs, as a server does that
// was rebuilt.
func (a *diskAccount) renumber(name mail.MailboxName) {
	box := a.server.Box(name)
	was := box.Validity
	box.Validity++
	for i := range box.Messages {
		m := &box.Messages[i]
		old := mail.Ref{Mailbox: name, Validity: was, UID: m.UID}
		m.UID += 100
		a.oracle.Renamed(old, mail.Ref{Mailbox: name, Validity: box.Validity, UID: m.UID})
	}
	box.UIDNext += 100
}

// on returns the account on a disk, with what it acknowledges noted.
func (a *diskAccount) on(disk *mailtest.MemDisk, notes *acknowledged) *rig {
	r := newRig(func(wire.Options) pull.Source { return a.server }, &mailtest.Link{})
	r.oracle, r.bounds.Messages = a.oracle, 8
	r.disk = disk
	if a.wrap != nil {
		r.disk = a.wrap(disk)
	}
	if a.broken != nil {
		a.broken(r)
	}
	inner := r.wrapCheckpoint
	r.wrapCheckpoint = func(c pull.Checkpoint) pull.Checkpoint {
		if inner != nil {
			c = inner(c)
		}
		return &notingCheckpoint{c, notes}
	}
	return r
}

// passOnce makes a pass that must succeed, to prepare a disk.
func (a *diskAccount) passOnce(t testing.TB, disk *mailtest.MemDisk) {
	t.Helper()
	if _, err := a.on(disk, &acknowledged{}).pass(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// halfPulled returns a disk whose archive is complete, and gives the server
// more messages then.
func (a *diskAccount) halfPulled(t testing.TB, disk *mailtest.MemDisk) *mailtest.MemDisk {
	t.Helper()
	a.passOnce(t, disk)
	a.add(mail.Inbox, 24, 32)
	a.add(diskMailbox, 32, 36)
	return disk
}

// renumbered returns a disk whose archive is complete, and gives the messages
// of INBOX new UIDs then.
func (a *diskAccount) renumbered(t testing.TB, disk *mailtest.MemDisk) *mailtest.MemDisk {
	t.Helper()
	a.passOnce(t, disk)
	a.kept = make(map[mail.Ref]bool)
	box := a.server.Box(mail.Inbox)
	for _, m := range box.Messages {
		a.kept[mail.Ref{Mailbox: box.Name, Validity: box.Validity, UID: m.UID}] = true
	}
	a.renumber(mail.Inbox)
	return disk
}

// without removes a file of the records from a disk with a complete archive.
func (a *diskAccount) without(t testing.TB, disk *mailtest.MemDisk, names ...string) *mailtest.MemDisk {
	t.Helper()
	a.passOnce(t, disk)
	state := mustSub(t, disk, "state")
	for _, name := range names {
		if err := state.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := state.Sync(); err != nil {
		t.Fatal(err)
	}
	return disk
}

func mustSub(t testing.TB, disk durable.Dir, name string) durable.Dir {
	t.Helper()
	sub, err := disk.Sub(name)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// growCheckpoint appends to the checkpoint on a disk, which must have one,
// until the next process folds it.
func growCheckpoint(t testing.TB, disk durable.Dir) {
	t.Helper()
	const enough = 80 << 10 // more than 64 KiB, and than four times what is folded
	c, err := checkpoint.Open(checkpoint.Options{Dir: mustSub(t, disk, "state"), Account: account, Source: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()             // what Commit said counts
	const lines, uids = 200, 64 // a line of 64 UIDs is about 400 bytes
	for line := range mail.UID(lines) {
		var refs []mail.Ref
		for i := range mail.UID(uids) {
			refs = append(refs, mail.Ref{Mailbox: "Old", Validity: 7, UID: 1_000_000 + 2*(line*uids+i)})
		}
		if err := c.Commit(refs); err != nil {
			t.Fatal(err)
		}
	}
	if size := checkpointSize(t, disk); size < enough {
		t.Fatalf("the checkpoint has %d bytes only", size)
	}
}

func checkpointSize(t testing.TB, disk durable.Dir) int64 {
	t.Helper()
	f, err := mustSub(t, disk, "state").Open("checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // only read
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// acknowledged are the refs of which a process was told that they are
// recorded: from then on they may not be lost, whatever happens.
type acknowledged struct {
	mu   sync.Mutex
	refs []mail.Ref
}

// upTo returns the refs that are acknowledged by now. What comes later is not
// added to them.
func (a *acknowledged) upTo() []mail.Ref {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refs[:len(a.refs):len(a.refs)]
}

// notingCheckpoint notes what was acknowledged.
type notingCheckpoint struct {
	pull.Checkpoint
	notes *acknowledged
}

// Commit implements pull.Checkpoint.
func (c *notingCheckpoint) Commit(refs []mail.Ref) error {
	err := c.Checkpoint.Commit(refs)
	if err == nil {
		c.notes.mu.Lock()
		defer c.notes.mu.Unlock()
		c.notes.refs = append(c.notes.refs, refs...)
	}
	return err
}

// afterwards judges what an interruption left on a disk: what was acknowledged
// is in the records and in the archive, nothing is partial or doubled, and the
// next pass brings the rest. When thorough is set one more pass must find no
// work. The disk is as it was afterwards.
func (a *diskAccount) afterwards(t testing.TB, disk *mailtest.MemDisk, acked []mail.Ref, thorough bool) []mailtest.Breach {
	t.Helper()
	breaches := a.remembered(disk.Clone(), acked)
	if len(breaches) > 0 {
		return breaches
	}
	return a.recovers(t, disk.Clone(), thorough)
}

// remembered judges a disk before anything is done to it.
func (a *diskAccount) remembered(disk *mailtest.MemDisk, acked []mail.Ref) []mailtest.Breach {
	return a.on(disk, &acknowledged{}).remembered(acked, a.kept)
}

// recovers judges the next pass.
func (a *diskAccount) recovers(t testing.TB, disk *mailtest.MemDisk, thorough bool) []mailtest.Breach {
	t.Helper()
	return a.on(disk, &acknowledged{}).recovers(t, disk, thorough)
}

// remembered judges what an interruption left, before anything is done to it:
// what was acknowledged is recorded, and that and what is kept whatever the
// records say is in the archive.
func (r *rig) remembered(acked []mail.Ref, kept map[mail.Ref]bool) []mailtest.Breach {
	records, err := r.records()
	if err != nil {
		return []mailtest.Breach{{Promise: "P1", Text: "the records cannot be read: " + err.Error()}}
	}
	var breaches []mailtest.Breach
	for _, ref := range acked {
		if !records.Delivered(ref) {
			breaches = append(breaches, mailtest.Breach{Promise: "P1", Text: fmt.Sprint("acknowledged, and not recorded: ", ref)})
		}
	}
	archive, err := r.disk.Sub("mail")
	if err != nil {
		return append(breaches, mailtest.Breach{Promise: "P1", Text: err.Error()})
	}
	recorded := records.Delivered
	records.Delivered = func(ref mail.Ref) bool { return kept[ref] || recorded(ref) }
	return append(breaches, r.oracle.Judge(archive, records)...)
}

// recovers judges the pass after an interruption: it completes, and when
// thorough is set one more pass finds no work. disk is the rig's.
func (r *rig) recovers(t testing.TB, disk *mailtest.MemDisk, thorough bool) []mailtest.Breach {
	t.Helper()
	_, err := r.pass(t.Context())
	if err != nil {
		return []mailtest.Breach{{Promise: "P2", Text: "the next pass does not complete: " + err.Error()}}
	}
	breaches, err := r.judge(true)
	if err != nil {
		return []mailtest.Breach{{Promise: "P1", Text: "the records cannot be read: " + err.Error()}}
	}
	if len(breaches) > 0 || !thorough {
		return breaches
	}
	return r.idle(t, disk)
}

// idle judges a pass that must find no work: it brings nothing, and no body is
// written, if only to be thrown away.
func (r *rig) idle(t testing.TB, disk *mailtest.MemDisk) []mailtest.Breach {
	t.Helper()
	disk.Record()
	result, err := r.pass(t.Context())
	fetched := 0
	for _, op := range disk.Ops() {
		if op.Kind == "create" && path.Base(path.Dir(op.Path)) == "tmp" {
			fetched++
		}
	}
	if err != nil || result.New != 0 || fetched != 0 {
		return []mailtest.Breach{{Promise: "P2", Text: fmt.Sprintf("one more pass finds work: %d new, %d fetched, %v", result.New, fetched, err)}}
	}
	return nil
}

// opName says where in a run an operation was.
func opName(n int, op mailtest.Op) string {
	return fmt.Sprintf("operation %d, %s %s", n, op.Kind, op.Path)
}
