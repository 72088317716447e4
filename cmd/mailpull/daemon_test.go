package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailpull/pkg/control"
	"mailpull/pkg/demo"
	"mailpull/pkg/mailtest"
)

// service is a daemon of the real program.
type service struct {
	setup
	ended chan error
	pid   *os.Process
	log   string
}

// serve starts a daemon on a configuration, and waits until it takes commands.
func serve(t testing.TB, s setup) *service {
	t.Helper()
	out := &service{setup: s, ended: make(chan error, 1), log: s.config + ".log"}
	log, err := os.Create(out.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // the daemon has it open
	cmd := command(t, "daemon", "--config", s.config)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.pid = cmd.Process
	go func() { out.ended <- cmd.Wait() }() // stop receives it, or the test's end kills it
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended by then, if all went well
		if t.Failed() {
			t.Log(out.text(t))
		}
	})
	within(t, "the daemon answers", func() bool {
		client, err := control.Dial(filepath.Join(s.state, ".control"))
		if err != nil {
			return false
		}
		_, err = client.Status(t.Context())
		return err == nil
	})
	return out
}

// text is what the daemon wrote.
func (s *service) text(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// stop ends the daemon by a signal, and returns how long that took.
func (s *service) stop(t testing.TB, signal syscall.Signal) (took time.Duration, err error) {
	t.Helper()
	begin := time.Now()
	if err := s.pid.Signal(signal); err != nil {
		t.Fatal(err)
	}
	select {
	case err = <-s.ended:
		return time.Since(begin), err
	case <-time.After(30 * time.Second):
		t.Fatal("the daemon does not end")
		return 0, nil
	}
}

// within waits until something is so. It is for what other processes do; a test
// fails when it takes far too long, and its time is no figure.
func within(t testing.TB, what string, so func() bool) {
	t.Helper()
	for begin := time.Now(); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("not after 30 seconds: %s", what)
		}
	}
}

// arrived counts the messages of an account's inbox.
func (s setup) arrived(account string) int {
	n := 0
	for _, dir := range []string{"new", "cur"} {
		entries, _ := os.ReadDir(filepath.Join(s.archive, account, dir)) // none before the first pass
		n += len(entries)
	}
	return n
}

// daemonSetup writes a configuration with one account that waits for new mail.
func daemonSetup(t testing.TB, d *mailtest.Dovecot, more string) setup {
	t.Helper()
	dir := t.TempDir()
	s := setup{config: filepath.Join(dir, "config.yaml"), archive: filepath.Join(dir, "mail"), state: filepath.Join(dir, "state")}
	text := fmt.Sprintf("archive: %s\nstate: %s\ndaemon: { listen: \"off\" }\naccounts:\n  - name: work\n    every: 24h\n    idle: true\n    imap: %s\n%s",
		s.archive, s.state, login(t, d.IMAPSAddr, "tls", d.CAFile), more)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// newMail delivers one message and returns how long it took to be in the archive.
func newMail(t testing.TB, d *mailtest.Dovecot, s setup) time.Duration {
	t.Helper()
	before := s.arrived("work")
	begin := time.Now()
	d.Deliver(user, "INBOX", []demo.Message{{Body: fmt.Appendf(nil, "Subject: %d\r\n\r\nnew\r\n", before), Date: time.Unix(1_700_000_000, 0)}})
	within(t, "the message is in the archive", func() bool { return s.arrived("work") > before })
	return time.Since(begin)
}

// waiting waits until the server holds a connection in IDLE.
func (s *service) waiting(t testing.TB) {
	t.Helper()
	client, err := control.Dial(filepath.Join(s.state, ".control"))
	if err != nil {
		t.Fatal(err)
	}
	within(t, "the daemon waits for new mail", func() bool {
		status, err := client.Status(t.Context())
		return err == nil && strings.Contains(string(status), `"idle":true`)
	})
}

// New mail is in the archive soon after it came, without a timetable; and again
// after the server was restarted.
func TestE2EIdle(t *testing.T) {
	d := mailtest.StartDovecot(t, mailtest.DovecotOptions{})
	d.Deliver(user, "INBOX", []demo.Message{{Body: []byte("Subject: first\r\n\r\nx\r\n"), Date: time.Unix(1_700_000_000, 0)}})
	s := serve(t, daemonSetup(t, d, ""))
	within(t, "the first pass", func() bool { return s.arrived("work") == 1 })
	s.waiting(t)
	for range 3 {
		newMail(t, d, s.setup)
	}
	if took, err := s.stop(t, syscall.SIGTERM); err != nil || took > 10*time.Second {
		t.Errorf("the drain took %s and ended with %v", took, err)
	}
}

// BenchmarkFiguresIdle prints how long new mail takes under IDLE, of 21 messages
// from a Dovecot on loopback.
func BenchmarkFiguresIdle(b *testing.B) {
	d := mailtest.StartDovecot(b, mailtest.DovecotOptions{})
	s := serve(b, daemonSetup(b, d, ""))
	s.waiting(b)
	var times []time.Duration
	for b.Loop() {
		for range 21 {
			times = append(times, newMail(b, d, s.setup))
		}
	}
	slices.Sort(times)
	b.ReportMetric(times[len(times)/2].Seconds()*1000, "ms/median")
	b.ReportMetric(times[len(times)-1].Seconds()*1000, "ms/most")
	_, _ = s.stop(b, syscall.SIGTERM) // its end is not measured
}
