package main

import (
	"strings"
	"testing"

	"mailpull/pkg/demo"
	"mailpull/pkg/mailtest"
)

// The commands for a daemon do what they say, and say so when there is none.
func TestE2ECommandsForADaemon(t *testing.T) {
	d := mailtest.StartDovecot(t, mailtest.DovecotOptions{})
	d.Deliver(user, "INBOX", []demo.Message{newMessage()})
	s := daemonSetup(t, d, "")
	mustSay := func(wantCode int, want string, args ...string) {
		t.Helper()
		code, stdout, stderr := program(t, append(args, "--config", s.config)...)
		if code != wantCode || !strings.Contains(stdout+stderr, want) {
			t.Errorf("mailpull %s: code %d, want %d and %q in\n%s%s", strings.Join(args, " "), code, wantCode, want, stdout, stderr)
		}
	}
	for _, command := range []string{"pull", "reload"} {
		mustSay(exitUnavailable, "no daemon is running; start one with: mailpull daemon", command)
	}
	mustSay(exitUnavailable, "no daemon is running", "health")
	mustSay(exitTemporary, "no complete pass within 26h0m0s: work", "health", "--max-age", "26h")
	mustSay(exitOK, "", "pause", "work") // it holds for the daemon that is started later
	daemon := serve(t, s)
	mustSay(exitOK, "paused", "pull", "work")
	mustSay(exitOK, "DAEMON  NEXT PASS", "status")
	mustSay(exitOK, "", "resume", "work")
	mustSay(exitOK, `"state": "ok"`, "pull", "--json")
	if n := s.arrived("work"); n != 1 {
		t.Errorf("%d messages arrived, want 1", n)
	}
	mustSay(exitOK, "queued", "pull", "--no-wait")
	mustSay(exitOK, "healthy, accounts: 1", "health")
	mustSay(exitOK, `"healthy": true`, "health", "--json", "--max-age", "26h")
	mustSay(exitOK, `"daemon":`, "status", "--json")
	mustSay(exitOK, "", "reload")
	mustSay(exitUsage, `there is no account "nobody"`, "pull", "nobody")
	mustSay(exitTemporary, "another daemon, pid", "daemon")
	if _, err := daemon.stop(t, 15); err != nil {
		t.Errorf("the daemon ended with %v", err)
	}
	mustSay(exitUnavailable, "no daemon is running", "pull")
	mustSay(exitOK, "work     imap    ok", "status")
}
