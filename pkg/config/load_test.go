package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"mailpull/pkg/secret"
)

// good is a small configuration without a mistake.
const good = `archive: /srv/mail
state: /srv/state
accounts:
  - name: work
    imap: { host: imap.example.com, username: me, password: { env: PW } }
`

// mistakes parses a text and returns what is wrong with it.
func mistakes(t *testing.T, text string) string {
	t.Helper()
	c, err := Parse("test.yaml", []byte(text))
	if err == nil {
		t.Fatalf("no mistake in\n%s\ngot %+v", text, c)
	}
	return err.Error()
}

func parsed(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return c
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	got := parsed(t, good+"  - { name: isp, pop3: { host: h, username: u, password: { file: /p } } }\n")
	want := &Config{
		Daemon:  Daemon{Listen: "127.0.0.1:9723", Passes: 4, ConnectionsPerHost: 10},
		Archive: "/srv/mail", State: "/srv/state",
		Accounts: []Account{{
			Name: "work", Protocol: IMAP, Host: "imap.example.com", Port: 993, Security: TLS,
			Username: "me", Password: secret.Source{Env: "PW"},
			Mailboxes: Selection{Include: []string{"*"}}, Connections: 3, Compress: CompressAuto,
			Every: 15 * time.Minute, Jitter: 0.1, Layout: MaildirPP, Order: OldestFirst,
			MaxMessageSize: 2 << 30, MaxSession: 24 * time.Hour, IdleTimeout: time.Minute,
		}, {
			Name: "isp", Protocol: POP3, Host: "h", Port: 995, Security: TLS,
			Username: "u", Password: secret.Source{File: "/p"},
			Mailboxes: Selection{Include: []string{"*"}}, Connections: 1, Compress: CompressAuto,
			Every: 15 * time.Minute, Jitter: 0.1, Layout: MaildirPP, Order: OldestFirst,
			MaxMessageSize: 2 << 30, MaxSession: 24 * time.Hour, IdleTimeout: time.Minute,
		}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestEveryKey(t *testing.T) {
	t.Parallel()
	got := parsed(t, `
archive: /srv/mail
state: /srv/state
defaults: { every: 1h, layout: fs, connections: 3, max_message_size: 64GiB, max_session: 5m, idle_timeout: 30m }
accounts:
  - name: A.b_c-9
    imap:
      host: "::1"
      port: 1143
      security: none
      username: "me $$ you"
      password: { command: [pass, show, "$HOME ${X}"] }
      mailboxes: { include: [INBOX, '\sent'], exclude: ["a*"] }
      connections: 10
      compress: never
    every: 1m
    layout: maildir++
    max_message_size: 1MiB
    max_session: 48h
    idle_timeout: 5s
  - name: b
    pop3:
      host: mail.example.com
      security: starttls
      allow_plaintext: false
      tls: { ca_file: /etc/ssl/own.pem }
      username: "#u"
      password: "$hunter ${2}"
  - name: c
    imap: { host: 192.0.2.1, security: none, allow_plaintext: true, username: u, password: { credential: c } }
`)
	want := &Config{
		Daemon:  Daemon{Listen: "127.0.0.1:9723", Passes: 4, ConnectionsPerHost: 10},
		Archive: "/srv/mail", State: "/srv/state",
		Accounts: []Account{{
			Name: "A.b_c-9", Protocol: IMAP, Host: "::1", Port: 1143, Security: None,
			Username: "me $ you", Password: secret.Source{Command: []string{"pass", "show", "$HOME ${X}"}},
			Mailboxes:   Selection{Include: []string{"INBOX", `\sent`}, Exclude: []string{"a*"}},
			Connections: 10, Compress: CompressNever, Every: time.Minute, Jitter: 0.1, Layout: MaildirPP, Order: OldestFirst,
			MaxMessageSize: 1 << 20, MaxSession: 48 * time.Hour, IdleTimeout: 5 * time.Second,
		}, {
			Name: "b", Protocol: POP3, Host: "mail.example.com", Port: 110, Security: StartTLS,
			CAFile: "/etc/ssl/own.pem", Username: "#u", Password: secret.Source{Plain: secret.New("$hunter ${2}")},
			Mailboxes: Selection{Include: []string{"*"}}, Connections: 1, Compress: CompressAuto, Every: time.Hour, Jitter: 0.1, Layout: FS, Order: OldestFirst,
			MaxMessageSize: 64 << 30, MaxSession: 5 * time.Minute, IdleTimeout: 30 * time.Minute,
		}, {
			Name: "c", Protocol: IMAP, Host: "192.0.2.1", Port: 143, Security: None, AllowPlaintext: true,
			Username: "u", Password: secret.Source{Credential: "c"},
			Mailboxes: Selection{Include: []string{"*"}}, Connections: 3, Compress: CompressAuto, Every: time.Hour, Jitter: 0.1, Layout: FS, Order: OldestFirst,
			MaxMessageSize: 64 << 30, MaxSession: 5 * time.Minute, IdleTimeout: 30 * time.Minute,
		}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestParseTakes(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"CRLF":            strings.ReplaceAll(good, "\n", "\r\n"),
		"byte order mark": "\uFEFF" + good,
		"document start":  "---\n" + good + "...\n",
		"comments":        "# a\n" + good + "# z\n",
		"localhost":       strings.Replace(good, "imap.example.com", "LocalHost, security: none", 1),
		"127/8":           strings.Replace(good, "imap.example.com", "127.9.9.9, security: none", 1),
		"host with dot":   strings.Replace(good, "imap.example.com", "imap.example.com.", 1),
		"archive inside":  strings.Replace(good, "/srv/mail", "/srv/state/mail", 1),
		"state inside":    strings.Replace(good, "/srv/state", "/srv/mail/.state", 1),
	} {
		if c := parsed(t, text); len(c.Accounts) != 1 {
			t.Errorf("%s: got %+v", name, c)
		}
	}
}

func TestParseSizes(t *testing.T) {
	t.Parallel()
	text := good + strings.Repeat("#", maxSize-len(good))
	parsed(t, text)
	if got := mistakes(t, text+"#"); got != "test.yaml: is larger than 1 MiB; is this the right file?" {
		t.Errorf("got %s", got)
	}
	// A broken file that is too long to look for the place is still reported.
	long := strings.Repeat("# a comment\n", 2000) + "archive: [\n"
	if got := mistakes(t, long); !strings.HasPrefix(got, "test.yaml:") || !strings.Contains(got, "near this line") {
		t.Errorf("got %s", got)
	}
}

func TestPathsAndVariables(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", "/home/me")
	t.Setenv("MAILPULL_TEST_NAME", "x: y # ${HOME}")
	c, err := Parse(filepath.Join(dir, "config.yaml"), []byte(`
archive: mail/../archive
state: ~/state
accounts:
  - name: work
    imap:
      host: h
      username: ${MAILPULL_TEST_NAME}
      password: { file: "${HOME}/$$x" }
      tls: { ca_file: ./own.pem }
`))
	if err != nil {
		t.Fatal(err)
	}
	a := c.Accounts[0]
	got := []string{c.Archive, c.State, a.Username, a.Password.File, a.CAFile}
	want := []string{dir + "/archive", "/home/me/state", "x: y # ${HOME}", "/home/me/$x", dir + "/own.pem"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}

	t.Setenv("MAILPULL_TEST_NAME", "me\r\nA1 DELETE INBOX")
	text := strings.Replace(good, "me,", "'${MAILPULL_TEST_NAME}',", 1)
	if got := mistakes(t, text); !strings.Contains(got, "a variable in it holds a control character") || strings.Contains(got, "DELETE") {
		t.Errorf("got %s", got)
	}
	t.Setenv("MAILPULL_TEST_NAME", "")
	text = strings.Replace(good, "/srv/mail", "${MAILPULL_TEST_NAME}", 1)
	if got := mistakes(t, text); !strings.Contains(got, "archive: is empty after its variables were replaced") {
		t.Errorf("got %s", got)
	}
	t.Setenv("HOME", "")
	text = strings.Replace(good, "/srv/mail", "~/mail", 1)
	if got := mistakes(t, text); !strings.Contains(got, "archive: begins with ~/") {
		t.Errorf("got %s", got)
	}
}

func TestDefaultState(t *testing.T) {
	t.Parallel()
	all := map[string]string{"STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "XDG_STATE_HOME": "/xdg", "HOME": "/home/me"}
	without := func(names ...string) func(string) (string, bool) {
		return func(name string) (string, bool) {
			for _, n := range names {
				if n == name {
					return "", false
				}
			}
			v, ok := all[name]
			return v, ok
		}
	}
	for _, tc := range []struct {
		env  func(string) (string, bool)
		root bool
		want string
	}{
		{without(), false, "/var/lib/a"},
		{without(), true, "/var/lib/a"},
		{without("STATE_DIRECTORY"), true, "/var/lib/mailpull"},
		{without("STATE_DIRECTORY"), false, "/xdg/mailpull"},
		{without("STATE_DIRECTORY", "XDG_STATE_HOME"), false, "/home/me/.local/state/mailpull"},
		{without("STATE_DIRECTORY", "XDG_STATE_HOME", "HOME"), false, ""},
	} {
		got, err := (&surroundings{env: tc.env, root: tc.root}).defaultState()
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("got %q, %v, want %q", got, err, tc.want)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(good), 0o644); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(path); err != nil || len(c.Accounts) != 1 {
		t.Errorf("got %+v, %v", c, err)
	}

	missing := filepath.Join(t.TempDir(), "missing")
	_, err := Load(missing)
	if !errors.Is(err, fs.ErrNotExist) || strings.Count(err.Error(), missing) != 1 {
		t.Errorf("got %v, want fs.ErrNotExist with the path once", err)
	}
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a folder: got %v", err)
	}
}

func TestLoadRefusesAPasswordThatOthersCanRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.yaml")
	text := strings.Replace(good, "{ env: PW }", "hunter2", 1)
	for mode, ok := range map[fs.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o644: false} {
		_ = os.Remove(path) // it is not there the first time
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		if ok {
			if err != nil {
				t.Errorf("mode %v: %v", mode, err)
			}
			continue
		}
		want := path + ":5:61: accounts[0].imap.password: other users can read this file and the password in it; type: chmod 600 " + path
		if err == nil || err.Error() != want {
			t.Errorf("mode %v: got %v, want %s", mode, err, want)
		}
	}
}

func TestErrorsAreSorted(t *testing.T) {
	t.Parallel()
	_, err := Parse("test.yaml", []byte("state: [\"\"]\nzzz: 1\naccounts: {}\n"))
	var errs Errors
	if !errors.As(err, &errs) || len(errs) < 4 {
		t.Fatalf("got %v", err)
	}
	for i := 1; i < len(errs); i++ {
		a, b := errs[i-1], errs[i]
		if a.Line > b.Line || a.Line == b.Line && a.Column > b.Column {
			t.Errorf("%v stands before %v", a, b)
		}
	}
}
