package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"mailpull/pkg/archive/maildir"
	"mailpull/pkg/checkpoint"
	"mailpull/pkg/config"
	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/manifest"
	"mailpull/pkg/pull"
	"mailpull/pkg/secret"
	"mailpull/pkg/signin"
	"mailpull/pkg/source/imap"
	"mailpull/pkg/source/pop3"
	"mailpull/pkg/wire"
)

// worker is one account put together. It holds the account's lock.
type worker struct {
	account    config.Account
	log        *slog.Logger
	lock       *durable.Lock
	closers    []func() error
	source     pull.Source
	store      pull.Store
	checkpoint *checkpoint.File
	manifest   *manifest.File
}

// open takes the account's lock and opens its state and its archive. A
// *durable.LockedError says that another process has the account.
func open(c *config.Config, a config.Account, source pull.Source, log *slog.Logger) (*worker, error) {
	w := &worker{account: a, log: log, source: source}
	if err := w.openAll(c); err != nil {
		w.recordFailure(err)
		w.close()
		return nil, err
	}
	return w, nil
}

// recordFailure lets status know of a pass that could not begin, where there
// is a checkpoint to write it to.
func (w *worker) recordFailure(err error) {
	if w.checkpoint == nil {
		return
	}
	now := time.Now()
	pass := mail.Pass{Start: now, End: now, Class: mail.ErrorClass(err), Error: err.Error(), Hint: mail.ErrorHint(err)}
	if cerr := w.checkpoint.EndPass(pass); cerr != nil {
		w.log.Warn("end of the pass was not recorded", "err", cerr)
	}
}

func (w *worker) openAll(c *config.Config) error {
	stateDir := filepath.Join(c.State, w.account.Name)
	if err := durable.MkdirAll(stateDir); err != nil {
		return diskError("state", err)
	}
	var err error
	if w.lock, err = durable.TakeLock(filepath.Join(stateDir, "lock")); err != nil {
		if errors.Is(err, durable.ErrLocked) {
			return err
		}
		return diskError("lock", err)
	}
	if err := w.openState(stateDir); err != nil {
		return err
	}
	if err := checkMarker(c); err != nil {
		return err
	}
	return w.openArchive(c)
}

func (w *worker) openState(path string) error {
	dir, err := durable.OpenDir(path)
	if err != nil {
		return diskError("state", err)
	}
	w.closers = append(w.closers, dir.Close)
	w.checkpoint, err = checkpoint.Open(checkpoint.Options{
		Dir: dir, Account: w.account.Name, Source: string(w.account.Protocol), Log: w.log,
	})
	if err != nil {
		return err
	}
	w.closers = append(w.closers, w.checkpoint.Close)
	w.manifest, err = manifest.Open(manifest.Options{Dir: dir, Account: w.account.Name, Log: w.log})
	if err != nil {
		return err
	}
	w.closers = append(w.closers, w.manifest.Close)
	return w.checkRecords(filepath.Join(path, "manifest"))
}

// checkRecords refuses a checkpoint whose manifest is gone. Each message is
// listed before it is recorded as delivered, so somebody removed the list; to
// begin a new one in silence would lose what it said of all earlier messages.
func (w *worker) checkRecords(manifestPath string) error {
	n := w.checkpoint.Delivered()
	if n == 0 || !w.manifest.Empty() {
		return nil
	}
	return &mail.Error{
		Op: "manifest", Scope: mail.ScopeAccount, Retry: mail.RetryNever, Class: mail.ClassDisk,
		Err:  fmt.Errorf("%s lists nothing, and the checkpoint says that %d messages were delivered", manifestPath, n),
		Hint: manifest.Remake(manifestPath),
	}
}

