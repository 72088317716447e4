package daemon

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"mailpull/pkg/config"
	"mailpull/pkg/pull"
	"mailpull/pkg/wire"
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

	// MaxRuntime is how long the run may take, MaxBytes how many bytes of messages
	// it may read, over all accounts; 0 is no limit. What is left then is told as
	// pull.ErrUnfinished. Both are kept to the end of a group of messages.
	MaxRuntime time.Duration
	MaxBytes   int64

	// Log may be nil.
	Log *slog.Logger
}

// Once makes one pass over each account and returns the outcomes in the order
// of the configuration. One account's failure, even a panic, does not touch
// another. When ctx is cancelled every account commits what it has and Once
// returns.
func Once(ctx context.Context, o Options) []Outcome {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	accounts := chosen(o.Config, o.Accounts)
	outcomes := make([]Outcome, len(accounts))
	slots := make(chan struct{}, atOnce)
	budget := newBudget(o)
	pace := wire.NewPace(o.Config.RateLimit)
	var workers sync.WaitGroup
	for i, a := range accounts {
		workers.Go(func() { // Wait is below
			slots <- struct{}{}
			defer func() { <-slots }()
			if ctx.Err() != nil {
				outcomes[i] = Outcome{Account: a.Name, Err: pull.Interrupted()}
				return
			}
			outcomes[i] = o.one(ctx, a, budget, pace)
		})
	}
	workers.Wait()
	return outcomes
}

// one makes the pass over one account and tells its hooks.
func (o Options) one(ctx context.Context, a config.Account, b *budget, pace *wire.Pace) Outcome {
	if b.spent() {
		return notBegun(o.Config, a)
	}
	log := o.Log.With("account", a.Name)
	t := attempt{config: o.Config, account: a, source: newSource(a, a.Password.Read, log, nil, pace), log: log, yield: b.spent}
	var observer pull.Observer = pull.Silent{}
	if o.Observe != nil {
		observer = o.Observe(a.Name)
	}
	t.observer = counted{observer, b}
	hooks := readHooks(ctx, a, t.log)
	t.opened = func(*worker) { hooks.Start(ctx, a.Name) } // whose account another process has is not begun
	out := t.withRefusals(ctx)
	if out.Locked == nil {
		hooks.Done(ctx, eventOf(o.Config, a, out))
	}
	return out
}

// notBegun is the outcome of an account that a run did not get to: what was left
// of it last is left still.
func notBegun(c *config.Config, a config.Account) Outcome {
	out := Outcome{Account: a.Name, Err: pull.Unfinished()}
	records := recorded(c, a)
	out.Result.Missing, out.Result.MissingBytes = records.Pending, records.PendingBytes
	out.Result.Left, out.Result.LeftBytes = records.Pending, records.PendingBytes
	return out
}

// chosen returns the accounts with these names, or all, in the order of the
// configuration.
func chosen(c *config.Config, names []string) []config.Account {
	if len(names) == 0 {
		return c.Accounts
	}
	var accounts []config.Account
	for _, a := range c.Accounts {
		if slices.Contains(names, a.Name) {
			accounts = append(accounts, a)
		}
	}
	return accounts
}
