package faults

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"mailpull/pkg/checkpoint"
	"mailpull/pkg/config"
	"mailpull/pkg/daemon"
	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/secret"
)

const (
	// l3WorkerEnv makes the test binary a worker: it obeys the orders on its
	// standard input until that ends, which it does with the parent's death.
	l3WorkerEnv = "MAILPULL_SOAK_WORKER"

	// l3RoundLimit is far above what a round can take when every wait ends.
	l3RoundLimit = 10 * time.Minute

	// l3SoftMemory is the soft limit of memory that the program has.
	l3SoftMemory = 22 << 20
)

// l3Order tells a worker to make one pass over each of the accounts.
type l3Order struct {
	Archive, State, CAFile string
	Accounts               []l3Login
}

// l3Login is one account of an order.
type l3Login struct {
	Name     string
	Protocol config.Protocol
	Security config.Security
	Port     int

	// Retry has the account ask for what is in quarantine, as a person does with
	// mailpull quarantine retry: its last rounds have no faults any more.
	Retry bool
}

// l3Report is how a round went, and what the worker holds after it.
type l3Report struct {
	Outcomes []l3Outcome

	RSS, Peak       int64 // bytes; RSS at rest, Peak at any time
	FDs, Goroutines int
}

// l3Outcome is how one account fared in a round.
type l3Outcome struct {
	Account string
	New     int
	Locked  bool
	Class   mail.Class // of Err
	Err     string     // empty when the account was complete
}

// l3Worker obeys orders until there are no more, and returns the exit code.
func l3Worker(in io.Reader, out io.Writer) int {
	debug.SetGCPercent(100)
	debug.SetMemoryLimit(l3SoftMemory)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	orders, reports := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var order l3Order
		if err := orders.Decode(&order); err != nil {
			return 0 // the parent has gone, or wants no more
		}
		report := l3Report{Outcomes: l3Round(order, log)}
		if err := report.measure(); err != nil {
			log.Error("measuring", "err", err)
			return 1
		}
		if err := reports.Encode(report); err != nil {
			log.Error("reporting", "err", err)
			return 1
		}
	}
}

// l3Round is what mailpull run does.
func l3Round(order l3Order, log *slog.Logger) []l3Outcome {
	c := &config.Config{Archive: order.Archive, State: order.State}
	for _, login := range order.Accounts {
		c.Accounts = append(c.Accounts, config.Account{
			Name: login.Name, Protocol: login.Protocol, Host: "127.0.0.1", Port: login.Port, Security: login.Security,
			CAFile: order.CAFile, Username: username, Password: secret.Source{Plain: secret.New(password)},
			Mailboxes: config.Selection{Include: []string{"*"}}, Connections: 1, Layout: config.MaildirPP, IdleTimeout: l3Idle,
		})
	}
	for _, login := range order.Accounts {
		if err := login.retry(order.State); err != nil {
			log.Error("quarantine", "account", login.Name, "err", err)
		}
	}
	var outcomes []l3Outcome
	// Servers refuse sign-ins now and then; an operator who sees that lets the
	// account go on.
	if err := daemon.Resume(c, nil); err != nil {
		log.Error("resume", "err", err)
	}
	for _, o := range daemon.Once(context.Background(), daemon.Options{Config: c, Log: log}) {
		outcome := l3Outcome{Account: o.Account, New: o.Result.New, Locked: o.Locked != nil}
		if o.Err != nil {
			outcome.Class, outcome.Err = mail.ErrorClass(o.Err), o.Err.Error()
		}
		outcomes = append(outcomes, outcome)
	}
	return outcomes
}

// retry makes what is in quarantine due, if the account's order says so.
func (l l3Login) retry(state string) error {
	if !l.Retry {
		return nil
	}
	dir, err := durable.OpenDir(filepath.Join(state, l.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was ever pulled
	}
	if err != nil {
		return err
	}
	defer dir.Close() // Commit has flushed what there is to flush
	summary, err := checkpoint.Read(dir, l.Name)
	if err != nil || len(summary.Quarantined) == 0 {
		return err
	}
	file, err := checkpoint.Open(checkpoint.Options{Dir: dir, Account: l.Name, Source: string(l.Protocol)})
	if err != nil {
		return err
	}
	defer file.Close() // as above
	for i := range summary.Quarantined {
		summary.Quarantined[i].Next = summary.Quarantined[i].Last
	}
	return errors.Join(file.Quarantine(summary.Quarantined), file.Commit(nil))
}

// measure reads what the process holds between two rounds. The collector runs
// first: a slope is wanted of what is kept, and not of what is not yet swept.
func (r *l3Report) measure() error {
	debug.FreeOSMemory()
	r.Goroutines = runtime.NumGoroutine()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	r.FDs = len(fds)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	if r.RSS, err = l3Kilobytes(status, "VmRSS:"); err != nil {
		return err
	}
	r.Peak, err = l3Kilobytes(status, "VmHWM:")
	return err
}

// l3Kilobytes reads a line of /proc/self/status and returns bytes.
func l3Kilobytes(status []byte, name string) (int64, error) {
	for line := range bytes.Lines(status) {
		if fields := bytes.Fields(line); len(fields) == 3 && string(fields[0]) == name {
			kb, err := strconv.ParseInt(string(fields[1]), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no %s", name)
}

// l3Child is a worker seen from the parent.
type l3Child struct {
	cmd   *exec.Cmd
	input io.WriteCloser
	lines *bufio.Reader
	log   *os.File
}

// l3Start starts a worker that logs into a new file.
func l3Start(logName string) (*l3Child, error) {
	log, err := os.Create(logName)
	if err != nil {
		return nil, err
	}
	c := &l3Child{cmd: exec.Command(os.Args[0]), log: log}
	c.cmd.Env = append(os.Environ(), l3WorkerEnv+"=1")
	c.cmd.Stderr = log
	if c.input, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.lines = bufio.NewReader(out)
	return c, c.cmd.Start()
}

// round has the worker make a round and waits for its report. A worker that is
// killed meanwhile, or takes longer than every wait together may, gives an
// error.
func (c *l3Child) round(order l3Order) (l3Report, error) {
	var report l3Report
	if err := json.NewEncoder(c.input).Encode(order); err != nil {
		return report, err
	}
	late := time.AfterFunc(l3RoundLimit, c.kill)
	line, err := c.lines.ReadBytes('\n')
	if !late.Stop() {
		return report, fmt.Errorf("the round did not end within %s", l3RoundLimit)
	}
	if err != nil {
		return report, err
	}
	return report, json.Unmarshal(line, &report)
}

// kill ends the worker as kill -9 does. It may be called from any goroutine.
func (c *l3Child) kill() { _ = c.cmd.Process.Kill() } // one that has ended is as dead

// wait waits for the worker's end, after kill or the last round.
func (c *l3Child) wait() error {
	err := errors.Join(c.input.Close(), c.cmd.Wait())
	return errors.Join(err, c.log.Close())
}
