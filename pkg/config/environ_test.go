package config

import (
	"reflect"
	"testing"
	"time"

	"mailpull/pkg/secret"
)

func TestFromEnv(t *testing.T) {
	t.Parallel()
	got, ok, err := FromEnv([]string{
		"HOME=/home/me", "STATE_DIRECTORY=/var/lib/x", "MAILPULL_CONFIG=x", "MAILPULL_LOG_LEVEL=debug",
		"MAILPULL_HOST=imap.example.com", "MAILPULL_USERNAME=DOMAIN\\me$${X}", "MAILPULL_PASSWORD=hunter2",
		"MAILPULL_ARCHIVE=/mail", "MAILPULL_PORT=",
	})
	want := &Config{
		Daemon:  Daemon{Listen: "127.0.0.1:9723", Passes: 4, ConnectionsPerHost: 10},
		Archive: "/mail", State: "/var/lib/x",
		Accounts: []Account{{
			Name: "mail", Protocol: IMAP, Host: "imap.example.com", Port: 993, Security: TLS,
			Username: "DOMAIN\\me$${X}", Password: secret.Source{Env: "MAILPULL_PASSWORD"},
			Mailboxes: Selection{Include: []string{"*"}}, Connections: 3, Compress: CompressAuto, Every: 15 * time.Minute, Jitter: 0.1, Layout: MaildirPP, Order: OldestFirst,
			MaxMessageSize: 2 << 30, MaxSession: 24 * time.Hour, IdleTimeout: time.Minute,
		}},
	}
	if err != nil || !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, %v, want %+v", got, ok, err, want)
	}
}

func TestFromEnvEveryVariable(t *testing.T) {
	t.Parallel()
	got, ok, err := FromEnv([]string{
		"MAILPULL_ACCOUNT=work", "MAILPULL_PROTOCOL=imap", "MAILPULL_HOST=imap.internal", "MAILPULL_PORT=1143",
		"MAILPULL_SECURITY=none", "MAILPULL_ALLOW_PLAINTEXT=true", "MAILPULL_USERNAME=me",
		"MAILPULL_PASSWORD_FILE=/run/secrets/pw", "MAILPULL_ARCHIVE=/mail", "MAILPULL_STATE=/state",
		"MAILPULL_INCLUDE=INBOX, Work/*,", `MAILPULL_EXCLUDE=\Junk`, "MAILPULL_CONNECTIONS=4", "MAILPULL_COMPRESS=always",
		"MAILPULL_EVERY=1h", "MAILPULL_LAYOUT=fs",
		"MAILPULL_MAX_MESSAGE_SIZE=50MB", "MAILPULL_MAX_SESSION=2h", "MAILPULL_IDLE_TIMEOUT=5s",
	})
	want := &Config{
		Daemon:  Daemon{Listen: "127.0.0.1:9723", Passes: 4, ConnectionsPerHost: 10},
		Archive: "/mail", State: "/state",
		Accounts: []Account{{
			Name: "work", Protocol: IMAP, Host: "imap.internal", Port: 1143, Security: None, AllowPlaintext: true,
			Username: "me", Password: secret.Source{File: "/run/secrets/pw"},
			Mailboxes:   Selection{Include: []string{"INBOX", "Work/*"}, Exclude: []string{`\Junk`}},
			Connections: 4, Compress: CompressAlways, Every: time.Hour, Jitter: 0.1, Layout: FS, Order: OldestFirst,
			MaxMessageSize: 50e6, MaxSession: 2 * time.Hour, IdleTimeout: 5 * time.Second,
		}},
	}
	if err != nil || !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, %v, want %+v", got, ok, err, want)
	}
	pop, _, err := FromEnv([]string{
		"MAILPULL_PROTOCOL=pop3", "MAILPULL_HOST=pop.example.com", "MAILPULL_CA_FILE=/ca.pem", "MAILPULL_USERNAME=me",
		"MAILPULL_PASSWORD=hunter2", "MAILPULL_ARCHIVE=/mail", "MAILPULL_STATE=/state",
	})
	if err != nil || pop.Accounts[0].Protocol != POP3 || pop.Accounts[0].Port != 995 || pop.Accounts[0].CAFile != "/ca.pem" {
		t.Errorf("got %+v, %v", pop, err)
	}
}

func TestFromEnvWithoutVariables(t *testing.T) {
	t.Parallel()
	c, ok, err := FromEnv([]string{"HOME=/home/me", "MAILPULL_CONFIG=/x", "MAILPULL_LOG_FORMAT=json", "MAILPULL_HOST=", "odd"})
	if c != nil || ok || err != nil {
		t.Errorf("got %+v, %v, %v, want nothing", c, ok, err)
	}
}

