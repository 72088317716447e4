package faults

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// level2 keeps the tests of level 2, which need the real program, minutes and
// mostly root, out of a plain go test.
func level2(t *testing.T) {
	t.Helper()
	if os.Getenv("MAILPULL_LEVEL2") != "1" {
		t.Skip("level 2 of the fault programme runs with: make faults")
	}
}

// lacking skips a test that cannot run in this place, loudly. Where
// MAILPULL_REQUIRE_FAULTS=1, as in CI, it fails it. make faults prints the line
// among the figures, because go test keeps quiet of what was skipped.
func lacking(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("MAILPULL_REQUIRE_FAULTS") == "1" {
		t.Fatalf("MAILPULL_REQUIRE_FAULTS=1, and %s", what)
	}
	line := fmt.Sprintf("SKIPPED: %s: %s", t.Name(), what)
	if path := os.Getenv("MAILPULL_FIGURES"); path != "" {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close() // the write below has said what there is to say
		if _, err := f.WriteString(line + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	t.Skip(line)
}

// needRoot is for tests that mount.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		lacking(t, "mounting needs root")
	}
}

// needTools is for tests that call other programs.
func needTools(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			lacking(t, name+" is not installed: scripts/install-faults.sh does it on Debian")
		}
	}
}

// l2Binary returns the path of the real program, which make faults builds.
func l2Binary(t *testing.T) string {
	t.Helper()
	binary := os.Getenv("MAILPULL_BINARY")
	if binary == "" {
		t.Fatal("MAILPULL_BINARY is not set: run make faults")
	}
	return binary
}

// l2Listen serves connections on a free port of loopback until the test ends,
// and returns the port. All connections are closed then.
func l2Listen(t *testing.T, serve func(net.Conn)) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	var mu sync.Mutex
	open := make(map[net.Conn]bool)
	served.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			served.Go(func() {
				serve(conn)
				_ = conn.Close() // it may be closed already
				mu.Lock()
				delete(open, conn)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for conn := range open {
			_ = conn.Close() // the client is gone or will learn it so
		}
		mu.Unlock()
		served.Wait()
	})
	return listener.Addr().(*net.TCPAddr).Port
}

// l2OneLine reports whether what a failed run said is one line that says what
// is wrong, and at most one more with a hint. Lines of the log may stand before.
func l2OneLine(stderr string) bool {
	var lines, hints int
	for line := range strings.Lines(stderr) {
		switch {
		case strings.HasPrefix(line, "mailpull: hint: "):
			hints++
		case strings.HasPrefix(line, "mailpull: "):
			lines++
		case lines > 0 || !strings.HasPrefix(line, "time="):
			return false
		}
	}
	return lines == 1 && hints <= 1
}
