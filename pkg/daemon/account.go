package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"mailpull/pkg/config"
	"mailpull/pkg/mail"
	"mailpull/pkg/metrics"
	"mailpull/pkg/pull"
	"mailpull/pkg/schedule"
	"mailpull/pkg/wire"
)

// newest is how many messages of each mailbox a turn for news brings, before
// the accounts that wait have had theirs.
const newest = 500

// account is one account of a daemon. Its passes run one at a time; everything
// else only looks on.
type account struct {
	config  *config.Config
	account config.Account
	log     *slog.Logger
	numbers *metrics.Metrics
	pace    *wire.Pace
	keeper  *keeper // nil: each pass has a source of its own

	progress progress
	waiters  *waiters
	hooks    hookLine
	watches  sync.WaitGroup

	// life ends with the account: hooks and watches hang on it.
	life context.Context
	end  context.CancelFunc

	connections, idle atomic.Int64

	// weighed is set once the archive's bytes were counted. Only passes use it.
	weighed bool

	mu   sync.Mutex // guards what is below
	last lastPass
}

// lastPass is what the last pass told, or the records at the start.
type lastPass struct {
	server, archived, waiting int
	waitingBytes              int64
	quarantined, excluded     int
	complete, attempt         time.Time
	class                     mail.Class
	err, hint                 string
	signedIn                  bool
}

// newAccount puts an account together and reads its records. It asks no server.
func (d *Daemon) newAccount(c *config.Config, a config.Account) *account {
	life, end := context.WithCancel(d.life)
	log := d.log.With("account", a.Name)
	acc := &account{
		config: c, account: a, log: log, numbers: d.numbers, pace: d.pace, life: life, end: end, waiters: &waiters{},
		hooks: hookLine{account: a, log: log, failed: func() { d.numbers.HookFailed(a.Name) }},
	}
	if a.Protocol == config.IMAP {
		acc.keeper = newKeeper(a, d.resting, log, acc, d.pace)
	}
	return acc
}

// source is where a pass finds the account's mail.
func (a *account) source() pull.Source {
	if a.keeper != nil {
		return a.keeper
	}
	return a.direct()
}

// direct is a source whose sessions are not kept.
func (a *account) direct() pull.Source {
	if a.keeper != nil {
		return a.keeper.Source
	}
	return newSource(a.account, a.account.Password.Read, a.log, a, a.pace)
}

// dropKept ends a session that was kept: the next pass shows whether the account
// can still sign in.
func (a *account) dropKept() {
	if a.keeper != nil {
		a.keeper.drop()
	}
}

// mayKeep says whether sessions may be kept from one pass to the next.
func (a *account) mayKeep(may bool) {
	switch {
	case a.keeper == nil:
	case may:
		a.keeper.start()
	default:
		a.keeper.stop()
	}
}

// close ends hooks, watches and the session that is kept. The account's passes have ended before.
func (a *account) close() {
	a.end()
	a.watches.Wait()
	a.mayKeep(false)
	a.hooks.close()
}

// pass makes one pass, tells everybody how it went, and the timetable what to
// do next.
func (a *account) pass(ctx context.Context, turn schedule.Turn) schedule.Outcome {
	now := time.Now()
	a.waiters.begin()
	observer := passObserver{a.progress.begin(now), a}
	a.numbers.Began(a.account.Name, now)

	t := attempt{config: a.config, account: a.account, source: a.source(), observer: observer, log: a.log, yield: turn.Yield, opened: a.opened}
	if !turn.Backlog {
		t.newest = newest
	}
	out := t.run(ctx)

	a.progress.end()
	a.numbers.Archived(a.account.Name, out.Result.Bytes)
	a.keep(out)
	if out.Locked == nil && !errors.Is(out.Err, pull.ErrUnfinished) {
		a.numbers.Count(a.account.Name, runOf(out))
		a.hooks.done(a.life, eventOf(a.config, a.account, out))
	}
	a.waiters.end(out)
	return scheduled(out)
}

