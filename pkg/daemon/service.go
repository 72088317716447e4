package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"mailpull/pkg/admin"
	"mailpull/pkg/config"
	"mailpull/pkg/control"
	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/metrics"
	"mailpull/pkg/schedule"
	"mailpull/pkg/systemd"
	"mailpull/pkg/wire"
)

// drainLimit is how long a drain may last. A container engine kills after 10
// seconds; what is in hand then was committed, or is fetched again.
const drainLimit = 9 * time.Second

// What a daemon does.
const (
	stateRunning  = "running"
	stateDraining = "draining"
)

// Files of the daemon in the state folder. No account's name begins with a dot.
const (
	lockName   = ".daemon.lock"
	socketName = ".control"
)

// SocketPath is where a daemon of this configuration takes commands.
func SocketPath(c *config.Config) string { return filepath.Join(c.State, socketName+suffix(c)) }

// suffix tells the daemons of a fleet apart that share a state folder. The lock of
// each account keeps them apart where it matters.
func suffix(c *config.Config) string {
	if c.Shard.Count <= 1 {
		return ""
	}
	return fmt.Sprintf(".%d-of-%d", c.Shard.Index, c.Shard.Count)
}

// ServiceOptions is what Start needs.
type ServiceOptions struct {
	// Config is what the daemon begins with.
	Config *config.Config

	// Load reads the configuration again.
	Load func() (*config.Config, error)

	// Build says which program this is.
	Build metrics.Build

	// Log may be nil.
	Log *slog.Logger
}

// Daemon pulls each account when it is due. Its methods may be called from any
// goroutine.
//
// One goroutine per account, that of the timetable, makes its passes; watches
// and hooks have goroutines of their own, which only wake it or hear of it. The
// listener and the socket look at snapshots under a mutex, which nobody holds
// while it waits for a disk or a server.
type Daemon struct {
	o         ServiceOptions
	log       *slog.Logger
	lock      *durable.Lock
	notify    *systemd.Notifier
	numbers   *metrics.Metrics
	timetable *schedule.Scheduler
	listener  *admin.Server // nil: off
	control   *control.Server
	pace      *wire.Pace // of all accounts; nil: none
	resting   *resting
	began     time.Time

	// life ends when the daemon is told to end; group waits for what hangs on it.
	life  context.Context
	end   context.CancelFunc
	group sync.WaitGroup

	reloading sync.Mutex // held for a whole reload

	mu       sync.Mutex // guards what is below
	config   *config.Config
	accounts map[string]*account
	volumes  map[string]volume
	state    string
	reloaded time.Time
	mistake  string // why the last reload was refused
}

// Start takes the state folder, opens listener and socket, and puts every
// account into the timetable. Nothing was pulled yet when it returns; the
// caller calls Run, which also ends it.
//
// errors.Is finds durable.ErrLocked when another daemon has the state folder.
func Start(o ServiceOptions) (*Daemon, error) {
	d := newDaemon(o)
	if err := d.open(); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func newDaemon(o ServiceOptions) *Daemon {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	life, end := context.WithCancel(context.Background())
	return &Daemon{
		o: o, log: o.Log, config: o.Config, notify: systemd.New(o.Log), life: life, end: end,
		numbers: metrics.NewDaemon(o.Build), pace: wire.NewPace(o.Config.RateLimit),
		resting: newResting(o.Config.Daemon.ConnectionsPerHost), began: time.Now(), reloaded: time.Now(), state: stateRunning,
		accounts: make(map[string]*account), volumes: make(map[string]volume),
	}
}

func (d *Daemon) open() error {
	c := d.o.Config
	if err := durable.MkdirAll(c.State); err != nil {
		return diskError("state", err)
	}
	var err error
	if d.lock, err = durable.TakeLock(filepath.Join(c.State, lockName+suffix(c))); err != nil {
		var locked *durable.LockedError
		if errors.As(err, &locked) {
			return &mail.Error{
				Op: "daemon", Scope: mail.ScopeAccount, Class: mail.ClassLocal,
				Err:  fmt.Errorf("another daemon, pid %d, has the state folder %s: %w", locked.PID, c.State, durable.ErrLocked),
				Hint: "stop that one first, or ask it: mailpull status, pull, pause, resume, reload",
			}
		}
		return diskError("lock", err)
	}
	d.timetable = schedule.New(schedule.Options{Passes: c.Daemon.Passes, PerHost: c.Daemon.ConnectionsPerHost, Log: d.log})
	if err := d.listen(); err != nil {
		return err
	}
	if d.control, err = control.Listen(control.Options{Path: SocketPath(c), Handler: commands{d}, Log: d.log}); err != nil {
		return err
	}
	d.group.Go(func() { // close waits for it
		watchVolumes(d.life, c, d.log, d.seen).Wait()
	})
	d.put(c.Accounts)
	d.numbers.Reloaded(true, d.reloaded, c.Hash())
	return nil
}

// listen opens the listener for metrics and the status page.
func (d *Daemon) listen() error {
	c := d.o.Config.Daemon
	if c.Listen == "" {
		return nil
	}
	var err error
	d.listener, err = admin.Start(admin.Options{
		Listen: c.Listen, WebConfig: c.WebConfig, Gatherer: d, Snapshot: d.snapshot,
		Healthy: d.healthy, Ready: d.ready, Log: d.log,
	})
	return err
}

// Run returns when ctx ended and everything was drained, or when the listener
// failed. Whatever it returns, nothing of the daemon is left running.
func (d *Daemon) Run(ctx context.Context) error {
	d.notify.Ready()
	d.log.Info("daemon started", "accounts", len(d.o.Config.Accounts), "listen", d.addr())
	err := d.tend(ctx)
	d.log.Info("draining", "limit", drainLimit)
	d.notify.Stopping()
	d.setState(stateDraining)
	d.close()
	d.log.Info("daemon stopped")
	return err
}

// tend tells systemd how things are until ctx ends or the listener fails.
func (d *Daemon) tend(ctx context.Context) error {
	ticker := time.NewTicker(d.beat())
	defer ticker.Stop()
	failed := d.listenerFailed()
	for {
		d.notify.Status(d.oneLine())
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case <-ticker.C:
			if d.healthy() == nil {
				d.notify.Beat()
			}
		}
	}
}

// close ends everything, in the order in which it can be missed, within the
// limit of a drain.
func (d *Daemon) close() {
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	d.end()
	if d.timetable != nil {
		d.timetable.Drain(ctx)
	}
	for _, a := range d.known() {
		a.close()
	}
	if d.control != nil {
		_ = d.control.Close(ctx) // who waits for an answer was told by the drain
	}
	if d.listener != nil {
		_ = d.listener.Close(ctx) // a scrape that is cut off is asked again
	}
	d.group.Wait()
	if d.lock != nil {
		if err := d.lock.Release(); err != nil {
			d.log.Warn("releasing the lock", "err", err)
		}
	}
}
