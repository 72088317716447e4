// Package daemon builds accounts from the configuration and runs them. It is
// the only place that knows every part: the sources, the store, the checkpoint
// and the pass meet here and nowhere else.
package daemon

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"

	"mailpull/pkg/config"
	"mailpull/pkg/durable"
	"mailpull/pkg/pull"
)

// atOnce is how many accounts are pulled at the same time. Four keep two
// cores and one disk busy and hold the memory of four batches.
const atOnce = 4

// Options is what Once needs.
type Options struct {
	// Config names the folders and the accounts.
	Config *config.Config

	// Accounts are the names to pull; none means all. Each must be in Config.
	Accounts []string

	// Observe returns the observer of an account's pass; nil means that
	// nobody watches.
	Observe func(account string) pull.Observer

	// Log may be nil.
	Log *slog.Logger
}

// Outcome is how one account fared.
type Outcome struct {
	Account string
	Result  pull.Result

	// Locked is set when another process was pulling the account. It was left
	// alone, and Err is nil.
	Locked *durable.LockedError

	// Err is why the account is not complete, or nil.
	Err error
}

// Once makes one pass over each account and returns the outcomes in the order
// of the configuration. One account's failure, even a panic, does not touch
// another. When ctx is cancelled every account commits what it has and Once
// returns.
func Once(ctx context.Context, o Options) []Outcome {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	var accounts []config.Account
	for _, a := range o.Config.Accounts {
		if len(o.Accounts) == 0 || slices.Contains(o.Accounts, a.Name) {
			accounts = append(accounts, a)
		}
	}

	outcomes := make([]Outcome, len(accounts))
	slots := make(chan struct{}, atOnce)
	var workers sync.WaitGroup
	for i, a := range accounts {
		workers.Go(func() { // Wait is below
			slots <- struct{}{}
			defer func() { <-slots }()
			if ctx.Err() != nil {
				outcomes[i] = Outcome{Account: a.Name, Err: pull.Interrupted()}
				return
			}
			outcomes[i] = o.guarded(ctx, a)
		})
	}
	workers.Wait()
	return outcomes
}

// guarded runs an account's worker and turns its panic into an error.
func (o Options) guarded(ctx context.Context, a config.Account) (out Outcome) {
	log := o.Log.With("account", a.Name)
	defer func() {
		if v := recover(); v != nil {
			out = Outcome{Account: a.Name, Result: pull.Result{Panicked: true}, Err: pull.Recovered(v, log)}
		}
	}()

	out = Outcome{Account: a.Name}
	w, err := open(o.Config, a, log)
	var locked *durable.LockedError
	switch {
	case errors.As(err, &locked):
		out.Locked = locked
		log.Info("skipped, another process holds the lock", "pid", locked.PID)
		return out
	case err != nil:
		out.Err = err
		return out
	}
	defer w.close()

	var observer pull.Observer
	if o.Observe != nil {
		observer = o.Observe(a.Name)
	}
	out.Result, out.Err = w.pass(ctx, observer)
	w.report(out)
	return out
}

// report logs one line for each pass that did something.
func (w *worker) report(out Outcome) {
	r := out.Result
	args := []any{"source", w.account.Protocol, "mailboxes", len(r.Mailboxes), "new", r.New, "bytes", r.Bytes, "took", r.End.Sub(r.Start)}
	if out.Err != nil {
		w.log.Info("pass failed", append(args, "missing", r.Missing, "class", string(r.Class), "err", out.Err)...)
		return
	}
	if r.Quarantined > 0 {
		args = append(args, "quarantined", r.Quarantined)
	}
	w.log.Info("pass done", args...)
}