// ended tells who waits how the last pass went, and whoever waits for another one
// that a pause keeps it from coming. The timetable calls it when nothing follows.
func (a *account) ended(paused bool) {
	a.waiters.tell()
	if paused {
		a.waiters.cancel(Outcome{Account: a.account.Name, Err: schedule.ErrPaused})
	}
}

// window is when a backlog is worked off.
func (a *account) window() schedule.Window {
	w := a.account.Window
	return schedule.Window{From: w.From, To: w.To, Location: a.account.Timezone}
}

// opened is called when the account's lock is held and its records are open.
func (a *account) opened(w *worker) {
	a.hooks.start(a.life)
	a.weigh(w)
}

// weigh counts the bytes of the archive, before the first pass adds to them. It
// reads the whole manifest: a second and a half for a million messages.
func (a *account) weigh(w *worker) {
	if a.weighed {
		return
	}
	n, err := w.manifest.Bytes()
	if err != nil {
		a.log.Warn("the size of the archive is not known", "err", err)
		return
	}
	a.weighed = true
	a.numbers.ArchiveBytes(a.account.Name, n)
}

// keep remembers what a pass told, for whoever looks on.
func (a *account) keep(out Outcome) {
	if out.Locked == nil && out.Result.Start.IsZero() {
		a.fail(out)
		return
	}
	records := recorded(a.config, a.account)
	a.numbers.Restore(a.account.Name, records)
	last := lastOf(records)
	if out.Err != nil && !errors.Is(out.Err, pull.ErrUnfinished) && !errors.Is(out.Err, pull.ErrInterrupted) {
		last.class, last.err, last.hint = mail.ErrorClass(out.Err), out.Err.Error(), mail.ErrorHint(out.Err)
	}
	last.signedIn = len(out.Result.Mailboxes) > 0
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = last
}

// fail remembers why a pass could not begin; what was known stays known.
func (a *account) fail(out Outcome) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last.class, a.last.err, a.last.hint = mail.ErrorClass(out.Err), out.Err.Error(), mail.ErrorHint(out.Err)
	a.last.attempt, a.last.signedIn = time.Now(), false
}

// lastOf says the same of records.
func lastOf(s metrics.State) lastPass {
	return lastPass{
		server: s.Server, archived: s.Archived, waiting: s.Pending, waitingBytes: s.PendingBytes, quarantined: s.Quarantined, excluded: s.Excluded,
		complete: s.LastSuccess, attempt: s.LastAttempt,
	}
}

// signedIn reports whether the last pass signed in.
func (a *account) signedIn() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last.signedIn
}

// scheduled says how a pass ended, as far as the timetable cares.
func scheduled(out Outcome) schedule.Outcome {
	switch {
	case out.Locked != nil:
		return schedule.Outcome{Locked: true}
	case out.Err == nil:
		return schedule.Outcome{New: out.Result.New}
	case errors.Is(out.Err, pull.ErrUnfinished):
		return schedule.Outcome{New: out.Result.New, Left: max(1, out.Result.Left)}
	case errors.Is(out.Err, pull.ErrInterrupted):
		return schedule.Outcome{Interrupted: true}
	}
	return schedule.Outcome{
		Class: mail.ErrorClass(out.Err), After: mail.ErrorAfter(out.Err),
		Partial: mail.ErrorScope(out.Err) != mail.ScopeAccount, New: out.Result.New, Left: out.Result.Left,
	}
}

// Connected implements wire.Events.
func (a *account) Connected() {
	a.numbers.Connections(a.account.Name, int(a.connections.Add(1)))
}

// Closed implements wire.Events.
func (a *account) Closed() {
	a.numbers.Connections(a.account.Name, int(a.connections.Add(-1)))
}

// Certificate implements wire.Events.
func (a *account) Certificate(notAfter time.Time) {
	a.numbers.CertificateExpiry(a.account.Name, notAfter)
}

// idling counts the connections that wait for news.
func (a *account) idling(is bool) {
	n := int64(-1)
	if is {
		n = 1
	}
	a.numbers.Idle(a.account.Name, int(a.idle.Add(n)))
}
