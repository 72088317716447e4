package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adhocore/gronx"
	"gopkg.in/yaml.v3"

	"mailpull/pkg/mail"
)

// scheduleFields are the keys that say when an account is pulled.
func scheduleFields(a *Account) []field {
	return []field{
		{name: "every", read: interval(&a.Every)},
		{name: "cron", read: cron(&a.Cron)},
		{name: "jitter", read: jitter(&a.Jitter)},
		{name: "timezone", read: timezone(&a.Timezone)},
		{name: "window", read: window(&a.Window)},
	}
}

// hookFields are the keys of what is told of each pass.
func hookFields(a *Account) field {
	return field{name: "hooks", fields: []field{
		{name: "after_pass", read: command(&a.Hooks.AfterPass)},
		{name: "ping_url", hush: true, read: plainURL(&a.Hooks), fields: secretFields(&a.Hooks.PingURL)},
	}}
}

// daemonFields are the keys of the daemon.
func daemonFields(d *Daemon) []field {
	return []field{
		{name: "listen", read: listen(&d.Listen)},
		{name: "web_config", read: path(&d.WebConfig)},
		{name: "passes", read: number(&d.Passes, "number of passes", 1, maxPasses)},
		{name: "connections_per_host", read: number(&d.ConnectionsPerHost, "number of connections", 1, maxPerHost)},
	}
}

// macros are the words of cron that name a time, and not a moment in the life
// of a machine as @reboot does.
func macros() []string {
	return []string{"@hourly", "@daily", "@weekly", "@monthly"}
}

// cron reads an expression of five fields.
func cron(dst *string) reader {
	return func(w *walk, at string, n *yaml.Node) {
		value, ok := w.text(at, n)
		if !ok {
			return
		}
		if advice := cronMistake(value); advice != "" {
			w.mistake(at, n, "%s is not a timetable; %s", quote(value), advice)
			return
		}
		*dst = value
	}
}

// cronMistake says what is wrong with an expression, or nothing.
func cronMistake(value string) string {
	const example = `for example "*/10 7-22 * * *"`
	fields := strings.Fields(value)
	switch {
	case strings.HasPrefix(value, "@") && !slices.Contains(macros(), value):
		return "write " + alternatives(macros()) + ", or five fields, " + example
	case !strings.HasPrefix(value, "@") && len(fields) != 5:
		return fmt.Sprintf("it has %d fields and needs five: minute, hour, day, month, weekday; %s", len(fields), example)
	case !gronx.IsValid(value):
		return "write five fields: minute, hour, day, month, weekday; " + example
	}
	// 2028 is a leap year: what does not come until its end never comes.
	start := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	next, err := gronx.NextTickAfter(value, start, true)
	if err != nil || next.Year() > 2028 {
		return "there is no such day"
	}
	return ""
}

// jitter reads a percentage of the time between passes.
func jitter(dst *float64) reader {
	return func(w *walk, at string, n *yaml.Node) {
		value, ok := w.single(at, n)
		if !ok {
			return
		}
		digits, isPercent := strings.CutSuffix(value, "%")
		percent, err := strconv.Atoi(digits)
		if !isPercent || err != nil || percent < 0 || percent > 50 {
			w.mistake(at, n, "%s is not a part of the time between passes; write 0%% to 50%%, for example 10%%", quote(value))
			return
		}
		if *dst = float64(percent) / 100; percent == 0 {
			*dst = noJitter
		}
	}
}

// noJitter stands for a jitter of 0% until the defaults are filled in.
const noJitter = -1

// timezone reads the name of a zone.
func timezone(dst **time.Location) reader {
	return func(w *walk, at string, n *yaml.Node) {
		value, ok := w.text(at, n)
		if !ok {
			return
		}
		location, err := time.LoadLocation(value)
		if err != nil || value == "Local" {
			w.mistake(at, n, "%s is not a time zone; write a name such as Europe/Berlin or UTC, or delete the key for the machine's own", quote(value))
			return
		}
		*dst = location
	}
}

// window reads a part of the day.
func window(dst *Window) reader {
	return func(w *walk, at string, n *yaml.Node) {
		value, ok := w.text(at, n)
		if !ok {
			return
		}
		from, to, both := strings.Cut(value, "-")
		begin, err := clockTime(from)
		end, err2 := clockTime(to)
		if !both || err != nil || err2 != nil || begin == end {
			w.mistake(at, n, `%s is not a part of the day; write two different times, for example "22:00-06:00"`, quote(value))
			return
		}
		*dst = Window{From: begin, To: end}
	}
}

// clockTime reads 07:30 as the time since midnight.
func clockTime(text string) (time.Duration, error) {
	t, err := time.Parse("15:04", strings.TrimSpace(text))
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err
}

// idle reads true, false, or the mailboxes to wait in.
func idle(dst *[]string) reader {
	return func(w *walk, at string, n *yaml.Node) {
		if n.Kind != yaml.SequenceNode {
			var on bool
			if boolean(&on)(w, at, n); on {
				*dst = []string{string(mail.Inbox)}
			}
			return
		}
		values, ok := w.texts(at, n, "[INBOX]")
		switch {
		case !ok:
		case len(values) == 0:
			w.mistake(at, n, "is empty; write true for the inbox, or the names of mailboxes")
		case len(values) > maxIdle:
			w.mistake(at, n, "names %d mailboxes, and each keeps a connection open; write %d or fewer", len(values), maxIdle)
		case len(slices.Compact(slices.Sorted(slices.Values(values)))) < len(values):
			w.mistake(at, n, "names a mailbox twice; delete one of the two")
		default:
			*dst = values
		}
	}
}

// listen reads where the daemon listens.
func listen(dst *string) reader {
	return func(w *walk, at string, n *yaml.Node) {
		value, ok := w.text(at, n)
		if !ok {
			return
		}
		if value == off {
			*dst = off
			return
		}
		host, port, err := net.SplitHostPort(value)
		number, numberErr := strconv.Atoi(port)
		if err != nil || numberErr != nil || number < 1 || number > 65535 || host != "" && hostMistake(host) != "" {
			w.mistake(at, n, "%s is not an address; write for example %s, or off", quote(value), defaultListen)
			return
		}
		*dst = value
	}
}

// plainURL reads the address of a monitor that stands in the file itself. It is
// a secret, so no error shows it.
func plainURL(hooks *Hooks) reader {
	return func(w *walk, at string, n *yaml.Node) {
		plainPassword(&hooks.PingURL.Plain)(w, at, n)
		if hooks.PingURL.Plain.IsZero() || w.bad[at] {
			return
		}
		u, err := url.Parse(hooks.PingURL.Plain.Reveal())
		if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
			w.mistake(at, n, "is not an address that begins with https://; http:// is for this machine only")
		}
	}
}

// checkSchedule wants one of every and cron, and refuses what has no meaning.
func (w *walk) checkSchedule(at string, a *Account) {
	if w.has(at+".every") && w.has(at+".cron") {
		w.mistake(at+".cron", nil, "stands beside every; delete one of the two")
	}
	if w.has(at+".jitter") && w.has(at+".cron") {
		w.mistake(at+".jitter", nil, "has a meaning only with every; delete it")
	}
	if a.Protocol == POP3 && len(a.Idle) > 0 {
		w.mistake(at+".idle", nil, "POP3 has no way to wait for new mail; delete the key and choose a short every")
	}
}
