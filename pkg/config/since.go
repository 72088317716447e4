package config

import (
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Since says how old a message may be that is pulled: a date such as 2024-01-31,
// or an age such as 365d, which moves with the day. Empty means of any age.
type Since string

const (
	// sinceAll is written for no bound, by an account whose defaults have one.
	sinceAll Since = "all"

	// maxSinceDays is a hundred years: more is a slip of the hand.
	maxSinceDays = 36500
)

// At returns midnight of the first day whose messages are pulled by a pass that
// begins now, in UTC. The zero time means all of them.
func (s Since) At(now time.Time) time.Time {
	if days := s.days(); days > 0 {
		year, month, day := now.UTC().Date()
		return time.Date(year, month, day-days, 0, 0, 0, 0, time.UTC)
	}
	day, err := time.Parse(time.DateOnly, string(s))
	if err != nil || day.Year() < 1970 { // no mail is that old
		return time.Time{}
	}
	return day
}

// days returns the age in days, or 0 where it is none.
func (s Since) days() int {
	digits, isAge := strings.CutSuffix(string(s), "d")
	n, err := strconv.ParseUint(digits, 10, 31)
	if !isAge || err != nil || n > maxSinceDays {
		return 0
	}
	return int(n)
}

// since reads a date, an age in days, or the word for no bound.
func since(dst *Since) reader {
	return func(w *walk, at string, n *yaml.Node) {
		value, ok := w.single(at, n)
		if !ok {
			return
		}
		s := Since(value)
		if s != sinceAll && s.At(time.Unix(0, 0)).IsZero() {
			w.mistake(at, n, "%s is neither a date nor an age in days; write for example 2024-01-31, 365d or %s", quote(value), sinceAll)
			return
		}
		*dst = s
	}
}

// checkSince refuses a bound that cannot be kept.
func (w *walk) checkSince(at string, a *Account) {
	if a.Protocol == POP3 && a.Since != "" && a.Since != sinceAll {
		w.mistake(at+".since", nil, "POP3 does not tell when a message arrived; delete the key, or pull the account by imap")
	}
}

// sinceDefault fills in what the account does not say. POP3 tells of no message
// when it arrived, so there is nothing to choose by.
func (a *Account) sinceDefault(defaults *Account) {
	a.Since = first(a.Since, defaults.Since)
	if a.Since == sinceAll || a.Protocol == POP3 {
		a.Since = ""
	}
}
