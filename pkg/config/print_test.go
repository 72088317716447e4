package config

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

const fullPrint = `archive: /srv/$$mail
state: /srv/state
daemon:
  listen: 127.0.0.1:9723
  passes: 4
  connections_per_host: 10
accounts:
  - name: work
    imap:
      host: imap.example.com
      port: 993
      security: tls
      allow_plaintext: false
      tls:
        ca_file: /etc/ssl/own.pem
      username: 'me: #1 $$'
      password:
        command: [pass, show, mail/work]
      mailboxes:
        include: ['*']
        exclude: [\Junk, Spam*]
      connections: 2
      compress: auto
    every: 15m
    jitter: 10%
    layout: maildir++
    order: oldest
    max_message_size: 50MB
    max_session: 12h
    idle_timeout: 1m
  - name: isp
    pop3:
      host: 127.0.0.1
      port: 110
      security: none
      allow_plaintext: false
      username: me
      password:
        file: /run/secrets/isp
    every: 1h30m
    jitter: 10%
    layout: fs
    order: oldest
    max_message_size: 2GiB
    max_session: 24h
    idle_timeout: 1m30s
`

func printed(t *testing.T, c *Config) string {
	t.Helper()
	var out strings.Builder
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// What Print writes has every default and means the same.
func TestPrint(t *testing.T) {
	t.Parallel()
	c := parsed(t, `
archive: /srv/$$mail
state: /srv/state
defaults: { layout: fs, idle_timeout: 90s }
accounts:
  - name: work
    imap:
      host: imap.example.com
      tls: { ca_file: /etc/ssl/own.pem }
      username: "me: #1 $$"
      password: { command: [pass, show, mail/work] }
      mailboxes: { exclude: ['\Junk', Spam*] }
      connections: 2
    layout: maildir++
    order: oldest
    max_message_size: 50MB
    max_session: 720m
    idle_timeout: 60s
  - name: isp
    pop3: { host: 127.0.0.1, security: none, username: me, password: { file: /run/secrets/isp } }
    every: 90m
`)
	got := printed(t, c)
	if got != fullPrint {
		t.Errorf("got\n%s\nwant\n%s", got, fullPrint)
	}
	if again := parsed(t, got); !reflect.DeepEqual(again, c) {
		t.Errorf("got %+v, want %+v", again, c)
	}
}

func TestPrintRedacts(t *testing.T) {
	t.Parallel()
	got := printed(t, parsed(t, strings.Replace(good, "{ env: PW }", "hunter2", 1)))
	if strings.Contains(got, "hunter2") || !strings.Contains(got, "password: '[redacted]'\n") {
		t.Errorf("got\n%s", got)
	}
}

// A key that Print forgets would be lost to whoever looks for what is in
// force. Only defaults is missing, because each account has its own.
func TestPrintKnowsEveryKey(t *testing.T) {
	t.Parallel()
	var all []string
	collect(reflect.TypeFor[printedConfig](), "", &all)
	for _, p := range allPaths() {
		if !strings.HasPrefix(p, "defaults") && !strings.Contains(strings.Join(all, "\n")+"\n", p+"\n") {
			t.Errorf("Print does not write %s", p)
		}
	}
}

// collect lists the keys of a printed type by their paths.
func collect(typ reflect.Type, at string, all *[]string) {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		if typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct {
			at += "[]"
		}
		typ = typ.Elem()
	}
	if typ.Kind() == reflect.Interface { // the password
		typ = reflect.TypeFor[printedPassword]()
	}
	if typ.Kind() != reflect.Struct {
		return
	}
	for f := range typ.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		*all = append(*all, join(at, name))
		collect(f.Type, join(at, name), all)
	}
}

func TestShortDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		time.Minute: "1m", 15 * time.Minute: "15m", time.Hour: "1h", 90 * time.Minute: "1h30m",
		10 * time.Hour: "10h", 61 * time.Second: "1m1s", time.Hour + time.Second: "1h0m1s", 100 * time.Second: "1m40s",
	} {
		if got := shortDuration(d); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if again, err := time.ParseDuration(want); err != nil || again != d {
			t.Errorf("%s means %v, want %v", want, again, d)
		}
	}
}

func TestShortSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2GiB": "2GiB", "2048MiB": "2GiB", "50MB": "50MB", "1000 MB": "1GB", "1TB": "1TB", "1TiB": "1TiB",
		"1025KiB": "1025KiB", "1001kB": "1001kB", "128000MB": "128GB", "1024kB": "1000KiB",
	} {
		size, ok := parseSize(text)
		again, _ := parseSize(shortSize(size))
		if !ok || shortSize(size) != want || again != size {
			t.Errorf("%s: got %s (%d, %v), want %s", text, shortSize(size), size, ok, want)
		}
	}
}
