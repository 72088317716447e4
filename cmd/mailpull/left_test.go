package main

import (
	"encoding/json"
	"strings"
	"testing"

	"mailpull/pkg/mailtest"
)

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
