package schedule

import (
	"time"

	"mailpull/pkg/mail"
)

const (
	// Delays after passing errors: full jitter, so that accounts that failed
	// together do not come back together.
	backoffBase  = 30 * time.Second
	backoffCap   = 30 * time.Minute
	backoffFloor = 10 * time.Second

	// maxRefusals is how many refused sign-ins in a row stop an account. Some
	// servers lock an account after ten, and others block an address.
	maxRefusals = 2

	// refusalDelay is how long the second sign-in waits at least.
	refusalDelay = time.Minute

	// probeEvery is how often a stopped account signs in all the same: the
	// refusal can have been the server's mistake. Two a day lock nobody out.
	probeEvery = 12 * time.Hour

	// quotaDelay is how long a server that counts bytes is left alone when it
	// does not say how long.
	quotaDelay = time.Hour

	// throttleDelay is the same for one that asks to wait.
	throttleDelay = time.Minute

	// lockedDelay is how long an account waits that another process pulls.
	lockedDelay = time.Minute

	// maxAfter bounds the delay that a server may ask for.
	maxAfter = 24 * time.Hour
)

// Memory is what is remembered of an account, over a restart too. It holds no
// secret.
type Memory struct {
	// Paused is set by Pause, until Resume.
	Paused bool `json:"paused,omitempty"`

	// Failures counts the passes since the last good one, Refusals the sign-ins
	// that were refused in a row, Class says why the last pass failed.
	Failures int        `json:"failures,omitempty"`
	Refusals int        `json:"refusals,omitempty"`
	Class    mail.Class `json:"class,omitempty"`

	// NotBefore is when the account may be asked again, NextProbe when it may
	// sign in although it is stopped. Either can be zero.
	NotBefore time.Time `json:"not_before,omitzero"`
	NextProbe time.Time `json:"next_probe,omitzero"`

	// Fingerprint tells whether what the account signs in with has changed
	// since it was refused. Only a refusal changes it.
	Fingerprint string `json:"fingerprint,omitempty"`
}

// SignInPaused reports whether refused sign-ins stopped the account.
func (m Memory) SignInPaused() bool { return m.Refusals >= maxRefusals }

// Outcome is how a pass ended, as far as the timetable cares.
type Outcome struct {
	// Class is empty for success.
	Class mail.Class

	// Partial is set when the account works and some of its messages or
	// mailboxes do not: waiting longer would help nobody.
	Partial bool

	// After is how long the server asks to be left alone, 0 for nothing.
	After time.Duration

	// New is how many messages the pass brought, Left how many wait for a turn for
	// the backlog.
	New, Left int

	// Interrupted is set when somebody stopped the pass, Locked when another
	// process had the account. Neither is a success or a failure.
	Interrupted, Locked bool
}

// Learn returns what is to be remembered after an outcome at now. chance
// returns a number from 0 to 1.
//
// It is for whoever makes a pass without a timetable too: what one run
// remembers keeps the next one from signing in.
func (m Memory) Learn(o Outcome, now time.Time, chance func() float64) Memory {
	now = now.Round(0)
	switch {
	case o.Interrupted:
		return m
	case o.Locked:
		m.NotBefore = now.Add(lockedDelay)
		return m
	case o.Class == "":
		return Memory{Paused: m.Paused}
	}
	m.Failures++
	m.Class = o.Class
	if o.Partial { // it signed in
		m.Refusals, m.NextProbe, m.Fingerprint, m.NotBefore = 0, time.Time{}, "", time.Time{}
		return m
	}
	m.NotBefore = now.Add(m.delay(o, chance))
	if o.Class != mail.ClassAuth { // it says nothing of the password
		return m
	}
	if m.Refusals++; m.SignInPaused() {
		m.NextProbe = now.Add(probeEvery + time.Duration(chance()*float64(probeEvery)/10))
	}
	return m
}

// delay is how long an account is left alone after an error.
func (m Memory) delay(o Outcome, chance func() float64) time.Duration {
	most := min(backoffCap, backoffBase<<min(m.Failures-1, 16))
	delay := max(backoffFloor, time.Duration(chance()*float64(most)))
	switch o.Class {
	case mail.ClassAuth:
		delay = max(delay, refusalDelay)
	case mail.ClassThrottled:
		delay = max(delay, throttleDelay)
	case mail.ClassQuota:
		if o.After == 0 {
			delay = max(delay, quotaDelay)
		}
	}
	return max(delay, min(o.After, maxAfter))
}

// MaySignIn reports whether the account may be asked at now, given the
// fingerprint of what it signs in with. fingerprint is called only when
// refused sign-ins stopped the account and its probe is not due; it gets the
// fingerprint of the refusal.
func (m Memory) MaySignIn(now time.Time, fingerprint func(before string) string) bool {
	if !m.SignInPaused() || !m.probeWaits(now) {
		return true
	}
	return m.Fingerprint != "" && fingerprint(m.Fingerprint) != m.Fingerprint
}

// waits reports whether the account is to be left alone at now. A time that is
// further away than any delay was written under another clock: nobody knows how
// far that was off.
func (m Memory) waits(now time.Time) bool {
	return m.NotBefore.After(now) && m.NotBefore.Sub(now) <= maxAfter
}

// probeWaits is the same for the probe of an account that refused sign-ins
// stopped.
func (m Memory) probeWaits(now time.Time) bool {
	return m.NextProbe.After(now) && m.NextProbe.Sub(now) <= probeEvery+probeEvery/10
}
