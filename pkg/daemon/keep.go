package daemon

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"mailpull/pkg/config"
	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
	"mailpull/pkg/schedule"
	"mailpull/pkg/secret"
	"mailpull/pkg/wire"
)

const (
	// keepWithin is how near an account's next pass must be for its session to be
	// kept until then. Servers must let a session rest for 30 minutes (RFC 9051
	// section 5.4); routers forget a silent connection after five, but they hear
	// the probes of TCP, which Go sends each 15 seconds.
	keepWithin = 5 * time.Minute

	// keepRest is how long a kept session rests at most, when the pass does not
	// come: its jitter can be half of the time between two, and it may wait for
	// its turn.
	keepRest = 10 * time.Minute

	// keepAge is how old a session gets, so that certificate and password are
	// proved once in an hour at least.
	keepAge = time.Hour
)

// keeper is the source of an account's passes that keeps a session from one pass
// to the next where that is near: a pass without news is then a single round
// trip. It is for IMAP. A maildrop of POP3 is locked while a session is open,
// and shows nothing that came later.
//
// A kept session that has died meanwhile is replaced by a new one, once and in
// silence: it is nothing that the account's server or its owner is to hear of.
type keeper struct {
	pull.Source // which signs in
	account     config.Account
	plan        schedule.Plan
	log         *slog.Logger
	resting     *resting
	ending      sync.WaitGroup // sessions that have rested for too long

	// The lock of resting guards what is below.
	print      fingerprintOf // of what was signed in with last
	generation int           // how often that changed
	stopped    bool          // nothing is to be kept
}

// signedIn is a session with what is to be known of its sign-in.
type signedIn struct {
	pull.Session
	began      time.Time
	generation int // the keeper's, before the password was read
}

// newKeeper returns the source of an IMAP account. It does no I/O.
func newKeeper(a config.Account, r *resting, log *slog.Logger, events wire.Events, all *wire.Pace) *keeper {
	k := &keeper{account: a, plan: planOf(a), log: log, resting: r}
	k.Source = newSource(a, k.password, log, events, all)
	return k
}

// Open implements pull.Source. What was signed in with is read again for a kept
// session: it is of use only where the account would sign in as it did.
func (k *keeper) Open(ctx context.Context) (pull.Session, error) {
	if k.resting.has(k) {
		if _, err := k.password(ctx); err != nil {
			k.drop() // signing in will tell what the matter is
		}
	}
	if s := k.resting.take(k); s != nil {
		k.log.Debug("kept session is used again")
		return &loan{signedIn: s.signedIn, keeper: k, kept: true}, nil
	}
	if s := k.resting.enter(k.account.Host); s != nil {
		s.end(ctx)
	}
	s, err := k.signIn(ctx)
	if err != nil {
		k.resting.leave(k.account.Host)
		return nil, err
	}
	return &loan{signedIn: s, keeper: k}, nil
}

// signIn opens a new session. The generation is that from before the password is
// read: when that changes meanwhile, nobody knows which one the session has.
func (k *keeper) signIn(ctx context.Context) (signedIn, error) {
	generation := k.resting.generation(k)
	s, err := k.Source.Open(ctx)
	return signedIn{s, time.Now(), generation}, err
}

// password reads what the account signs in with. When that has changed, nobody
// shall use what was signed in with before.
func (k *keeper) password(ctx context.Context) (secret.String, error) {
	now, err := k.account.Password.Read(ctx)
	if err == nil && k.resting.changed(k, now) {
		k.drop()
	}
	return now, err
}

// giveBack takes a session of a pass that ended well, and keeps it or ends it.
func (k *keeper) giveBack(ctx context.Context, l *loan) error {
	now := time.Now()
	due := k.plan.Next(now, nil)
	if due.Sub(now) <= keepWithin && due.Sub(l.began) <= k.age() && k.resting.keep(k, l.signedIn) {
		return nil
	}
	err := l.Session.Close(ctx)
	k.resting.leave(k.account.Host)
	return err
}

// age is how old a session of the account may get.
func (k *keeper) age() time.Duration {
	if k.account.MaxSession == 0 {
		return keepAge
	}
	return min(keepAge, k.account.MaxSession/2) // and there is room for a pass
}

// drop ends the session that is kept, if one is.
func (k *keeper) drop() {
	if s := k.resting.remove(k); s != nil {
		s.end(context.Background())
	}
}

// stop ends the session that is kept, and keeps no other until start.
func (k *keeper) stop() {
	k.resting.stop(k, true)
	k.drop()
	k.ending.Wait()
}

// start lets sessions be kept again.
func (k *keeper) start() { k.resting.stop(k, false) }

// loan is a session in the hands of a pass.
type loan struct {
	signedIn
	keeper *keeper
	kept   bool // it was, and nothing was asked of it since

	mu   sync.Mutex // guards over, and Session for Abort
	over bool       // it was given back or aborted
}

// Mailboxes implements pull.Session. It is what a pass asks first; a kept session
// that has died is replaced here.
func (l *loan) Mailboxes(ctx context.Context) ([]mail.Mailbox, error) {
	boxes, err := l.Session.Mailboxes(ctx)
	dead := err != nil && l.kept && ctx.Err() == nil
	l.kept = false
	if !dead {
		return boxes, err
	}
	l.keeper.log.Debug("kept session was of no use, signing in again", "err", err)
	l.Session.Abort()
	s, err := l.keeper.signIn(ctx)
	if err != nil {
		return nil, err
	}
	l.replace(s)
	return s.Mailboxes(ctx)
}

// replace puts another session in the place of a dead one.
func (l *loan) replace(s signedIn) {
	l.mu.Lock()
	l.signedIn = s
	over := l.over
	l.mu.Unlock()
	if over {
		s.Abort()
	}
}

// Close implements pull.Session: the session may be kept for the next pass.
func (l *loan) Close(ctx context.Context) error {
	if _, first := l.finish(); !first {
		return nil
	}
	return l.keeper.giveBack(ctx, l)
}

// Abort implements pull.Session. What was given back is no longer the pass's.
func (l *loan) Abort() {
	if s, first := l.finish(); first {
		s.Abort()
		l.keeper.resting.leave(l.keeper.account.Host)
	}
}

// finish ends the loan and returns its session; first is false when it had ended
// before.
func (l *loan) finish() (s pull.Session, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first = !l.over
	l.over = true
	return l.Session, first
}
