package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"mailpull/pkg/config"
	"mailpull/pkg/daemon"
	"mailpull/pkg/display"
)

// The JSON answer of run --dry-run, for one account and one mailbox. The bytes are
// an estimate, 0 where nobody knows; so are the seconds.
type (
	planAnswer struct {
		Account   string          `json:"account"`
		ToPull    int             `json:"to_pull"`
		Bytes     int64           `json:"to_pull_bytes"`
		Seconds   float64         `json:"seconds"`
		Mailboxes []plannedAnswer `json:"mailboxes"`
		Error     string          `json:"error,omitempty"`
	}

	plannedAnswer struct {
		Name        string `json:"name"`
		Server      int    `json:"server"`
		Archived    int    `json:"archived"`
		Quarantined int    `json:"quarantined"`
		Excluded    int    `json:"excluded"`
		ToPull      int    `json:"to_pull"`
		Bytes       int64  `json:"to_pull_bytes"`
		Error       string `json:"error,omitempty"`
	}
)

// planOnce says what a run would pull, and chooses the exit code as a run does.
func (a *app) planOnce(cmd *cobra.Command, cfg *config.Config, accounts []string, flags runFlags) error {
	log, err := a.logger(a.stderr)
	if err != nil {
		return err
	}
	plans := daemon.Plan(cmd.Context(), daemon.Options{Config: cfg, Accounts: accounts, Log: log})
	answers := make([]planAnswer, len(plans))
	outcomes := make([]daemon.Outcome, len(plans))
	for i, plan := range plans {
		answers[i] = planAnswerOf(plan)
		outcomes[i] = daemon.Outcome{Account: plan.Account, Err: plan.Err}
	}
	if flags.asJSON {
		err = writeJSON(a.stdout, struct {
			SchemaVersion int          `json:"schema_version"`
			Accounts      []planAnswer `json:"accounts"`
		}{schemaVersion, answers})
		if err != nil {
			return err
		}
	} else {
		writePlans(a.stdout, answers)
	}
	return a.judge(outcomes, false)
}

func planAnswerOf(plan daemon.Planned) planAnswer {
	answer := planAnswer{Account: plan.Account, Mailboxes: []plannedAnswer{}}
	if plan.Err != nil {
		answer.Error = plan.Err.Error()
	}
	known := true
	for _, m := range plan.Mailboxes {
		one := plannedAnswer{string(m.Mailbox), m.Server, m.Archived, m.Quarantined, m.Excluded, m.Missing, m.MissingBytes, ""}
		if m.Err != nil {
			one.Error = m.Err.Error()
		}
		answer.Mailboxes = append(answer.Mailboxes, one)
		answer.ToPull += m.Missing
		answer.Bytes += m.MissingBytes
		known = known && (m.Missing == 0 || m.MissingBytes > 0)
	}
	if !known {
		answer.Bytes = 0 // a part would look like the whole
	}
	if plan.Rate > 0 {
		answer.Seconds = float64(answer.Bytes) / plan.Rate
	}
	return answer
}

// writePlans writes a table of all mailboxes and a line for each account that
// could be asked.
func writePlans(w io.Writer, answers []planAnswer) {
	t := newTable(w, "ACCOUNT", "MAILBOX", "SERVER", "ARCHIVED", "QUARANTINED", "EXCLUDED", "TO PULL", "ABOUT")
	t.hideZeros = []string{"QUARANTINED", "EXCLUDED"}
	for _, answer := range answers {
		for _, m := range answer.Mailboxes {
			about := "-"
			if m.Bytes > 0 {
				about = display.Size(m.Bytes)
			}
			t.row(answer.Account, printable(m.Name), display.Grouped(m.Server), display.Grouped(m.Archived), display.Grouped(m.Quarantined), display.Grouped(m.Excluded), display.Grouped(m.ToPull), about)
		}
	}
	t.flush()
	for _, answer := range answers {
		if answer.Error != "" && len(answer.Mailboxes) == 0 {
			continue // its error says all
		}
		text := fmt.Sprintf("%s: %s messages to pull%s", answer.Account, display.Grouped(answer.ToPull), inAll(answer.Bytes))
		if answer.Seconds > 0 {
			text += fmt.Sprintf(", about %s at the speed of an earlier pass", display.Roughly(time.Duration(min(answer.Seconds, 1e9)*float64(time.Second))))
		}
		fmt.Fprintln(w, text)
	}
}
