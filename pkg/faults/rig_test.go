package faults

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"
	"testing"

	"go.uber.org/goleak"

	"mailpull/pkg/archive/maildir"
	"mailpull/pkg/checkpoint"
	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/manifest"
	"mailpull/pkg/pull"
	"mailpull/pkg/secret"
	"mailpull/pkg/signin"
	"mailpull/pkg/source/imap"
	"mailpull/pkg/source/pop3"
	"mailpull/pkg/wire"
)

// The suites make a hundred thousand accounts, each of them garbage after a
// millisecond. The collector takes half of the time unless it is told to wait,
// and it waits too long when a bomb has gone off meanwhile.
func TestMain(m *testing.M) {
	if os.Getenv(l3WorkerEnv) != "" {
		os.Exit(l3Worker(os.Stdin, os.Stdout))
	}
	debug.SetGCPercent(800)
	debug.SetMemoryLimit(1 << 30)
	goleak.VerifyTestMain(m)
}

// The account of every rig, and how it signs in.
const (
	account  = "work"
	username = "me@example.com"
	password = "correct horse battery"
)

// rig is one account put together of the real parts. A copy of it is the same
// account on the same disk; pass is one process.
type rig struct {
	// disk holds the folders mail and state, which the first pass makes.
	disk durable.Dir

	// link leads to the server, and source makes its client.
	link   *mailtest.Link
	source func(wire.Options) pull.Source

	oracle *mailtest.Oracle

	// security is how the connection is protected, by the authority in caFile.
	security wire.Security
	caFile   string

	// The zero values of the rest are those of the program.
	limits   wire.Limits
	bounds   pull.Bounds
	sessions int
	layout   maildir.Layout
	log      *slog.Logger

	// What self-tests break; nil leaves a part as it is.
	wrapSource     func(pull.Source) pull.Source
	wrapStore      func(pull.Store) pull.Store
	wrapCheckpoint func(pull.Checkpoint) pull.Checkpoint
}

// imapSource and pop3Source are the sources of a rig.
func imapSource(o wire.Options) pull.Source { return pull.NewSource(imap.New(imap.Options{Wire: o})) }
func pop3Source(o wire.Options) pull.Source { return pull.NewSource(pop3.New(pop3.Options{Wire: o})) }

// newRig returns an account on an empty disk in memory.
func newRig(source func(wire.Options) pull.Source, link *mailtest.Link) *rig {
	return &rig{
		disk:   mailtest.NewMemDisk("/disk"),
		link:   link,
		source: source,
		oracle: mailtest.NewOracle(account),

		security: wire.None,
		layout:   maildir.Maildirpp,
	}
}

// imapRig returns an account on an empty disk whose server is this one. The
// oracle learns what the server holds now. Mailbox names are taken as ASCII.
func imapRig(server *mailtest.IMAPServer) *rig {
	server.Username, server.Password = username, password
	r := newRig(imapSource, &mailtest.Link{Serve: server.Serve})
	for _, box := range server.Boxes {
		for _, m := range box.Messages {
			r.oracle.Add([]byte(m.Body), imapRef(box, m.UID))
		}
	}
	return r
}

// imapRef names a message of a mailbox.
func imapRef(box *mailtest.IMAPBox, uid mail.UID) mail.Ref {
	return mail.Ref{Mailbox: mail.MailboxName(box.Name), Validity: mail.UIDValidity(box.UIDValidity), UID: uid}
}

// pop3Rig is imapRig for POP3.
func pop3Rig(server *mailtest.POP3Server) *rig {
	server.Username, server.Password = username, password
	r := newRig(pop3Source, &mailtest.Link{Serve: server.Serve})
	for _, m := range server.Messages {
		r.oracle.Add([]byte(m.Body), pop3Ref(m))
	}
	return r
}

// pop3Ref names a message of a maildrop.
func pop3Ref(m mailtest.POP3Message) mail.Ref {
	return mail.Ref{Mailbox: mail.Inbox, UIDL: mail.UIDL(m.UIDL)}
}

// on returns the same account on another disk, with a network of its own to
// the same server.
func (r *rig) on(disk durable.Dir) *rig {
	copied := *r
	copied.disk = disk
	copied.link = &mailtest.Link{Serve: r.link.Serve}
	return &copied
}

// options returns how the source reaches the server.
func (r *rig) options() wire.Options {
	return wire.Options{
		Host: "127.0.0.1", Security: r.security, CAFile: r.caFile, Dial: r.link.Dial, Limits: r.limits, Log: r.log,
		Login: signin.Login{Username: username, Password: func(context.Context) (secret.String, error) {
			return secret.New(password), nil
		}},
	}
}

