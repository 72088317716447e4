// Command mailpull pulls mail from POP3 and IMAP accounts into local Maildir
// and keeps it there. See README.md for the first steps and docs/ for the
// rest.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// version and commit are set by the linker; see the Makefile.
var (
	version = "unknown"
	commit  = "unknown"
)

// softMemory leaves room below 32 MiB for what is not Go's: 13 MiB of the program
// itself, as far as it was read into memory.
const softMemory = 18 << 20

func main() {
	limitMemory(softMemory)
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// limitMemory sets a soft limit, unless GOMEMLIMIT does: the collector works
// harder before the program grows beyond what it promises. What is really needed
// is still had.
func limitMemory(limit int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit)
	}
}

// run is the whole program: arguments in, exit code out.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	ctx, stop := a.signals()
	defer stop()

	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		// Everything else comes from cobra: a command or a flag it does not know.
		exit = &exitError{code: exitUsage, err: err}
	}
	if text := exit.Error(); text != "" {
		a.complain(exit)
	}
	return exit.code
}

// app is what the commands share.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	configFlag string
	verbose    int
	logFormat  string
	shard      string

	// signal is the number of the one that ended the run, or 0.
	signal atomic.Int32
}

// signals returns a context that ends with the first SIGINT or SIGTERM. The
// second one has its usual effect and ends the process at once.
func (a *app) signals() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() { // it ends with stop
		select {
		case s := <-ch:
			signal.Stop(ch)
			number, _ := s.(syscall.Signal)
			a.signal.Store(int32(number))
			cancel()
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(ch)
		close(done)
		cancel()
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "mailpull",
		Short: "Pull mail that somebody else hosts into Maildir, exactly once",
		Long: `mailpull pulls mail from POP3 and IMAP accounts into local Maildir and keeps
it there. It remembers what it has delivered, goes on where it was stopped,
and never brings a message twice.`,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	flags := root.PersistentFlags()
	flags.StringVar(&a.configFlag, "config", "", "configuration `file` (default: $MAILPULL_CONFIG, then the usual places)")
	flags.CountVarP(&a.verbose, "verbose", "v", "say more; twice for everything")
	flags.StringVar(&a.logFormat, "log-format", "text", "log as `text` or json")
	flags.StringVar(&a.shard, "shard", "", "take only the `part` of the accounts that belongs to one of several machines, such as 0/3")
	root.AddCommand(
		a.runCommand(),
		a.daemonCommand(),
		a.pullCommand(),
		a.pauseCommand(),
		a.resumeCommand(),
		a.reloadCommand(),
		a.healthCommand(),
		a.statusCommand(),
		a.mailboxesCommand(),
		a.quarantineCommand(),
		a.configCommand(),
		a.demoCommand(),
		a.versionCommand(),
	)
	return root
}

// logger writes to w at the level that -v asks for.
func (a *app) logger(w io.Writer) (*slog.Logger, error) {
	options := &slog.HandlerOptions{Level: a.level()}
	switch a.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, usage("--log-format %q is not known; write text or json", a.logFormat)
}

// level is the lowest level that is logged.
func (a *app) level() slog.Level {
	switch a.verbose {
	case 0:
		return slog.LevelWarn
	case 1:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// complain writes an error for a person: what, where, and what to do.
func (a *app) complain(err error) {
	a.explain("", err)
}

// explain writes an error of one account, or of all when account is empty.
func (a *app) explain(account string, err error) {
	prefix := "mailpull: "
	for line := range strings.Lines(err.Error()) {
		if account != "" {
			line = account + ": " + line
		}
		fmt.Fprintln(a.stderr, prefix+strings.TrimRight(line, "\n"))
	}
	if hint := hintFor(err); hint != "" {
		fmt.Fprintln(a.stderr, prefix+"hint: "+hint)
	}
}

// usage is an error in how the command was called.
func usage(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// isTerminal reports whether w is a terminal that understands control
// sequences.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}
