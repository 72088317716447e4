package daemon

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"mailpull/pkg/config"
	"mailpull/pkg/mail"
)

// Reload reads the configuration again, all or nothing. Accounts that did not
// change are not disturbed: their passes go on. After an error the old
// configuration is in force, whole; the error is logged too.
func (d *Daemon) Reload() error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	d.notify.Reloading()
	defer d.notify.Ready()
	now := time.Now()
	next, err := d.o.Load()
	if err == nil {
		err = d.change(next)
	}
	d.mu.Lock()
	d.mistake = ""
	if err != nil {
		d.mistake = err.Error()
	} else {
		d.reloaded = now
	}
	hash := d.config.Hash()
	d.mu.Unlock()
	d.numbers.Reloaded(err == nil, now, hash)
	if err != nil {
		d.log.Error("reload failed", "err", err, "in_force", "the old configuration")
		return err
	}
	d.log.Info("reloaded", "accounts", len(next.Accounts))
	return nil
}

// change puts another configuration in force.
func (d *Daemon) change(next *config.Config) error {
	d.mu.Lock()
	old := d.config
	d.mu.Unlock()
	diff := config.Compare(old, next)
	if len(diff.Restart) > 0 {
		return &mail.Error{
			Scope: mail.ScopeAccount, Class: mail.ClassConfig,
			Err:  fmt.Errorf("%w: %s", errRestart, strings.Join(diff.Restart, ", ")),
			Hint: "restart the daemon, or take the change back; until then the old configuration is in force",
		}
	}
	d.mu.Lock()
	d.config = next
	d.mu.Unlock()
	for _, name := range diff.Removed {
		d.remove(name)
	}
	var changed []config.Account
	for _, a := range next.Accounts {
		if diff.Touches(a.Name) {
			changed = append(changed, a)
		}
	}
	d.put(changed)
	return nil
}

// errRestart says that a change cannot be made by a reload.
var errRestart = errors.New("these keys need a restart")
