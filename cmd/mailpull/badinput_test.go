package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mailpull/pkg/demo"
	"mailpull/pkg/mailtest"
)

// TestE2EBadInput breaks one thing at a time: what the server says, the
// network, the disk, the records. Each case runs the real program, compares
// its exit code and every line that it says with the text here, repairs the
// one thing and runs again: then everything is there, once.
func TestE2EBadInput(t *testing.T) {
	t.Parallel()
	for _, cases := range []map[string]func(*testing.T){
		configCases(), connectCases(), signInCases(), answerCases(), bodyCases(), cutCases(),
		archiveCases(), mountCases(), stateCases(), recordCases(), quietCases(), stopCases(), pairCases(),
		daemonStartCases(), reloadCases(), servingCases(),
	} {
		for _, name := range slices.Sorted(maps.Keys(cases)) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				cases[name](t)
			})
		}
	}
}

// trial is a setup and the honest server that it pulls from, or will pull from
// once the cause of its trouble is repaired.
type trial struct {
	setup
	server   *demo.Server
	caFile   string
	messages []demo.Message
}

// newTrial starts the server, with 30 messages in two mailboxes, and points
// the setup at it.
func newTrial(t *testing.T) *trial {
	t.Helper()
	messages := mailtest.Corpus(5, 30)
	for i := range messages {
		if i%3 == 2 {
			messages[i].Mailbox = "Work"
		}
	}
	server, err := demo.Start(demo.Options{Messages: messages})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() }) // it holds nothing that could be lost
	tr := &trial{setup: configure(t, "", ""), server: server, messages: messages}
	tr.caFile = tr.write(t, "ca.pem", string(server.CAFile()))
	tr.pointAt(t, tr.source())
	return tr
}

// newMessage is one that the honest server does not have yet.
func newMessage() demo.Message {
	return demo.Message{Mailbox: "INBOX", Body: []byte("Subject: new\r\n\r\ntext\r\n"), Date: time.Unix(1_700_000_000, 0)}
}

// arrive delivers a message to the honest server.
func (tr *trial) arrive(m demo.Message) {
	tr.server.Append(m)
	tr.messages = append(tr.messages, m)
}

// source signs in at the honest server.
func (tr *trial) source() string { return tr.at(tr.server.IMAPSAddr(), "tls") }

// sourceOverPOP3 signs in at the honest server's POP3 side.
func (tr *trial) sourceOverPOP3() string {
	return "pop3: " + tr.account(tr.server.POP3SAddr(), "tls", "password: "+demo.Password)
}

// at signs in at an address with what the honest server knows. With one
// connection it is the same mailbox in each run that meets a fault first.
func (tr *trial) at(addr, security string) string {
	return "imap: " + tr.account(addr, security, "password: "+demo.Password+", connections: 1")
}

// account writes how to sign in at an address with a password from anywhere.
func (tr *trial) account(addr, security, password string) string {
	host, port, _ := strings.Cut(addr, ":")
	if security != "none" {
		security += fmt.Sprintf(", tls: { ca_file: %q }", tr.caFile)
	}
	return fmt.Sprintf("{ host: %s, port: %s, security: %s, username: %s, %s }", host, port, security, demo.Username, password)
}

// write writes a file beside the configuration and returns its path.
func (s setup) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(s.config), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mustFail makes a run that has to fail with an exit code and to say one line
// and, unless it is empty, one hint.
func (s setup) mustFail(t *testing.T, code int, line, hint string, args ...string) {
	t.Helper()
	want := "mailpull: work: " + line + "\n"
	if hint != "" {
		want += "mailpull: hint: " + hint + "\n"
	}
	s.mustSay(t, code, want, args...)
}

// mustSay makes a run and compares its exit code and everything it says.
func (s setup) mustSay(t *testing.T, code int, want string, args ...string) {
	t.Helper()
	got, stdout, stderr := program(t, append([]string{"run", "--config", s.config}, args...)...)
	s.compare(t, got, code, stderr, want)
	if stdout != "" {
		t.Errorf("stdout: %q", stdout)
	}
}

// compare compares how a run ended with how it should have. No password may
// be in what it says.
func (s setup) compare(t *testing.T, code, wantCode int, stderr, want string) {
	t.Helper()
	if text := s.normal(stderr); code != wantCode || text != want {
		t.Errorf("exit code %d, want %d; it said\n%s\nwant\n%s", code, wantCode, text, want)
	}
	for _, secret := range []string{demo.Password, mailtest.DovecotPassword} {
		if strings.Contains(stderr, secret) {
			t.Errorf("the password is in what it said")
		}
	}
}

// What differs from run to run in a text.
var (
	portSyntax  = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	idSyntax    = regexp.MustCompile(`\b(p|u)id \d{2,}`)
	nowSyntax   = regexp.MustCompile(`current time \S+`)
	probeSyntax = regexp.MustCompile(`paused until [\d: -]+,`)
	tempSyntax  = regexp.MustCompile(`/tmp/\S+\.mailpull`)

	// logSyntax is the log's line for a single message. One is complained of
	// at the end; the log has them all.
	logSyntax = regexp.MustCompile(`(?m)^time=\S+ level=WARN msg="message failed" .*\n`)
)

