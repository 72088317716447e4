package main

import (
	"os"
	"strings"
	"testing"
)

// A dry run tells what a run would pull and leaves no trace on this machine.
func TestE2EDryRun(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	code, stdout, stderr := program(t, "run", "--dry-run", "--config", tr.config)
	if code != 0 || stderr != "" || !strings.Contains(stdout, "TO PULL") || !strings.Contains(stdout, "work: 30 messages to pull") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	for _, path := range []string{tr.archive, tr.state} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s: %v", path, err)
		}
	}

	mustRun(t, tr.config)
	before := append(snapshot(t, tr.archive), snapshot(t, tr.state)...)
	tr.arrive(newMessage())
	code, stdout, _ = program(t, "run", "-n", "--json", "--config", tr.config)
	if code != 0 || !strings.Contains(stdout, `"to_pull": 1,`) || !strings.Contains(stdout, `"archived": 20,`) {
		t.Errorf("exit code %d, %s", code, stdout)
	}
	if after := append(snapshot(t, tr.archive), snapshot(t, tr.state)...); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Errorf("before:\n%s\nafter:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}

	// As with a run, what failed decides the exit code.
	tr.pointAt(t, strings.Replace(tr.source(), "password: ", "password: x", 1))
	if code, _, stderr := program(t, "run", "--dry-run", "--config", tr.config); code != exitNoPerm || !strings.Contains(stderr, "mailpull: work: ") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if code, _, _ := program(t, "run", "--dry-run", "--max-bytes", "1MB", "--config", tr.config); code != exitUsage {
		t.Errorf("with a bound: exit code %d", code)
	}
}
