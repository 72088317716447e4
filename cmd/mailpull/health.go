package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mailpull/pkg/config"
	"mailpull/pkg/control"
	"mailpull/pkg/daemon"
	"mailpull/pkg/display"
)

// healthLimit is how long a daemon may take to say how it is.
const healthLimit = 5 * time.Second

// healthAnswer is the JSON answer of health.
type healthAnswer struct {
	SchemaVersion int      `json:"schema_version"`
	Healthy       bool     `json:"healthy"`
	Accounts      int      `json:"accounts"`
	Problem       string   `json:"problem,omitempty"`
	Stale         []string `json:"stale_accounts,omitempty"`
}

func (a *app) healthCommand() *cobra.Command {
	var asJSON bool
	var maxAge time.Duration
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Say whether the daemon is alive, or whether the archive is fresh",
		Long: `Say whether the running daemon is alive: its timetable and its passes move. It
is what a container's HEALTHCHECK calls.

With --max-age no daemon is asked: the records say whether the last complete
pass of every account is younger than that.

Exit codes: 0 healthy; 69 no daemon answers, or it is stuck; 75 an account is
older than --max-age.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("max-age") && maxAge <= 0 {
				return usage("--max-age %s is no age; write for example 26h", maxAge)
			}
			cfg, err := a.load()
			if err != nil {
				return err
			}
			answer, code := alive(cmd.Context(), cfg), exitUnavailable
			if maxAge > 0 {
				answer, code = fresh(cfg, maxAge), exitTemporary
			}
			return a.showHealth(answer, code, asJSON)
		},
	}
	cmd.Flags().DurationVar(&maxAge, "max-age", 0, "how old the last complete pass of an account may be, such as 26h")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// alive asks the daemon.
func alive(ctx context.Context, cfg *config.Config) healthAnswer {
	ctx, cancel := context.WithTimeout(ctx, healthLimit)
	defer cancel()
	answer := healthAnswer{SchemaVersion: schemaVersion, Accounts: len(cfg.Accounts)}
	client, err := control.Dial(daemon.SocketPath(cfg))
	if err != nil {
		answer.Problem = err.Error()
		return answer
	}
	text, err := client.Status(ctx)
	var status struct {
		Problem  string `json:"problem"`
		Accounts []any  `json:"accounts"`
	}
	if err == nil {
		err = json.Unmarshal(text, &status)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		answer.Problem = fmt.Sprintf("the daemon does not answer within %s", healthLimit)
	case err != nil:
		answer.Problem = err.Error()
	default:
		answer.Problem, answer.Accounts = status.Problem, len(status.Accounts)
	}
	answer.Healthy = answer.Problem == ""
	return answer
}

// fresh reads the records.
func fresh(cfg *config.Config, maxAge time.Duration) healthAnswer {
	answer := healthAnswer{SchemaVersion: schemaVersion, Accounts: len(cfg.Accounts)}
	for _, account := range cfg.Accounts {
		status := statusOf(cfg, account)
		if status.State == "unreadable" {
			answer.Problem = account.Name + ": " + status.LastError
		}
		if last := status.LastComplete; last == nil || time.Since(*last) > maxAge {
			answer.Stale = append(answer.Stale, account.Name)
		}
	}
	answer.Healthy = len(answer.Stale) == 0
	if !answer.Healthy && answer.Problem == "" {
		answer.Problem = fmt.Sprintf("no complete pass within %s: %s", maxAge, strings.Join(answer.Stale, ", "))
	}
	return answer
}

// showHealth prints an answer; code is the exit code when it is bad.
func (a *app) showHealth(answer healthAnswer, code int, asJSON bool) error {
	switch {
	case asJSON:
		if err := writeJSON(a.stdout, answer); err != nil {
			return err
		}
	case answer.Healthy:
		fmt.Fprintf(a.stdout, "healthy, accounts: %s\n", display.Grouped(answer.Accounts))
	}
	if answer.Healthy {
		return nil
	}
	if asJSON {
		return &exitError{code: code}
	}
	return &exitError{code: code, err: errors.New(answer.Problem)}
}
