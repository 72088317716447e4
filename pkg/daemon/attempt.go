package daemon

import (
	"context"
	"errors"
	"log/slog"

	"mailpull/pkg/config"
	"mailpull/pkg/durable"
	"mailpull/pkg/pull"
)

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

// attempt is one pass over one account, from taking its lock to giving it back.
type attempt struct {
	config   *config.Config
	account  config.Account
	source   pull.Source
	observer pull.Observer // nil: nobody watches
	log      *slog.Logger

	// newest and yield are what a turn of the timetable asks for.
	newest int
	yield  func() bool

	// opened is called before the pass with the account put together, or nil.
	opened func(*worker)
}

// run makes the pass and turns its panic into an error.
func (t attempt) run(ctx context.Context) (out Outcome) {
	defer func() {
		if v := recover(); v != nil {
			out = Outcome{Account: t.account.Name, Result: pull.Result{Panicked: true}, Err: pull.Recovered(v, t.log)}
		}
	}()

	out = Outcome{Account: t.account.Name}
	w, err := open(t.config, t.account, t.source, t.log)
	var locked *durable.LockedError
	switch {
	case errors.As(err, &locked):
		out.Locked = locked
		t.log.Info("skipped, another process holds the lock", "pid", locked.PID)
		return out
	case err != nil:
		out.Err = err
		return out
	}
	defer w.close()

	if t.opened != nil {
		t.opened(w)
	}
	out.Result, out.Err = w.pass(ctx, t)
	t.report(out)
	return out
}

// report logs one line for each pass, and only to whoever wants everything when
// it brought nothing.
func (t attempt) report(out Outcome) {
	r := out.Result
	args := []any{"source", t.account.Protocol, "mailboxes", len(r.Mailboxes), "new", r.New, "bytes", r.Bytes, "took", r.End.Sub(r.Start)}
	if r.Quarantined > 0 {
		args = append(args, "quarantined", r.Quarantined)
	}
	if r.Excluded > 0 {
		args = append(args, "excluded", r.Excluded)
	}
	switch {
	case errors.Is(out.Err, pull.ErrUnfinished):
		t.log.Info("pass done", append(args, "left", r.Left, "left_bytes", r.LeftBytes)...)
	case out.Err != nil:
		t.log.Info("pass failed", append(args, "missing", r.Missing, "class", string(r.Class), "err", out.Err)...)
	case r.New == 0:
		t.log.Debug("pass done", args...)
	default:
		t.log.Info("pass done", args...)
	}
}
