package mailtest

import (
	"fmt"
	"os"
	"testing"
)

// Every returns which cases a suite of the fault programme takes: every one in
// a plain go test, every n-th under the race detector and with -short, where
// the same code has to be run and not the same number of times.
func Every(n int) int {
	if raceDetector || testing.Short() {
		return n
	}
	return 1
}

// Figure says how many cases a suite of the fault programme ran, and fails when
// they were fewer than atLeast, unless Every thinned them out. The line is
// logged, and appended to the file that $MAILPULL_FIGURES names: that is how
// make test comes to print them all.
func Figure(t testing.TB, id, what string, n, atLeast int) {
	t.Helper()
	line := fmt.Sprintf("%-4s %8d  %s", id, n, what)
	t.Log(line)
	if n == 0 || n < atLeast && Every(2) == 1 {
		t.Errorf("%s: %d %s, want at least %d", id, n, what, atLeast)
	}
	path := os.Getenv("MAILPULL_FIGURES")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // Write below has said what there is to say
	if _, err := f.WriteString(line + "\n"); err != nil {
		t.Error(err)
	}
}
