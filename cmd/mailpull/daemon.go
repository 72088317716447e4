package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"mailpull/pkg/config"
	"mailpull/pkg/control"
	"mailpull/pkg/daemon"
	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/metrics"
	"mailpull/pkg/systemd"
)

func (a *app) daemonCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "daemon",
		Short: "Pull each account when it is due, for as long as the process lives",
		Long: `Pull each account when it is due: by every or cron of the configuration, and at
once when a server with idle tells of new mail. Metrics and a status page are
on daemon.listen.

SIGTERM and SIGINT drain: what is in hand is committed, within 10 seconds; a
second one ends the process at once. SIGHUP reads the configuration again: a
bad one changes nothing, and accounts that did not change are not disturbed.
SIGUSR1 pulls all accounts now.

Exit codes: 0 after a drain; 69 the listener cannot be had; 74 the state folder;
75 another daemon has the state folder; 78 configuration.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serve(cmd.Context()) },
	}
}

// serve runs the daemon until ctx ends.
func (a *app) serve(ctx context.Context) error {
	cfg, err := a.loadForDaemon()
	if err != nil {
		return err
	}
	if a.verbose == 0 {
		a.verbose = 1 // its log is what a daemon has to tell
	}
	log, err := a.serviceLogger(a.stderr)
	if err != nil {
		return err
	}
	d, err := daemon.Start(daemon.ServiceOptions{
		Config: cfg,
		Load:   a.loadForDaemon,
		Build:  metrics.Build{Version: version, Revision: commit, GoVersion: runtime.Version()},
		Log:    log,
	})
	if err != nil {
		return &exitError{code: startCode(err), err: err}
	}
	stop := onSignals(d, log)
	defer stop()
	if err := d.Run(ctx); err != nil {
		return &exitError{code: exitUnavailable, err: err}
	}
	return nil
}

// memoryOfAccount is what an account of a daemon may need at rest: its place in
// the timetable, its numbers, and its lines in an answer to a scrape. It is three
// times what was measured.
const memoryOfAccount = 64 << 10

// loadForDaemon loads the configuration and makes room for its accounts: with
// the limit of a single run the collector would never rest.
func (a *app) loadForDaemon() (*config.Config, error) {
	cfg, err := a.load()
	if err == nil {
		limitMemory(softMemory + int64(len(cfg.Accounts))*memoryOfAccount)
	}
	return cfg, err
}

// serviceLogger writes to the journal of systemd where stderr is one.
func (a *app) serviceLogger(w io.Writer) (*slog.Logger, error) {
	plain, err := a.logger(w)
	if err != nil {
		return nil, err
	}
	if a.logFormat == "text" && systemd.UnderJournal() {
		return slog.New(systemd.NewHandler(a.level(), plain.Handler())), nil
	}
	return plain, nil
}

// onSignals lets SIGHUP and SIGUSR1 have their effect until stop is called.
func onSignals(d *daemon.Daemon, log *slog.Logger) (stop func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1)
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() { // stop waits for it
		defer close(ended)
		for {
			select {
			case s := <-signals:
				if s == syscall.SIGUSR1 {
					log.Info("pulling all accounts now", "signal", "USR1")
					d.PullAll()
					continue
				}
				_ = d.Reload() // it logs what it does and why not
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
		<-ended
	}
}

// startCode is the exit code of a daemon that could not start.
func startCode(err error) int {
	var classified *mail.Error
	switch {
	case errors.Is(err, durable.ErrLocked), errors.Is(err, control.ErrInUse):
		return exitTemporary
	case errors.As(err, &classified):
		return codeOf(err)
	}
	return exitUnavailable
}
