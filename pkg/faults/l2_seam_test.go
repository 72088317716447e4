//go:build linux

package faults

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mailpull/pkg/durable"
	"mailpull/pkg/mailtest"
)

// l2SeamRows say which system call stands for which operation of the seam that
// level 1 stops and fails, and what else the seam counts: the account of level
// 1 makes and flushes its two folders through it, the program does so before.
func l2SeamRows() []l2SeamRow {
	return []l2SeamRow{
		{calls: `openat\(.*O_EXCL`, operations: "create"},
		{calls: `write\(`, operations: "write"},
		{calls: `fsync\(`, operations: "sync fdatasync", beside: 2},
		{calls: `syncfs\(`, operations: "syncfs"},
		{calls: `renameat2\(`, operations: "rename"},
		{calls: `renameat\(`, operations: "replace"},
		{calls: `unlinkat\(`, operations: "remove"},
		{calls: `utimensat\(`, operations: "settime"},
		{calls: `ftruncate\(`, operations: "truncate"},
		{calls: `mkdirat\(`, operations: "mkdir", beside: 2},
	}
}

type l2SeamRow struct {
	calls      string // a pattern
	operations string // with blanks between them
	beside     int
}

// The real process changes the account's folders with exactly the operations
// that level 1 sees at the seam, so its sweeps leave none out: strace counts as
// many calls of each kind as the seam counts operations.
func TestLevel2Seam(t *testing.T) {
	level2(t)
	needTools(t, "strace")
	for _, protocol := range []string{"imap", "pop3"} {
		t.Run(protocol, func(t *testing.T) {
			server := l2Serve(t, protocol, l2Messages(40, 2000))
			a := l2NewAccount(t, server, t.TempDir())
			calls := l2AccountCalls(t, a)
			steps := l2SeamSteps(t, server)
			all := 0
			for _, row := range l2SeamRows() {
				pattern := regexp.MustCompile(`^[0-9]+ +` + row.calls)
				real, seam := 0, -row.beside
				for _, line := range calls {
					if pattern.MatchString(line) {
						real++
					}
				}
				for operation := range strings.FieldsSeq(row.operations) {
					seam += steps[operation]
				}
				if real != seam {
					t.Errorf("%s: %d by strace, and %d at the seam (%s)", row.calls, real, seam, row.operations)
				}
				all += real
			}
			mailtest.Figure(t, "C2", "operations of a pass over "+protocol+" that strace and the seam both see", all, 140)
		})
	}
}

// l2AccountCalls returns the calls of a pass below the account's folders. Those
// that name a path from the root are from before, when the folders are made and
// locked.
func l2AccountCalls(t *testing.T, a *l2Account) []string {
	t.Helper()
	log := filepath.Join(t.TempDir(), "strace")
	if code, said := a.run(t, "strace", "-f", "-qq", "-y", "-o", log); code != 0 {
		t.Fatalf("ended with %d: %s", code, said)
	}
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var calls []string
	for line := range strings.Lines(string(data)) {
		below := strings.Contains(line, a.archive+"/"+account) || strings.Contains(line, a.state+"/"+account)
		if below && !strings.Contains(line, "AT_FDCWD") && !strings.Contains(line, "/lock>") {
			calls = append(calls, line)
		}
	}
	return calls
}

// l2SeamSteps makes the same pass in this process and counts the operations.
func l2SeamSteps(t *testing.T, server *l2Server) map[string]int {
	t.Helper()
	dir, err := durable.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close() // the test is done with it
	steps := &mailtest.Steps{}
	r := server.rig.on(mailtest.Disk(dir, steps))
	if _, err := r.pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	counted := make(map[string]int)
	for n := 1; n <= steps.Count(); n++ {
		counted[strings.ReplaceAll(steps.Name(n), " ", "")]++
	}
	return counted
}