func TestFromEnvMistakes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		environ []string
		want    string
	}{
		{"nearly nothing", []string{"HOME=/h", "MAILPULL_PASSWORD=hunter2"}, `environment: MAILPULL_ARCHIVE: is required and not there
environment: MAILPULL_HOST: is required and not there
environment: MAILPULL_USERNAME: is required and not there`},
		{"everything wrong", []string{
			"HOME=/h", "MAILPULL_HOST=h", "MAILPULL_USERNAME=me", "MAILPULL_ARCHIVE=/m",
			"MAILPULL_PROTOCOL=jmap", "MAILPULL_PORT=high", "MAILPULL_PASSWRD=hunter2", "MAILPULL_EVERY=1s",
			"MAILPULL_ACCOUNT=a/b", `MAILPULL_EXCLUDE=\Jnuk`,
			"MAILPULL_MAX_MESSAGE_SIZE=50", "MAILPULL_MAX_SESSION=1m", "MAILPULL_IDLE_TIMEOUT=1h",
		}, `environment: MAILPULL_PASSWRD: unknown variable; did you mean "MAILPULL_PASSWORD"?
environment: MAILPULL_ACCOUNT: "a/b" is not an account's name; write 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', not beginning with '.' or '-'
environment: MAILPULL_PROTOCOL: "jmap" is not a protocol; write imap or pop3
environment: MAILPULL_PORT: "high" is not a port; write a number from 1 to 65535
environment: MAILPULL_PASSWORD: is required and not there
environment: MAILPULL_EXCLUDE: '\Jnuk' is not a special-use word; did you mean '\Junk'?
environment: MAILPULL_EVERY: "1s" is too short; write 1m or more
environment: MAILPULL_MAX_MESSAGE_SIZE: "50" is not a size; write for example 50MB or 2GiB
environment: MAILPULL_MAX_SESSION: "1m" is too short; write 5m or more
environment: MAILPULL_IDLE_TIMEOUT: "1h" is too long; write 30m or less`},
		{"two passwords", []string{
			"HOME=/h", "MAILPULL_HOST=h", "MAILPULL_USERNAME=me", "MAILPULL_ARCHIVE=/m",
			"MAILPULL_PASSWORD=hunter2", "MAILPULL_PASSWORD_FILE=/x",
		}, `environment: MAILPULL_PASSWORD_FILE: MAILPULL_PASSWORD is set too; set only one of them`},
		{"mailboxes of POP3", []string{
			"HOME=/h", "MAILPULL_PROTOCOL=pop3", "MAILPULL_HOST=h", "MAILPULL_USERNAME=me", "MAILPULL_ARCHIVE=/m",
			"MAILPULL_PASSWORD=hunter2", "MAILPULL_INCLUDE=INBOX",
		}, `environment: MAILPULL_INCLUDE: POP3 has one mailbox, and all of it is pulled; delete the key`},
		{"plaintext", []string{
			"HOME=/h", "MAILPULL_HOST=h", "MAILPULL_USERNAME=me", "MAILPULL_ARCHIVE=/m",
			"MAILPULL_PASSWORD=hunter2", "MAILPULL_SECURITY=none",
		}, `environment: MAILPULL_SECURITY: none sends the password to "h" as plain text for everybody on the way to read;` +
			` write tls or starttls, or allow it with allow_plaintext`},
		{"kubernetes", []string{
			"HOME=/h", "MAILPULL_HOST=h", "MAILPULL_USERNAME=me", "MAILPULL_ARCHIVE=/m", "MAILPULL_PASSWORD=hunter2",
			"MAILPULL_PORT=tcp://10.0.0.1:9090", "MAILPULL_PORT_9090_TCP=tcp://10.0.0.1:9090", "MAILPULL_SERVICE_HOST=10.0.0.1",
		}, `environment: MAILPULL_PORT_9090_TCP: unknown variable; Kubernetes makes it for a service called mailpull: set enableServiceLinks: false in the pod, or rename the service
environment: MAILPULL_SERVICE_HOST: unknown variable; Kubernetes makes it for a service called mailpull: set enableServiceLinks: false in the pod, or rename the service
environment: MAILPULL_PORT: is an address; Kubernetes makes it for a service called mailpull: set enableServiceLinks: false in the pod, or rename the service`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, ok, err := FromEnv(append(tc.environ, "XDG_STATE_HOME=/state"))
			if !ok || err == nil {
				t.Fatalf("got %v, %v, want mistakes", ok, err)
			}
			checkLines(t, Environment, err.Error())
			if err.Error() != tc.want {
				t.Errorf("got\n%v\nwant\n%s", err, tc.want)
			}
		})
	}
}
