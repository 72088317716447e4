package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"mailpull/pkg/config"
	"mailpull/pkg/hook"
	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
)

// hookLine runs an account's hooks beside its passes, one after another. A
// monitor that does not answer, or a command that hangs, keeps no account from
// its mail. What ends while a hook still runs is told together, afterwards.
type hookLine struct {
	account config.Account
	log     *slog.Logger
	failed  func() // is called for each hook that failed

	group sync.WaitGroup

	mu    sync.Mutex // guards what is below
	busy  bool
	begun bool
	ended *hook.Event
}

// start tells the hooks that a pass begins.
func (l *hookLine) start(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun = true
	l.run(ctx)
}

// done tells the hooks how a pass ended.
func (l *hookLine) done(ctx context.Context, e hook.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended != nil {
		e.New += l.ended.New
		e.Bytes += l.ended.Bytes
	}
	l.ended = &e
	l.run(ctx)
}

// run begins to tell, unless that is going on, or the account is on its way out.
// The caller holds l.mu.
func (l *hookLine) run(ctx context.Context) {
	if ctx.Err() != nil || l.busy || l.account.Hooks.PingURL.Kind() == "" && len(l.account.Hooks.AfterPass) == 0 {
		return
	}
	l.busy = true
	l.group.Go(func() { // close waits for it
		for {
			begun, ended, ok := l.take()
			if !ok {
				return
			}
			l.tell(ctx, begun, ended)
		}
	})
}

// take returns what is to be told next; ok is false when nothing is.
func (l *hookLine) take() (begun bool, ended *hook.Event, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	begun, ended = l.begun, l.ended
	l.begun, l.ended = false, nil
	l.busy = begun || ended != nil
	return begun, ended, l.busy
}

// tell calls the hooks.
func (l *hookLine) tell(ctx context.Context, begun bool, ended *hook.Event) {
	hooks := readHooks(ctx, l.account, l.log)
	failed := 0
	if begun {
		failed += hooks.Start(ctx, l.account.Name)
	}
	if ended != nil {
		failed += hooks.Done(ctx, *ended)
	}
	for range failed {
		l.failed()
	}
}

// close waits until no hook runs. The context of the last call is to be over.
func (l *hookLine) close() { l.group.Wait() }

// readHooks reads the address of the monitor, which is a secret.
func readHooks(ctx context.Context, a config.Account, log *slog.Logger) hook.Hooks {
	hooks := hook.Hooks{AfterPass: a.Hooks.AfterPass, Log: log}
	if a.Hooks.PingURL.Kind() == "" {
		return hooks
	}
	url, err := a.Hooks.PingURL.Read(ctx)
	if err != nil {
		log.Warn("ping_url cannot be read", "err", err)
	}
	hooks.Ping = url
	return hooks
}

// eventOf is what hooks hear of a pass.
func eventOf(c *config.Config, a config.Account, out Outcome) hook.Event {
	e := hook.Event{
		Account: a.Name, Result: hook.Result(resultOf(out)), Took: out.Result.End.Sub(out.Result.Start),
		New: out.Result.New, Missing: out.Result.Missing, Quarantined: out.Result.Quarantined,
		Bytes: out.Result.Bytes, Archive: archiveOf(c, a),
	}
	switch {
	case errors.Is(out.Err, pull.ErrUnfinished):
		e.Result = hook.OK // somebody asked for a bound, and nothing failed
	case out.Err != nil:
		e.Class, e.Error, e.Hint = mail.ErrorClass(out.Err), out.Err.Error(), mail.ErrorHint(out.Err)
	}
	return e
}
