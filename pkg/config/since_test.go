package config

import (
	"strings"
	"testing"
	"time"
)

const sinces = `
archive: /srv/mail
state: /srv/state
defaults: { since: 365d }
accounts:
  - { name: date, since: 2024-01-31, imap: { host: h, username: u, password: { env: P } } }
  - { name: default, imap: { host: h, username: u, password: { env: P } } }
  - { name: none, since: all, imap: { host: h, username: u, password: { env: P } } }
  - { name: pop, pop3: { host: h, username: u, password: { env: P } } }
`

// A date stands still, an age moves with the day, and POP3 knows neither.
func TestSince(t *testing.T) {
	t.Parallel()
	c := parsed(t, sinces)
	now := time.Date(2026, 3, 1, 0, 30, 0, 0, time.FixedZone("", 3600)) // the day before in UTC
	for i, want := range []string{"2024-01-31", "2025-02-28", "", ""} {
		got := c.Accounts[i].Since.At(now)
		if want == "" && got.IsZero() {
			continue
		}
		if got.Format(time.RFC3339) != want+"T00:00:00Z" {
			t.Errorf("%s: got %v, want %s", c.Accounts[i].Name, got, want)
		}
	}
}

// What Print writes of it means the same, and a reload sees that it changed.
func TestSincePrinted(t *testing.T) {
	t.Parallel()
	c := parsed(t, sinces)
	text := printed(t, c)
	again := parsed(t, text)
	if strings.Count(text, "since:") != 2 || len(Compare(c, again).Changed) != 0 {
		t.Errorf("got\n%s", text)
	}
	next := parsed(t, strings.Replace(sinces, "365d", "366d", 1))
	if got := Compare(c, next).Changed; len(got) != 1 || got[0] != "default" {
		t.Errorf("changed: %v", got)
	}
}
