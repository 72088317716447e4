package config

import (
	"reflect"
	"testing"
	"time"
	_ "time/tzdata" // the test must not depend on the machine's
)

const timetables = `
archive: /srv/mail
state: /srv/state
rate_limit: 2MB/s
daemon: { listen: "off", web_config: /etc/web.yaml, passes: 8, connections_per_host: 20 }
defaults:
  cron: "@hourly"
  timezone: Europe/Berlin
  hooks: { after_pass: [notmuch, new], ping_url: { env: PING } }
accounts:
  - name: a
    imap: { host: h, username: u, password: { env: P } }
    every: 10m
    jitter: 0%
    idle: true
    window: "22:00-06:30"
  - name: b
    imap: { host: h, username: u, password: { env: P } }
    cron: "*/10 7-22 * * *"
    timezone: UTC
    idle: [INBOX, Lists]
    hooks: { ping_url: "https://hc.example.com/hunter2" }
  - name: c
    pop3: { host: h, username: u, password: { env: P } }
    idle: false
    rate_limit: 500kB/s
`

func TestTimetables(t *testing.T) {
	t.Parallel()
	c := parsed(t, timetables)
	if want := (Daemon{WebConfig: "/etc/web.yaml", Passes: 8, ConnectionsPerHost: 20}); c.Daemon != want {
		t.Errorf("got %+v, want %+v", c.Daemon, want)
	}
	a, b, d := c.Accounts[0], c.Accounts[1], c.Accounts[2]
	if a.Every != 10*time.Minute || a.Cron != "" || a.Jitter != 0 || a.Timezone.String() != "Europe/Berlin" {
		t.Errorf("got %+v", a)
	}
	if a.Window != (Window{22 * time.Hour, 6*time.Hour + 30*time.Minute}) || !reflect.DeepEqual(a.Idle, []string{"INBOX"}) {
		t.Errorf("got %+v", a)
	}
	if a.Hooks.PingURL.Env != "PING" || len(a.Hooks.AfterPass) != 2 {
		t.Errorf("got %+v", a.Hooks)
	}
	if b.Cron != "*/10 7-22 * * *" || b.Every != 0 || b.Timezone != time.UTC || len(b.Idle) != 2 {
		t.Errorf("got %+v", b)
	}
	if b.Hooks.PingURL.Plain.Reveal() != "https://hc.example.com/hunter2" || b.Hooks.PingURL.Env != "" || len(b.Hooks.AfterPass) != 2 {
		t.Errorf("got %+v", b.Hooks)
	}
	if c.RateLimit != 2e6 || a.RateLimit != 0 || d.RateLimit != 5e5 {
		t.Errorf("got the rates %d, %d, %d", c.RateLimit, a.RateLimit, d.RateLimit)
	}
	if d.Cron != "@hourly" || d.Every != 0 || d.Idle != nil {
		t.Errorf("got %+v", d)
	}
}

// What Print writes of it means the same.
func TestPrintTimetables(t *testing.T) {
	t.Parallel()
	c := parsed(t, timetables)
	c.Accounts[1].Hooks.PingURL = c.Accounts[0].Hooks.PingURL // a secret is not printed
	again := parsed(t, printed(t, c))
	if d := Compare(c, again); !reflect.DeepEqual(d, Diff{}) {
		t.Errorf("printed and read again it differs: %+v\n%s", d, printed(t, c))
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	old, next := parsed(t, timetables), parsed(t, timetables)
	if d := Compare(old, next); !reflect.DeepEqual(d, Diff{}) || old.Hash() != next.Hash() {
		t.Errorf("equal ones differ: %+v", d)
	}
	next.Accounts[0].Every = time.Hour
	next.Accounts[1].Hooks.PingURL.Plain = next.Accounts[2].Password.Plain
	next.Accounts[2].Name = "new"
	next.Daemon.Passes++
	next.State = "/elsewhere"
	next.RateLimit++
	d := Compare(old, next)
	want := Diff{Added: []string{"new"}, Removed: []string{"c"}, Changed: []string{"a", "b"}, Restart: []string{"state", "rate_limit", "daemon"}}
	if !reflect.DeepEqual(d, want) || !d.Touches("new") || !d.Touches("a") || d.Touches("c") {
		t.Errorf("got %+v, want %+v", d, want)
	}
	if old.Hash() == next.Hash() {
		t.Error("the hash is the same")
	}
}

// Every key of an account makes a difference.
func TestCompareSeesEveryKey(t *testing.T) {
	t.Parallel()
	kinds := reflect.TypeFor[Account]()
	for i := range kinds.NumField() {
		old, next := parsed(t, timetables), parsed(t, timetables)
		v := reflect.ValueOf(&next.Accounts[0]).Elem().Field(i)
		if kinds.Field(i).Name == "Name" {
			continue
		}
		if kinds.Field(i).Name == "Timezone" {
			next.Accounts[0].Timezone = nil
		} else {
			if kinds.Field(i).Name == "Password" {
				v = v.FieldByName("Env")
			}
			v.Set(other(v))
		}
		if d := Compare(old, next); len(d.Changed) != 1 {
			t.Errorf("a change of %s is not seen", kinds.Field(i).Name)
		}
	}
}

// other returns a value that differs from v.
func other(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.Struct:
		out.Set(v)
		out.Field(0).Set(other(v.Field(0)))
	case reflect.String:
		out.SetString(v.String() + "x")
	case reflect.Int, reflect.Int64:
		out.SetInt(v.Int() + 1)
	case reflect.Float64:
		out.SetFloat(v.Float() + 0.1)
	case reflect.Bool:
		out.SetBool(!v.Bool())
	case reflect.Slice:
		out.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
	}
	return out
}