// openArchive opens the account's folder of the archive and makes it for an
// account that has never delivered anything. Where something was delivered
// and the folder is gone, a disk is not mounted or somebody moved it: a new
// empty archive would hide that.
func (w *worker) openArchive(c *config.Config) error {
	path := archiveOf(c, w.account)
	if n := w.checkpoint.Delivered(); n > 0 {
		entries, err := os.ReadDir(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
			return &mail.Error{
				Op: "archive", Scope: mail.ScopeAccount, Retry: mail.RetryNever, Class: mail.ClassDisk,
				Err:  fmt.Errorf("%s is missing or empty, and it held %d messages", path, n),
				Hint: "mount or move the archive back to this place; if it was removed on purpose, remove the account's folder in the state directory too, and everything is fetched anew",
			}
		}
	}
	// Also when it is there: the run that made it may have been cut off before
	// the names on the way to it were flushed.
	if err := durable.MkdirAll(path); err != nil {
		return diskError("archive", err)
	}
	dir, err := durable.OpenDir(path)
	if err != nil {
		return diskError("archive", err)
	}
	w.closers = append(w.closers, dir.Close)
	store, err := maildir.Open(maildir.Options{Dir: dir, Layout: maildir.Layout(w.account.Layout), Waiting: waiting(c), Log: w.log})
	if err != nil {
		return err
	}
	w.store = store
	return nil
}

// allWaiting is how many bytes of all accounts may wait in memory to be written.
const allWaiting = 8 << 20

// waiting returns how many of them are each account's: a slow disk must not stop
// the accounts of another one, so nothing is shared.
func waiting(c *config.Config) int {
	return min(4<<20, allWaiting/max(1, min(len(c.Accounts), max(atOnce, c.Daemon.Passes))))
}

// close lets go of everything, the lock last.
func (w *worker) close() {
	for i := len(w.closers) - 1; i >= 0; i-- {
		if err := w.closers[i](); err != nil {
			w.log.Warn("closing", "err", err) // what had to be durable was flushed before
		}
	}
	if w.lock != nil {
		if err := w.lock.Release(); err != nil {
			w.log.Warn("releasing the lock", "err", err)
		}
	}
}

// pass makes one pass.
func (w *worker) pass(ctx context.Context, t attempt) (pull.Result, error) {
	return pull.Run(ctx, pull.Options{
		Account:     w.account.Name,
		Source:      w.source,
		Store:       w.store,
		Checkpoint:  w.checkpoint,
		Manifest:    w.manifest,
		Choose:      chooser(w.account),
		Sessions:    w.account.Connections,
		NewestFirst: w.account.Order == config.NewestFirst,
		Newest:      t.newest,
		Since:       w.account.Since.At(time.Now()),
		Yield:       t.yield,
		Observer:    t.observer,
		Log:         w.log,
	})
}

// chooser says which mailboxes of an account are pulled.
func chooser(a config.Account) func(mail.Mailbox) bool {
	return func(m mail.Mailbox) bool {
		ok, _ := a.Mailboxes.Select(m)
		return ok
	}
}

// NewSource returns the server side of an account. It does no I/O. It is for
// commands that only look; a pass has its own.
func NewSource(a config.Account, log *slog.Logger) pull.Source {
	return newSource(a, a.Password.Read, log, nil, nil)
}

// newSource returns the same for a pass. password reads what it signs in with, and
// all is the pace of all accounts; that and events may be nil.
func newSource(a config.Account, password func(context.Context) (secret.String, error), log *slog.Logger, events wire.Events, all *wire.Pace) pull.Source {
	o := wire.Options{
		Host:           a.Host,
		Port:           a.Port,
		Security:       wire.Security(a.Security),
		AllowPlaintext: a.AllowPlaintext,
		CAFile:         a.CAFile,
		Compress:       wire.Compression(a.Compress),
		Limits:         wire.Limits{Literal: a.MaxMessageSize, Session: a.MaxSession, Idle: a.IdleTimeout},
		Login:          signin.Login{Username: a.Username, Password: password},
		Events:         events,
		Paces:          []*wire.Pace{all, wire.NewPace(a.RateLimit)},
		Log:            log,
	}
	if a.Protocol == config.POP3 {
		return pull.NewSource(pop3.New(pop3.Options{Wire: o}))
	}
	return pull.NewSource(imap.New(imap.Options{Wire: o, Log: log}))
}

// diskError classifies what the folders of archive and state gave.
func diskError(op string, err error) error {
	return &mail.Error{Op: op, Scope: mail.ScopeAccount, Class: mail.ClassDisk, Err: err, Hint: durable.Hint(err)}
}
