package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"mailpull/pkg/config"
	"mailpull/pkg/control"
	"mailpull/pkg/daemon"
	"mailpull/pkg/display"
	"mailpull/pkg/mail"
	"mailpull/pkg/metrics"
	"mailpull/pkg/pull"
)

func (a *app) runCommand() *cobra.Command {
	var flags runFlags
	var maxBytes string
	ifLocked := "skip"
	cmd := &cobra.Command{
		Use:   "run [ACCOUNT...]",
		Short: "Pull all accounts, or those named, once",
		Long: `Pull all accounts, or those named, once, and exit.

On a terminal one live line shows the progress, and a table tells at the end
what the server has and what the archive has. Elsewhere a run that succeeds
says nothing, as cron likes it; one that takes longer writes a line every 30
seconds. An account that another process is pulling is passed over.

--max-runtime and --max-bytes end a run early, between two groups of messages.
That is no failure: what came is kept, and the next run goes on from there. The
table, and --json, say how much is left.

--dry-run signs in, looks into the mailboxes that may have news, and says what a
run would ask for, about how large it is and how long it takes at the speed of the
last pass that brought a megabyte. It needs no lock. What the archive has and the
records do not know counts as well.

Exit codes: 0 everything is archived; 69 an account failed for good; 74 the
local disk; 75 the next run may fix it; 77 sign-in refused; 78 configuration;
130 and 143 interrupted, with the progress kept.`,
		ValidArgsFunction: a.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			if ifLocked != "skip" && ifLocked != "fail" {
				return usage("--if-locked=%s is not known; write skip or fail", ifLocked)
			}
			cfg, err := a.loadFor(args)
			if err != nil {
				return err
			}
			if flags.dryRun {
				return a.planOnce(cmd, cfg, args, flags)
			}
			flags.lockedFails = ifLocked == "fail"
			if maxBytes != "" {
				if flags.maxBytes, err = config.ParseSize(maxBytes); err != nil {
					return usage("--max-bytes %v", err)
				}
			}
			return a.pullOnce(cmd, cfg, args, flags)
		},
	}
	cmd.Flags().DurationVar(&flags.maxRuntime, "max-runtime", 0, "end the run after so long, such as 30m; the next one goes on from there")
	cmd.Flags().StringVar(&maxBytes, "max-bytes", "", "end the run when so much mail was read, such as 2GB; a `size`")
	cmd.Flags().BoolVarP(&flags.quiet, "quiet", "q", false, "no progress and no table, also on a terminal")
	cmd.Flags().BoolVarP(&flags.dryRun, "dry-run", "n", false, "only ask the servers what a run would pull; nothing is written")
	cmd.Flags().BoolVar(&flags.asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&ifLocked, "if-locked", ifLocked, "when another process has the account: `skip` it, or fail with 75")
	cmd.Flags().StringVar(&flags.metricsFile, "metrics-file", "", "write the metrics of all accounts to `file` at the end, for node_exporter's textfile collector")
	for _, other := range []string{"max-runtime", "max-bytes", "metrics-file", "if-locked"} {
		cmd.MarkFlagsMutuallyExclusive("dry-run", other)
	}
	return cmd
}

// runFlags are the flags of run.
type runFlags struct {
	quiet, asJSON, dryRun, lockedFails bool
	metricsFile                        string
	maxRuntime                         time.Duration
	maxBytes                           int64
}

// pullOnce makes the passes and tells how they went.
func (a *app) pullOnce(cmd *cobra.Command, cfg *config.Config, accounts []string, flags runFlags) error {
	live := !flags.quiet && isTerminal(a.stderr)
	out := io.Writer(a.stderr)
	var observe func(string) pull.Observer
	done := func() {}
	if !flags.quiet {
		p := newProgress(a.stderr, live)
		out, done = p, p.Close
		observe = func(account string) pull.Observer { return p.observe(account) }
	}
	log, err := a.logger(out)
	if err != nil {
		return err
	}
	outcomes := daemon.Once(cmd.Context(), daemon.Options{Config: cfg, Accounts: accounts, Observe: observe, Log: log, MaxRuntime: flags.maxRuntime, MaxBytes: flags.maxBytes})
	done()

	if live {
		writeOutcomes(a.stderr, outcomes)
	}
	if flags.asJSON {
		reports := make([]control.Report, len(outcomes))
		for i, o := range outcomes {
			reports[i] = o.Report()
		}
		if err := a.writeReports(reports); err != nil {
			return err
		}
	}
	if flags.metricsFile != "" {
		build := metrics.Build{Version: version, Revision: commit, GoVersion: runtime.Version()}
		if err := daemon.WriteMetrics(flags.metricsFile, cfg, build, outcomes); err != nil {
			log.Warn("metrics were not written", "err", err) // the mail is what counts
		}
	}
	return a.judge(outcomes, flags.lockedFails)
}

