package daemon

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"mailpull/pkg/checkpoint"
	"mailpull/pkg/config"
	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
)

// Planned is what a run over one account would pull.
type Planned struct {
	Account string

	// Mailboxes are as in a pass's result; Missing is what would be asked for.
	Mailboxes []mail.MailboxResult

	// Rate is how many bytes per second the last pass delivered, 0 where none
	// delivered enough to tell.
	Rate float64

	// Err is why nothing, or not all, is known of the account, or nil.
	Err error
}

// Plan asks the servers what Once would pull, one account after the other, and
// pulls nothing. It takes no lock and writes nothing, so it may run beside a
// pass. An account that refused sign-ins stopped is not signed in to.
func Plan(ctx context.Context, o Options) []Planned {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	var plans []Planned
	for _, a := range chosen(o.Config, o.Accounts) {
		if ctx.Err() != nil {
			plans = append(plans, Planned{Account: a.Name, Err: pull.Interrupted()})
			continue
		}
		plans = append(plans, planOne(ctx, o.Config, a, o.Log.With("account", a.Name)))
	}
	return plans
}

// planOne plans one account. A library that panics costs it its plan.
func planOne(ctx context.Context, c *config.Config, a config.Account, log *slog.Logger) (plan Planned) {
	plan.Account = a.Name
	defer func() {
		if v := recover(); v != nil {
			plan.Err = pull.Recovered(v, log)
		}
	}()
	before, err := readMemory(c, a.Name)
	if err != nil {
		forgotten(log, err)
	}
	if !before.MaySignIn(time.Now(), func(then string) string { return fingerprint(ctx, a, then) }) {
		plan.Err = signInPaused(before, a.Name)
		return plan
	}
	records, err := checkpoint.View(filepath.Join(c.State, a.Name), a.Name, string(a.Protocol))
	if err != nil {
		plan.Err = err
		return plan
	}
	plan.Rate = rate(records.Passes())
	plan.Mailboxes, plan.Err = pull.Plan(ctx, pull.Options{
		Account: a.Name, Source: NewSource(a, log), Checkpoint: records,
		Choose: chooser(a), Since: a.Since.At(time.Now()), Log: log,
	})
	if ctx.Err() != nil {
		plan.Err = pull.Interrupted()
	}
	for _, m := range plan.Mailboxes {
		if plan.Err == nil {
			plan.Err = m.Err
		}
	}
	return plan
}

// rate returns how many bytes per second the newest of the passes delivered that
// brought enough to tell.
func rate(passes []mail.Pass) float64 {
	const enough = 1e6
	for _, p := range slices.Backward(passes) {
		if took := p.End.Sub(p.Start); p.Bytes >= enough && took > 0 {
			return float64(p.Bytes) / took.Seconds()
		}
	}
	return 0
}
