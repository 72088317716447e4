package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"mailpull/pkg/config"
	"mailpull/pkg/control"
	"mailpull/pkg/daemon"
	"mailpull/pkg/display"
	"mailpull/pkg/mail"
)

func (a *app) pullCommand() *cobra.Command {
	var noWait, asJSON bool
	cmd := &cobra.Command{
		Use:   "pull [ACCOUNT...]",
		Short: "Let the daemon pull all accounts, or those named, now",
		Long: `Let the running daemon pull all accounts, or those named, now, and wait for the
passes to end. An account whose sign-in was refused is tried once.

Exit codes are those of run; 69 when no daemon is running.`,
		ValidArgsFunction: a.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, client, err := a.dial(args)
			if err != nil {
				return err
			}
			reports, err := client.Pull(cmd.Context(), args, !noWait)
			if err != nil {
				return controlError(err)
			}
			return a.showReports(reports, asJSON)
		},
	}
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait for the passes to end")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) pauseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pause ACCOUNT...",
		Short: "Let no pass over the accounts begin until they are resumed",
		Long: `Let no pass over the accounts begin until mailpull resume. A pass that runs is
not stopped. It holds for the daemon, also for one that is started later; mailpull
run is not bound by it.`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.change(cmd.Context(), args, (*control.Client).Pause, daemon.Pause)
		},
	}
}

func (a *app) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resume [ACCOUNT...]",
		Short: "Let all accounts, or those named, go on after a pause or refused sign-ins",
		Long: `Let all accounts, or those named, go on after mailpull pause, or after sign-ins
that were refused: the next pass signs in again.`,
		ValidArgsFunction: a.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.change(cmd.Context(), args, (*control.Client).Resume, daemon.Resume)
		},
	}
}

func (a *app) reloadCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Let the daemon read its configuration again",
		Long: `Let the running daemon read its configuration again, as SIGHUP does, and tell
what is wrong with it. A bad one changes nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, client, err := a.dial(nil)
			if err != nil {
				return err
			}
			return controlError(client.Reload(cmd.Context()))
		},
	}
}

// dial loads the configuration, which says where the daemon's socket is, and
// reaches the daemon.
func (a *app) dial(accounts []string) (*config.Config, *control.Client, error) {
	cfg, err := a.loadFor(accounts)
	if err != nil {
		return nil, nil, err
	}
	client, err := control.Dial(daemon.SocketPath(cfg))
	if err != nil {
		return cfg, nil, controlError(err)
	}
	return cfg, client, nil
}

// change asks the daemon, and where none runs it changes what the next one
// will find.
func (a *app) change(ctx context.Context, accounts []string, ask func(*control.Client, context.Context, []string) error,
	write func(*config.Config, []string) error,
) error {
	cfg, client, err := a.dial(accounts)
	switch {
	case errors.Is(err, control.ErrNoDaemon):
		return write(cfg, accounts)
	case err != nil:
		return err
	}
	return controlError(ask(client, ctx, accounts))
}

// showReports tells how the passes went and chooses the exit code.
func (a *app) showReports(reports []control.Report, asJSON bool) error {
	if asJSON {
		if err := a.writeReports(reports); err != nil {
			return err
		}
	} else {
		t := newTable(a.stdout, "ACCOUNT", "STATE", "NEW", "MISSING", "QUARANTINED")
		t.hideZeros = []string{"QUARANTINED"}
		for _, r := range reports {
			t.row(r.Account, string(r.State), display.Grouped(r.New), display.Grouped(r.Missing), display.Grouped(r.Quarantined))
		}
		t.flush()
	}
	var codes []int
	for _, r := range reports {
		if r.Error == "" {
			continue
		}
		err := reported(r)
		a.explain(r.Account, err)
		codes = append(codes, codeOf(err))
	}
	if code := worst(codes); code != exitOK {
		return &exitError{code: code}
	}
	return nil
}

// writeReports writes how passes went as JSON.
func (a *app) writeReports(reports []control.Report) error {
	return writeJSON(a.stdout, struct {
		SchemaVersion int              `json:"schema_version"`
		Accounts      []control.Report `json:"accounts"`
	}{schemaVersion, reports})
}

// reported makes an error of what a report says, so that it is explained and has
// its exit code as if the pass had been made here.
func reported(r control.Report) error {
	scope := mail.ScopeAccount
	if r.State == control.StatePartial {
		scope = mail.ScopeMailbox
	}
	return &mail.Error{Scope: scope, Class: r.Class, Hint: r.Hint, Err: errors.New(r.Error)}
}

// daemonStatus asks a running daemon how it is; nil when none runs, or when it
// does not answer soon: the checkpoints tell the rest.
func daemonStatus(ctx context.Context, cfg *config.Config) json.RawMessage {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client, err := control.Dial(daemon.SocketPath(cfg))
	if err != nil {
		return nil
	}
	status, err := client.Status(ctx)
	if err != nil {
		return nil
	}
	return status
}

// controlError gives what the socket said an exit code.
func controlError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, control.ErrNoDaemon):
		return &exitError{code: exitUnavailable, err: fmt.Errorf("%w; start one with: mailpull daemon", err)}
	case errors.Is(err, control.ErrUnknownAccount):
		return &exitError{code: exitUsage, err: fmt.Errorf("%w; if it is new in the file, run: mailpull reload", err)}
	}
	return &exitError{code: codeOf(err), err: err}
}
