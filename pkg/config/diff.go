package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// Diff is what a reload has to do.
type Diff struct {
	// Added, Removed and Changed are names of accounts.
	Added, Removed, Changed []string

	// Restart are the keys whose change needs another process.
	Restart []string
}

// Touches reports whether the account is new or changed.
func (d Diff) Touches(account string) bool {
	return slices.Contains(d.Added, account) || slices.Contains(d.Changed, account)
}

// Compare says what leads from one configuration to the next. Any key of an
// account that differs changes it; what a secret's source holds is not looked
// at.
func Compare(old, next *Config) Diff {
	var d Diff
	before := make(map[string]Account, len(old.Accounts))
	for _, a := range old.Accounts {
		before[a.Name] = a
	}
	for _, a := range next.Accounts {
		was, ok := before[a.Name]
		delete(before, a.Name)
		switch {
		case !ok:
			d.Added = append(d.Added, a.Name)
		case !was.equal(a):
			d.Changed = append(d.Changed, a.Name)
		}
	}
	for _, a := range old.Accounts {
		if _, gone := before[a.Name]; gone {
			d.Removed = append(d.Removed, a.Name)
		}
	}
	d.restart("archive", old.Archive == next.Archive)
	d.restart("state", old.State == next.State)
	d.restart("rate_limit", old.RateLimit == next.RateLimit)
	d.restart("daemon", old.Daemon == next.Daemon)
	return d
}

func (d *Diff) restart(key string, same bool) {
	if !same {
		d.Restart = append(d.Restart, key)
	}
}

// equal reports whether two accounts are the same in every key.
func (a Account) equal(b Account) bool {
	if zoneName(a.Timezone) != zoneName(b.Timezone) || a.Password.Plain.Reveal() != b.Password.Plain.Reveal() ||
		a.Hooks.PingURL.Plain.Reveal() != b.Hooks.PingURL.Plain.Reveal() {
		return false
	}
	a.Timezone, b.Timezone = nil, nil
	a.Password.Plain = b.Password.Plain
	a.Hooks.PingURL.Plain = b.Hooks.PingURL.Plain
	if len(a.Mailboxes.Exclude)+len(b.Mailboxes.Exclude) == 0 {
		a.Mailboxes.Exclude = b.Mailboxes.Exclude // an empty list and none mean the same
	}
	return reflect.DeepEqual(a, b)
}

// zoneName tells zones apart; that of the machine has none.
func zoneName(l *time.Location) string {
	if l == nil {
		return ""
	}
	return l.String()
}

// Hash tells two configurations apart, without any secret: it is printed in
// metrics.
func (c *Config) Hash() string {
	text, err := c.MarshalJSON()
	if err != nil { // a configuration has nothing that JSON cannot say
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// String writes a window as the configuration does.
func (w Window) String() string {
	clock := func(d int64) string { return fmt.Sprintf("%02d:%02d", d/60, d%60) }
	return clock(int64(w.From.Minutes())) + "-" + clock(int64(w.To.Minutes()))
}
