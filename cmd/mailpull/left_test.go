package main

import (
	"encoding/json"
	"strings"
	"testing"

	"mailpull/pkg/daemon"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

// The last line tells what is left, also of an account that the run did not get
// to.
func TestVerdictTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	o := daemon.Outcome{Account: "work", Err: pull.Unfinished()}
	o.Result.Left, o.Result.LeftBytes = 1180, 23_600_000
	if got := verdict(o); got != "work: not begun; 1,180 left from earlier (about 23.6 MB)" {
		t.Errorf("got %q", got)
	}
	o.Result.Mailboxes = []mail.MailboxResult{{Mailbox: "INBOX", Server: 2000, Archived: 800, Excluded: 20, Missing: 1180, MissingBytes: 23_600_000}}
	want := "work: server 2,000, archived 800, missing 1,180 (about 23.6 MB), older than since 20; 0 new, 0 B in 0 ms; 1,180 left for the next run"
	if got := verdict(o); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// A run that is bounded says what it left, for people and for programs, and the
// next one brings it.
func TestE2ELeft(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	messages := mailtest.Corpus(9, 3000)
	for _, m := range messages {
		tr.arrive(m)
	}
	code, stdout, stderr := program(t, "run", "--json", "--max-bytes", "1kB", "--config", tr.config)
	var answer struct {
		Accounts []struct {
			Account, State, Error string
			New, Missing, Left    int
			LeftBytes             int64 `json:"left_bytes"`
		}
	}
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil || code != 0 || stderr != "" {
		t.Fatalf("exit code %d, %v, stdout %s, stderr %s", code, err, stdout, stderr)
	}
	a := answer.Accounts[0]
	if a.State != "partial" || a.Error != "" || a.New == 0 || a.Left == 0 || a.New+a.Left != len(tr.messages) || a.Missing != a.Left || a.LeftBytes < 1000*int64(a.Left) {
		t.Errorf("got %+v", a)
	}
	code, stdout, _ = program(t, "status", "--config", tr.config)
	if code != 0 || !strings.Contains(stdout, " messages are missing (about ") {
		t.Errorf("exit code %d, status:\n%s", code, stdout)
	}
	mustRun(t, tr.config)
	code, stdout, _ = program(t, "run", "--json", "--config", tr.config)
	if code != 0 || !strings.Contains(stdout, `"state": "ok"`) || !strings.Contains(stdout, `"left_bytes": 0`) {
		t.Errorf("exit code %d, %s", code, stdout)
	}
}