// parts are what a process has open.
type parts struct {
	store      pull.Store
	checkpoint *checkpoint.File
	manifest   *manifest.File
}

// folder opens a folder of the disk and makes it where it is missing, its
// name flushed: durable.MkdirAll does it so for the program.
func folder(disk durable.Dir, name string) (durable.Dir, error) {
	if err := disk.Mkdir(name); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := disk.Sync(); err != nil {
		return nil, err
	}
	return disk.Sub(name)
}

// open opens the account's folders and records.
func (r *rig) open() (*parts, error) {
	state, err := folder(r.disk, "state")
	if err != nil {
		return nil, err
	}
	archive, err := folder(r.disk, "mail")
	if err != nil {
		return nil, err
	}
	p := &parts{}
	if p.checkpoint, err = checkpoint.Open(checkpoint.Options{Dir: state, Account: account, Source: "test", Log: r.log}); err != nil {
		return nil, err
	}
	if p.manifest, err = manifest.Open(manifest.Options{Dir: state, Account: account, Log: r.log}); err != nil {
		_ = p.checkpoint.Close() // it was not written to
		return nil, err
	}
	if p.store, err = maildir.Open(maildir.Options{Dir: archive, Layout: r.layout, Log: r.log}); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// close closes the records; what had to be durable was flushed before.
func (p *parts) close() {
	_ = p.checkpoint.Close()
	_ = p.manifest.Close()
}

// pass is one process that makes one pass. The server has ended when it returns:
// nobody waits for the answer to LOGOUT, and a test may change the server next.
func (r *rig) pass(ctx context.Context) (pull.Result, error) {
	defer r.link.Wait()
	p, err := r.open()
	if err != nil {
		return pull.Result{}, err
	}
	defer p.close()
	o := pull.Options{
		Account: account, Source: r.source(r.options()), Store: p.store, Checkpoint: p.checkpoint, Manifest: p.manifest,
		Batch: r.bounds, Sessions: r.sessions, Log: r.log,
	}
	if r.wrapSource != nil {
		o.Source = r.wrapSource(o.Source)
	}
	if r.wrapStore != nil {
		o.Store = r.wrapStore(o.Store)
	}
	if r.wrapCheckpoint != nil {
		o.Checkpoint = r.wrapCheckpoint(o.Checkpoint)
	}
	return pull.Run(ctx, o)
}

// records reads what checkpoint and manifest say, on a disk that nothing else
// is written to meanwhile.
func (r *rig) records() (mailtest.Records, error) {
	p, err := r.open()
	if err != nil {
		return mailtest.Records{}, err
	}
	defer p.close()
	records := mailtest.Records{Delivered: delivered(p.checkpoint), Listed: make(map[mail.Key]mail.Delivery)}
	return records, p.manifest.Scan(func(d mail.Delivery) error {
		records.Listed[d.Key] = d
		return nil
	})
}

// delivered asks a checkpoint, which is in memory once it is open.
func delivered(c *checkpoint.File) func(mail.Ref) bool {
	return func(ref mail.Ref) bool {
		known, ok := c.Known(ref.Mailbox)
		if !ok || known.Validity != ref.Validity {
			return false
		}
		one := mail.Refs{Mailbox: ref.Mailbox, Validity: ref.Validity}
		if ref.UIDL != "" {
			one.UIDLs = []mail.UIDL{ref.UIDL}
		} else {
			one.UIDs.Add(ref.UID, ref.UID)
		}
		return c.New(one).Len() == 0
	}
}

// judge returns the promises that the disk breaks; complete is for a disk
// after a pass that called itself so.
func (r *rig) judge(complete bool) ([]mailtest.Breach, error) {
	records, err := r.records()
	if err != nil {
		return nil, err
	}
	archive, err := r.disk.Sub("mail")
	if err != nil {
		return nil, err
	}
	defer archive.Close() // it was only read
	if complete {
		return r.oracle.JudgeComplete(archive, records), nil
	}
	return r.oracle.Judge(archive, records), nil
}

// check fails the test when a promise is broken.
func (r *rig) check(t testing.TB, complete bool) {
	t.Helper()
	breaches, err := r.judge(complete)
	if err != nil {
		t.Errorf("the records cannot be read: %v", err)
	}
	for _, b := range breaches {
		t.Error(b)
	}
}