// judge complains about what failed and chooses the exit code.
func (a *app) judge(outcomes []daemon.Outcome, lockedFails bool) error {
	var codes []int
	for _, o := range outcomes {
		switch {
		case o.Locked != nil && lockedFails:
			a.explain(o.Account, o.Locked)
			codes = append(codes, exitTemporary)
		case errors.Is(o.Err, pull.ErrUnfinished): // as somebody asked for
		case o.Err != nil:
			a.explain(o.Account, o.Err)
			codes = append(codes, codeOf(o.Err))
		}
	}
	code := worst(codes)
	if code == exitOK {
		return nil
	}
	switch syscall.Signal(a.signal.Load()) {
	case syscall.SIGINT:
		code = exitInterrupt
	case syscall.SIGTERM:
		code = exitTerminate
	}
	return &exitError{code: code}
}

// writeOutcomes writes a table of all mailboxes and a verdict for each
// account.
func writeOutcomes(w io.Writer, outcomes []daemon.Outcome) {
	t := newTable(w, "ACCOUNT", "MAILBOX", "SERVER", "ARCHIVED", "NEW", "MISSING", "QUARANTINED", "EXCLUDED")
	t.hideZeros = []string{"QUARANTINED", "EXCLUDED"}
	for _, o := range outcomes {
		for _, m := range o.Result.Mailboxes {
			t.row(o.Account, printable(string(m.Mailbox)), display.Grouped(m.Server), display.Grouped(m.Archived), display.Grouped(m.New), display.Grouped(m.Missing), display.Grouped(m.Quarantined), display.Grouped(m.Excluded))
		}
	}
	t.flush()
	for _, o := range outcomes {
		if o.Locked != nil || len(o.Result.Mailboxes) > 0 || errors.Is(o.Err, pull.ErrUnfinished) { // else its error says all
			fmt.Fprintln(w, verdict(o))
		}
	}
}

// verdict says in one line how an account fared.
func verdict(o daemon.Outcome) string {
	if o.Locked != nil {
		return fmt.Sprintf("%s: passed over, %v", o.Account, o.Locked)
	}
	if len(o.Result.Mailboxes) == 0 {
		return fmt.Sprintf("%s: not begun; %s left from earlier%s", o.Account, display.Grouped(o.Result.Left), inAll(o.Result.LeftBytes))
	}
	var sum mail.MailboxResult
	for _, m := range o.Result.Mailboxes {
		sum.Server += m.Server
		sum.Archived += m.Archived
		sum.Gone += m.Gone
		sum.Missing += m.Missing
		sum.MissingBytes += m.MissingBytes
		sum.Quarantined += m.Quarantined
		sum.Excluded += m.Excluded
	}
	text := fmt.Sprintf("%s: %s; %s new, %s in %s", o.Account, balance(sum),
		display.Grouped(o.Result.New), display.Size(o.Result.Bytes), took(o.Result.End.Sub(o.Result.Start)))
	if o.Result.Left > 0 {
		text += fmt.Sprintf("; %s left for the next run", display.Grouped(o.Result.Left))
	}
	if sum.Gone > 0 {
		text += fmt.Sprintf("; %s gone from the server meanwhile", display.Grouped(sum.Gone))
	}
	return text
}

// balance compares what the server has with what the archive has.
func balance(m mail.MailboxResult) string {
	text := fmt.Sprintf("server %s, archived %s, missing %s", display.Grouped(m.Server), display.Grouped(m.Archived), display.Grouped(m.Missing))
	text += inAll(m.MissingBytes)
	if m.Quarantined > 0 {
		text += fmt.Sprintf(", in quarantine %s", display.Grouped(m.Quarantined))
	}
	if m.Excluded > 0 {
		text += fmt.Sprintf(", older than since %s", display.Grouped(m.Excluded))
	}
	return text
}

// inAll says about how large messages are together, and nothing where nobody knows.
func inAll(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return fmt.Sprintf(" (about %s)", display.Size(bytes))
}

// loadFor loads the configuration and refuses names of accounts that it does not
// have.
func (a *app) loadFor(names []string) (*config.Config, error) {
	cfg, err := a.load()
	if err != nil {
		return nil, err
	}
	return cfg, checkAccounts(cfg, names)
}

// checkAccounts refuses names that the configuration does not have.
func checkAccounts(cfg *config.Config, names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(cfg.Accounts, func(a config.Account) bool { return a.Name == name }) {
			return usage("there is no account %q; the configuration has %s", name, accountNames(cfg))
		}
	}
	return nil
}