// normal replaces what differs from run to run.
func (s setup) normal(text string) string {
	text = strings.ReplaceAll(text, filepath.Dir(s.config), "DIR")
	text = portSyntax.ReplaceAllString(text, "127.0.0.1:PORT")
	text = idSyntax.ReplaceAllString(text, "${1}id ID")
	text = nowSyntax.ReplaceAllString(text, "current time NOW")
	text = probeSyntax.ReplaceAllString(text, "paused until NEXT PROBE,")
	text = tempSyntax.ReplaceAllString(text, "/tmp/NAME")
	return logSyntax.ReplaceAllString(text, "")
}

// mustRetry has the next run ask for all that is in quarantine.
func (s setup) mustRetry(t *testing.T) {
	t.Helper()
	code, stdout, stderr := program(t, "quarantine", "retry", "work", "--all", "--config", s.config)
	if code != 0 || stdout != "" || stderr != "" {
		t.Fatalf("retry: exit code %d, stdout %q, stderr:\n%s", code, stdout, stderr)
	}
}

// mustRecover makes the run after the repair: everything that the honest
// server has is in the archive, once, and one run more changes nothing.
func (tr *trial) mustRecover(t *testing.T) {
	t.Helper()
	tr.pointAt(t, tr.source())
	tr.mustArrive(t, tr.all())
}

// all is what the honest server has, by mailbox.
func (tr *trial) all() map[string][]string {
	bodies := make(map[string][]string)
	for _, m := range tr.messages {
		bodies[m.Mailbox] = append(bodies[m.Mailbox], string(m.Body))
	}
	return bodies
}

// mustArrive runs and compares the archive with bodies by mailbox, then runs
// once more, which must change nothing.
func (s setup) mustArrive(t *testing.T, want map[string][]string) {
	t.Helper()
	mustRun(t, s.config)
	s.mustContain(t, want)
	before := snapshot(t, s.archive)
	mustRun(t, s.config)
	if after := snapshot(t, s.archive); !slices.Equal(before, after) {
		t.Errorf("one run more changed the archive: %d files, then %d", len(before), len(after))
	}
}

// mustContain compares the archive with bodies by mailbox.
func (s setup) mustContain(t *testing.T, want map[string][]string) {
	t.Helper()
	boxes := readArchive(t, s, "maildir++")
	for _, name := range slices.Sorted(maps.Keys(boxes)) {
		if _, ok := want[name]; !ok {
			t.Errorf("the archive has a mailbox %q with %d messages", name, len(boxes[name]))
		}
	}
	for name := range want {
		var got []string
		for _, m := range boxes[name] {
			got = append(got, m.body)
		}
		slices.Sort(got)
		if bodies := slices.Sorted(slices.Values(want[name])); !slices.Equal(got, bodies) {
			t.Errorf("%q: the archive has %d messages, want %d, or they differ", name, len(got), len(bodies))
		}
	}
}

// configCases are wrong configurations.
func configCases() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"wrong configuration": func(t *testing.T) {
			tr := newTrial(t)
			tr.pointAt(t, "imap: { hots: localhost, username: me, password: { env: P } }")
			tr.mustSay(t, exitConfig,
				"mailpull: DIR/config.yaml:5:13: accounts[0].imap: unknown key \"hots\"; did you mean \"host\"?\n")
			tr.mustRecover(t)
		},
		"plain text to another machine": func(t *testing.T) {
			tr := newTrial(t)
			tr.pointAt(t, "imap: { host: imap.example.com, security: none, username: me, password: { env: P } }")
			tr.mustSay(t, exitConfig,
				"mailpull: DIR/config.yaml:5:47: accounts[0].imap.security: none sends the password to \"imap.example.com\" as plain text for everybody on the way to read; write tls or starttls, or allow it with allow_plaintext\n")
			tr.mustRecover(t)
		},
		"ca_file missing": func(t *testing.T) {
			tr := newTrial(t)
			good := tr.caFile
			tr.caFile = filepath.Join(filepath.Dir(tr.config), "none.pem")
			tr.pointAt(t, tr.source())
			tr.mustFail(t, exitConfig,
				"imap connect: open DIR/none.pem: no such file or directory",
				`write under ca_file the path of a readable PEM file with certificates; "DIR/none.pem" is none`)
			tr.caFile = good
			tr.mustRecover(t)
		},
		"ca_file without certificates": func(t *testing.T) {
			tr := newTrial(t)
			good := tr.caFile
			tr.caFile = tr.config
			tr.pointAt(t, tr.source())
			tr.mustFail(t, exitConfig,
				"imap connect: parse DIR/config.yaml: no certificate in the file",
				`write under ca_file the path of a readable PEM file with certificates; "DIR/config.yaml" is none`)
			tr.caFile = good
			tr.mustRecover(t)
		},
	}
}
