package daemon

import (
	"bytes"
	"errors"
	"path/filepath"

	"mailpull/pkg/checkpoint"
	"mailpull/pkg/config"
	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/metrics"
	"mailpull/pkg/pull"
)

// WriteMetrics writes a file for node_exporter's textfile collector: what the
// records say of every account of c, and what outcomes counted. It takes no
// lock. The file is replaced as a whole or not at all.
func WriteMetrics(path string, c *config.Config, build metrics.Build, outcomes []Outcome) error {
	var accounts []metrics.Account
	for _, a := range c.Accounts {
		accounts = append(accounts, metrics.Account{Name: a.Name, Protocol: string(a.Protocol), Host: a.Host})
	}
	m := metrics.New(build, accounts)
	for _, a := range c.Accounts {
		m.Restore(a.Name, recorded(c, a))
	}
	for _, out := range outcomes {
		if out.Locked == nil {
			m.Count(out.Account, runOf(out))
		}
	}
	var text bytes.Buffer
	if err := metrics.Write(&text, m); err != nil {
		return err
	}
	return durable.WriteShared(path, text.Bytes())
}

// recorded reads an account's checkpoint. One that cannot be read says
// nothing, which looks as if the account had never had a run: whoever watches
// the age of the last success is told.
func recorded(c *config.Config, a config.Account) metrics.State {
	var s metrics.State
	dir, err := durable.OpenDir(filepath.Join(c.State, a.Name))
	if err != nil {
		return s
	}
	defer dir.Close() // it was only read
	summary, err := checkpoint.Read(dir, a.Name)
	if err != nil {
		return s
	}
	for _, box := range summary.Mailboxes {
		s.Archived += box.Seen
		s.Server += max(box.Server, 0)
		s.Quarantined += box.Quarantined
		s.Excluded += box.Excluded
	}
	if p := summary.LastComplete; p != nil {
		s.LastSuccess = p.End
	}
	s.Mailboxes = len(summary.Mailboxes)
	if p := summary.LastPass; p != nil {
		s.LastAttempt, s.Pending, s.PendingBytes, s.Checkpoint = p.Start, p.Missing, p.MissingBytes, p.End
	}
	return s
}

// runOf says in numbers how an account fared.
func runOf(out Outcome) metrics.Run {
	r := metrics.Run{
		Result: resultOf(out), Panicked: out.Result.Panicked || errors.Is(out.Err, pull.ErrPanic),
		Start: out.Result.Start, End: out.Result.End,
		Messages: out.Result.New, Bytes: out.Result.Bytes,
		Quarantined: out.Result.Quarantined, Renumbered: out.Result.Renumbered,
	}
	if out.Err != nil && r.Result != metrics.Cancelled && !errors.Is(out.Err, pull.ErrUnfinished) {
		r.Class = mail.ErrorClass(out.Err)
	}
	for _, box := range out.Result.Mailboxes {
		r.Vanished += box.Gone
	}
	return r
}

func resultOf(out Outcome) metrics.Result {
	switch {
	case out.Err == nil:
		return metrics.OK
	case errors.Is(out.Err, pull.ErrInterrupted):
		return metrics.Cancelled
	case errors.Is(out.Err, pull.ErrUnfinished), mail.ErrorScope(out.Err) != mail.ScopeAccount:
		return metrics.Partial
	}
	return metrics.Failed
}
