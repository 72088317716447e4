package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"mailpull/pkg/admin"
	"mailpull/pkg/metrics"
	"mailpull/pkg/schedule"
)

// snapshot says how everything is at this moment. It asks nobody: no disk and
// no server.
func (d *Daemon) snapshot() admin.Snapshot {
	problem := ""
	if err := d.healthy(); err != nil {
		problem = err.Error()
	}
	d.mu.Lock()
	s := admin.Snapshot{
		Version: d.o.Build.Version, Commit: d.o.Build.Revision, Started: d.began, Now: time.Now(), State: d.state, Problem: problem,
		Reload: admin.Reload{Time: d.reloaded, Error: d.mistake},
	}
	for _, name := range []string{"archive", "state"} {
		if v, ok := d.volumes[name]; ok {
			s.Volumes = append(s.Volumes, admin.Volume{
				Name: v.name, Path: v.path,
				FreeBytes: v.space.FreeBytes, TotalBytes: v.space.TotalBytes,
				FreeInodes: v.space.FreeInodes, TotalInodes: v.space.TotalInodes,
			})
		}
	}
	d.mu.Unlock()

	status := make(map[string]schedule.Status)
	for _, st := range d.timetable.Status() {
		status[st.Account] = st
	}
	for _, a := range d.inOrder() {
		s.Accounts = append(s.Accounts, a.snapshot(status[a.account.Name]))
	}
	return s
}

// snapshot says how an account is.
func (a *account) snapshot(st schedule.Status) admin.Account {
	a.mu.Lock()
	last := a.last
	a.mu.Unlock()
	s := admin.Account{
		Name: a.account.Name, Protocol: string(a.account.Protocol), State: string(st.State),
		Reason: last.err, NextStep: last.hint, Class: last.class, Failures: st.Failures,
		LastComplete: last.complete, LastAttempt: last.attempt, NextRun: st.Next,
		Server: last.server, Archived: last.archived, Waiting: last.waiting, WaitingBytes: last.waitingBytes, Quarantined: last.quarantined, Excluded: last.excluded,
		Idle: a.idle.Load() > 0,
	}
	if standing, began, ok := a.progress.standing(); ok {
		s.Running = &admin.Progress{
			Started: began, Planned: standing.Planned, Done: standing.Done, Bytes: standing.Bytes,
			Rate: standing.Rate, LeftBytes: standing.LeftBytes, Left: standing.Left(),
		}
	}
	return s
}

// Gather implements prometheus.Gatherer: what the timetable knows is put beside
// the numbers that were counted.
func (d *Daemon) Gather() ([]*dto.MetricFamily, error) {
	for _, st := range d.timetable.Status() {
		d.numbers.SetState(st.Account, metrics.AccountState(st.State))
		d.numbers.Next(st.Account, st.Next)
		d.numbers.Failures(st.Account, st.Failures)
	}
	return d.numbers.Gather()
}

// statusJSON is what the socket and /status.json say.
func (d *Daemon) statusJSON() (json.RawMessage, error) { return admin.StatusJSON(d.snapshot()) }

// healthy reports why the daemon is stuck, or nil.
func (d *Daemon) healthy() error {
	if late := d.timetable.Late(); late > lateLimit {
		return fmt.Errorf("the timetable is %s late", late.Round(time.Second))
	}
	now := time.Now()
	for _, a := range d.known() {
		if still := a.progress.still(now); still > stillLimit {
			return fmt.Errorf("the pass over %s has not moved for %s", a.account.Name, still.Round(time.Second))
		}
	}
	return nil
}

// When a daemon counts as stuck: its timetable's own loop is late, or a pass does
// not move. A server's silence has limits of its own, of which the longest is
// ten minutes; what lasts longer is a disk that does not answer.
const (
	lateLimit  = 3 * time.Minute
	stillLimit = 30 * time.Minute
)

// ready reports why the daemon cannot do its work, or nil.
func (d *Daemon) ready() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != stateRunning {
		return errors.New(d.state)
	}
	return nil
}

// oneLine is what systemctl status shows.
func (d *Daemon) oneLine() string {
	counts := make(map[schedule.State]int)
	var need []string
	for _, st := range d.timetable.Status() {
		counts[st.State]++
		if st.State == schedule.AuthPaused {
			need = append(need, st.Account)
		}
	}
	var parts []string
	for _, state := range schedule.States() {
		if n := counts[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	line := strings.Join(parts, ", ")
	if len(need) > 0 {
		slices.Sort(need)
		line += fmt.Sprintf(": sign-in of %s was refused, correct the password", strings.Join(need[:min(3, len(need))], ", "))
	}
	return line
}

func (d *Daemon) setState(state string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state = state
}

// seen keeps how full a file system is.
func (d *Daemon) seen(v volume) {
	inodes := int64(-1)
	if v.space.TotalInodes > 0 {
		inodes = int64(min(v.space.FreeInodes, math.MaxInt64))
	}
	d.numbers.Disk(v.name, v.space.FreeBytes, inodes)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.volumes[v.name] = v
}

// inOrder returns the accounts of the configuration, in its order. One that is
// being put in comes in a moment.
func (d *Daemon) inOrder() []*account {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []*account
	for _, c := range d.config.Accounts {
		if a := d.accounts[c.Name]; a != nil {
			list = append(list, a)
		}
	}
	return list
}

// known returns all accounts, those that are being taken out too, in no order.
func (d *Daemon) known() []*account {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]*account, 0, len(d.accounts))
	for _, a := range d.accounts {
		list = append(list, a)
	}
	return list
}

// addr is where the listener is, or "off".
func (d *Daemon) addr() string {
	if d.listener == nil {
		return "off"
	}
	return d.listener.Addr()
}

// listenerFailed is told when the listener fails by itself.
func (d *Daemon) listenerFailed() <-chan error {
	if d.listener == nil {
		return nil
	}
	return d.listener.Err()
}

// beat is how often systemd is told that the daemon lives.
func (d *Daemon) beat() time.Duration {
	if every := d.notify.BeatEvery(); every > 0 {
		return min(every, statusEvery)
	}
	return statusEvery
}

// statusEvery is how old the line of systemctl status can be.
const statusEvery = 10 * time.Second
