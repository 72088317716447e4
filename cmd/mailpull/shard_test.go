package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailpull/pkg/demo"
	"mailpull/pkg/mailtest"
)

// Several processes share one archive and one state folder. Whatever the number of
// parts, and when two take the same part, each message comes once and no account
// is left out.
func TestE2EShards(t *testing.T) {
	d := mailtest.StartDovecot(t, mailtest.DovecotOptions{Config: "mail_max_userip_connections = 100\n"})
	dir := t.TempDir()
	s := setup{config: filepath.Join(dir, "config.yaml"), archive: filepath.Join(dir, "mail"), state: filepath.Join(dir, "state")}
	accounts := fleet(t, s, d, 20)
	for round, parts := range []int{1, 3, 4, 2, 5} {
		for _, name := range accounts {
			d.Deliver(name, "INBOX", []demo.Message{
				{Body: fmt.Appendf(nil, "Subject: %s %d a\r\n\r\nx\r\n", name, round), Date: time.Unix(1_700_000_000, 0)},
				{Body: fmt.Appendf(nil, "Subject: %s %d b\r\n\r\nx\r\n", name, round), Date: time.Unix(1_700_000_000, 0)},
			})
		}
		results := make(chan string)
		started := 0
		for part := range parts {
			for range 1 + part%2 { // every other part is taken by two
				started++
				go func() { // its result is received below
					code, stdout, stderr := program(t, "run", "--config", s.config, "--shard", fmt.Sprintf("%d/%d", part, parts))
					results <- fmt.Sprintf("%d%s%s", code, stdout, stderr)
				}()
			}
		}
		for range started {
			if result := <-results; result != "0" {
				t.Errorf("%d parts: a run said %s", parts, result)
			}
		}
		for _, name := range accounts {
			if n := s.arrived(name); n != 2*(round+1) {
				t.Errorf("%d parts: %s has %d messages, want %d", parts, name, n, 2*(round+1))
			}
		}
	}
	if code, _, stderr := program(t, "run", "--config", s.config, "--shard", "3/3"); code != exitUsage || !strings.Contains(stderr, "write for example 0/3") {
		t.Errorf("got %d, %s", code, stderr)
	}
}

// fleet writes a configuration with many accounts, and returns their names.
func fleet(t *testing.T, s setup, d *mailtest.Dovecot, n int) []string {
	t.Helper()
	_, port, err := net.SplitHostPort(d.IMAPSAddr)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	text := fmt.Sprintf("archive: %s\nstate: %s\naccounts:\n", s.archive, s.state)
	for i := range n {
		name := fmt.Sprint("user", i)
		names = append(names, name)
		text += fmt.Sprintf("  - { name: %s, imap: { host: localhost, port: %s, tls: { ca_file: %q }, username: %s, password: %s } }\n",
			name, port, d.CAFile, name, mailtest.DovecotPassword)
	}
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return names
}

// A bound on a run is no failure, a wrong one is told.
func TestE2EBoundedRun(t *testing.T) {
	d := mailtest.StartDovecot(t, mailtest.DovecotOptions{})
	dir := t.TempDir()
	s := setup{config: filepath.Join(dir, "config.yaml"), archive: filepath.Join(dir, "mail"), state: filepath.Join(dir, "state")}
	name := fleet(t, s, d, 1)[0]
	var messages []demo.Message
	for i := range 6000 {
		messages = append(messages, demo.Message{Body: fmt.Appendf(nil, "Subject: %d\r\n\r\n%s\r\n", i, strings.Repeat("x", 300)), Date: time.Unix(1_700_000_000, 0)})
	}
	d.Deliver(name, "INBOX", messages)
	runs := 0
	for ; s.arrived(name) < 6000 && runs < 50; runs++ {
		if code, stdout, stderr := program(t, "run", "--config", s.config, "--max-bytes", "100kB"); code != 0 || stdout+stderr != "" {
			t.Fatalf("got %d, %s%s", code, stdout, stderr)
		}
	}
	if runs < 2 || s.arrived(name) != 6000 {
		t.Errorf("%d messages in %d runs", s.arrived(name), runs)
	}
	if code, _, stderr := program(t, "run", "--config", s.config, "--max-bytes", "much"); code != exitUsage || !strings.Contains(stderr, "write for example 50MB or 2GiB") {
		t.Errorf("got %d, %s", code, stderr)
	}
}
