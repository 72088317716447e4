package main

import (
	"encoding/json"
	"testing"
	"time"

	"mailpull/pkg/mailtest"
)

// A real server leaves out what is older, down to the day; status says how much
// that is. Each earlier date brings more at once, and none brings all.
func TestE2ESince(t *testing.T) {
	t.Parallel()
	d := mailtest.StartDovecot(t, mailtest.DovecotOptions{})
	messages := mailtest.Corpus(5, 12)
	for i := range messages {
		messages[i].Date = time.Date(2024, 3, 1+i, 12, 0, 0, 0, time.UTC)
	}
	d.Deliver(user, "INBOX", messages)

	s := configure(t, ways(t, d)["imap tls"], "")
	// A day before the date comes along, for the sake of time zones.
	for _, step := range []struct {
		since string
		want  int
	}{{"2024-03-10", 4}, {"2024-03-11", 4}, {"2024-03-07", 7}, {"1d", 7}, {"all", 12}} {
		s.extra = "    since: " + step.since + "\n"
		s.pointAt(t, ways(t, d)["imap tls"])
		mustRun(t, s.config)
		if got := len(readArchive(t, s, "maildir++")["INBOX"]); got != step.want {
			t.Fatalf("since %s: the archive has %d messages, want %d", step.since, got, step.want)
		}
		code, stdout, stderr := program(t, "status", "--json", "--config", s.config)
		var status struct {
			Accounts []struct {
				State    string
				Messages int
				Excluded int
			}
		}
		if err := json.Unmarshal([]byte(stdout), &status); err != nil || code != 0 {
			t.Fatalf("exit code %d, %v, %s", code, err, stderr)
		}
		if a := status.Accounts[0]; a.State != "ok" || a.Messages != step.want || a.Excluded != 12-step.want {
			t.Errorf("since %s: got %+v", step.since, a)
		}
	}
}
