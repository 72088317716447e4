package daemon

import (
	"path/filepath"
	"time"

	"mailpull/pkg/config"
	"mailpull/pkg/metrics"
	"mailpull/pkg/pull"
	"mailpull/pkg/schedule"
)

// put adds accounts to the daemon, or replaces those that changed.
func (d *Daemon) put(accounts []config.Account) {
	d.mu.Lock()
	c := d.config
	d.mu.Unlock()
	for _, a := range accounts {
		d.putOne(c, a)
	}
}

// putOne adds an account, or replaces it.
func (d *Daemon) putOne(c *config.Config, a config.Account) {
	acc := d.newAccount(c, a)
	records := recorded(c, a)
	acc.last = lastOf(records)
	job := d.job(acc, records)

	d.mu.Lock()
	old := d.accounts[a.Name]
	if old != nil {
		acc.waiters = old.waiters
	}
	d.accounts[a.Name] = acc
	d.mu.Unlock()

	d.numbers.Add(metrics.Account{
		Name: a.Name, Protocol: string(a.Protocol), Host: a.Host, Interval: job.Plan.Longest(time.Now()),
	})
	d.numbers.Restore(a.Name, records)
	if old != nil {
		old.close()
		acc.log.Info("account changed")
	}
	d.numbers.Connections(a.Name, 0)
	d.timetable.Put(job)
	acc.watch(acc.life, func() { d.timetable.Wake(a.Name) })
}

// remove takes an account out, once its pass has ended.
func (d *Daemon) remove(name string) {
	d.timetable.Remove(name)
	d.mu.Lock()
	a := d.accounts[name]
	delete(d.accounts, name)
	d.mu.Unlock()
	if a != nil {
		a.waiters.cancel(Outcome{Account: name, Err: pull.Interrupted()})
		a.close()
	}
	d.numbers.Remove(name)
	d.log.Info("account removed", "account", name)
}

// job is an account as the timetable has it.
func (d *Daemon) job(a *account, records metrics.State) schedule.Job {
	memory, err := readMemory(a.config, a.account.Name)
	if err != nil {
		forgotten(a.log, err)
	}
	return schedule.Job{
		Account:     a.account.Name,
		Plan:        planOf(a.account),
		Window:      a.window(),
		Host:        a.account.Host,
		Connections: a.account.Connections,
		Last:        lastDone(records),
		Memory:      memory,
		Remember: func(m schedule.Memory) {
			if err := writeMemory(a.config, a.account.Name, m); err != nil {
				a.log.Warn("what is to be remembered was not written", "err", err)
			}
		},
		Fingerprint: func(before string) string { return fingerprint(a.life, a.account, before) },
		Pass:        a.pass,
		Ended:       a.ended,
	}
}

// planOf is when an account is due.
func planOf(a config.Account) schedule.Plan {
	return schedule.Plan{Account: a.Name, Every: a.Every, Jitter: a.Jitter, Cron: a.Cron, Location: a.Timezone}
}

// lastDone is when the last pass began, if it was complete. One that was cut off
// is to be made up for at once, also with a plan of days.
func lastDone(records metrics.State) time.Time {
	if records.LastSuccess.Before(records.LastAttempt) {
		return time.Time{}
	}
	return records.LastAttempt
}

// archiveOf is the folder of an account's mail.
func archiveOf(c *config.Config, a config.Account) string { return filepath.Join(c.Archive, a.Name) }
