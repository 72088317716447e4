package daemon

import (
	"errors"

	"mailpull/pkg/config"
	"mailpull/pkg/schedule"
)

// Pause lets no pass of a daemon over the accounts begin, until Resume. It is
// for when no daemon runs: the next one finds it. One that runs is asked by its
// socket.
func Pause(c *config.Config, accounts []string) error {
	return remember(c, accounts, func(m *schedule.Memory) { m.Paused = true })
}

// Resume ends a pause, and forgets refused sign-ins, of the accounts or of all.
func Resume(c *config.Config, accounts []string) error {
	return remember(c, accounts, func(m *schedule.Memory) { *m = schedule.Memory{} })
}

// remember changes what is remembered of accounts; none means all.
func remember(c *config.Config, accounts []string, change func(*schedule.Memory)) error {
	var errs error
	for _, a := range chosen(c, accounts) {
		m, err := readMemory(c, a.Name)
		if err == nil {
			change(&m)
			err = writeMemory(c, a.Name, m)
		}
		errs = errors.Join(errs, err)
	}
	return errs
}
