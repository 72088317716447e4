package daemon

import (
	"context"
	"encoding/json"
	"errors"

	"mailpull/pkg/control"
	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
	"mailpull/pkg/schedule"
)

// commands does what is asked over the socket.
type commands struct{ *Daemon }

// Pull implements control.Handler.
func (d commands) Pull(ctx context.Context, names []string, wait bool) ([]control.Report, error) {
	accounts, err := d.named(names)
	if err != nil {
		return nil, err
	}
	outcomes := make([]<-chan Outcome, len(accounts))
	reports := make([]control.Report, len(accounts))
	for i, a := range accounts {
		outcomes[i] = a.waiters.wait()
		reports[i] = control.Report{Account: a.account.Name, State: control.StateQueued}
	}
	for i, a := range accounts {
		switch err := d.timetable.PullNow(a.account.Name); {
		case errors.Is(err, schedule.ErrPaused):
			reports[i].State, outcomes[i] = control.StatePaused, nil
		case err != nil: // it was just removed, or the daemon is stopping
			reports[i].State, outcomes[i] = control.StateCancelled, nil
		}
	}
	if !wait {
		return reports, nil
	}
	for i, outcome := range outcomes {
		if outcome == nil {
			continue
		}
		select {
		case out := <-outcome:
			reports[i] = out.Report()
		case <-ctx.Done():
			return reports, context.Cause(ctx)
		}
	}
	return reports, nil
}

// Pause implements control.Handler.
func (d commands) Pause(_ context.Context, names []string) error {
	return d.each(names, "account paused", func(a *account) error {
		err := d.timetable.Pause(a.account.Name)
		if err == nil {
			a.mayKeep(false)
		}
		return err
	})
}

// Resume implements control.Handler.
func (d commands) Resume(_ context.Context, names []string) error {
	return d.each(names, "account resumed", func(a *account) error {
		a.mayKeep(true)
		return d.timetable.Resume(a.account.Name)
	})
}

// Reload implements control.Handler.
func (d commands) Reload(context.Context) error { return d.Daemon.Reload() }

// Status implements control.Handler.
func (d commands) Status(context.Context) (json.RawMessage, error) {
	return d.statusJSON()
}

// each does something with each account named, and says so in the log.
func (d commands) each(names []string, said string, do func(*account) error) error {
	accounts, err := d.named(names)
	for _, a := range accounts {
		if derr := do(a); derr != nil {
			err = errors.Join(err, derr)
			continue
		}
		a.log.Info(said)
	}
	return err
}

// named returns the accounts with these names, or all.
func (d commands) named(names []string) ([]*account, error) {
	if len(names) == 0 {
		return d.inOrder(), nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []*account
	for _, name := range names {
		a := d.accounts[name]
		if a == nil {
			return nil, &control.UnknownAccountError{Account: name}
		}
		list = append(list, a)
	}
	return list, nil
}

// PullAll asks for a pass over every account.
func (d *Daemon) PullAll() {
	for _, a := range d.known() {
		_ = d.timetable.PullNow(a.account.Name) // it is paused, or was just removed
	}
}

// Report says how an account fared, over the socket and in the answer of run.
func (out Outcome) Report() control.Report {
	r := control.Report{
		Account: out.Account, State: control.StateOK, New: out.Result.New, Bytes: out.Result.Bytes,
		Missing: out.Result.Missing, Quarantined: out.Result.Quarantined, Excluded: out.Result.Excluded,
		Left: out.Result.Left, LeftBytes: out.Result.LeftBytes,
	}
	switch {
	case out.Locked != nil:
		r.State, r.Error = control.StateCancelled, out.Locked.Error()
		return r
	case out.Err == nil:
		return r
	case errors.Is(out.Err, schedule.ErrPaused):
		r.State = control.StatePaused
		return r
	case errors.Is(out.Err, pull.ErrUnfinished): // as somebody asked for
		r.State = control.StatePartial
		return r
	case errors.Is(out.Err, pull.ErrInterrupted):
		r.State = control.StateCancelled
	case mail.ErrorScope(out.Err) != mail.ScopeAccount:
		r.State = control.StatePartial
	default:
		r.State = control.StateFailed
	}
	r.Class, r.Error, r.Hint = mail.ErrorClass(out.Err), out.Err.Error(), mail.ErrorHint(out.Err)
	return r
}
