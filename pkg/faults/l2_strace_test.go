//go:build linux

package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mailpull/pkg/mailtest"
)

// l2Calls are the system calls by which the program changes a disk or opens
// what is on it. TestLevel2Seam notices when one is missing here.
func l2Calls() []string {
	return []string{
		"openat", "write", "pwrite64", "fsync", "syncfs", "renameat2", "renameat", "unlinkat", "utimensat", "ftruncate", "mkdirat", "close",
	}
}

// l2Faults are what happens at a call: the process is killed before it, or the
// call fails.
func l2Faults() []string { return []string{"signal=KILL", "error=EIO", "error=ENOSPC", "error=EDQUOT"} }

// The real process is killed at the n-th call of each kind, and each call fails
// with an error, for n until there is no n-th call. Nothing that was
// acknowledged is lost, nothing is partial, and the next pass brings the rest
// and nothing twice.
//
// strace counts the calls of each thread, and Go moves work between threads, so
// not every call of a pass is hit and some are hit more than once; what was hit
// is counted too.
func TestLevel2Strace(t *testing.T) {
	level2(t)
	needTools(t, "strace")
	for _, protocol := range []string{"imap", "pop3"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			server := l2Serve(t, protocol, l2Messages(40, 2000))
			s := &l2Sweep{account: l2NewAccount(t, server, l2Shm(t)), log: filepath.Join(t.TempDir(), "strace"), hit: make(map[string]bool)}
			for _, call := range l2Calls() {
				for _, fault := range l2Faults() {
					s.sweep(t, call, fault)
				}
			}
			least := map[string]int{"imap": 680, "pop3": 520}[protocol]
			mailtest.Figure(t, "C2", "calls of the real process over "+protocol+" killed or failed by strace", s.runs, least)
			mailtest.Figure(t, "C2", "places hit, by call, fault and path", len(s.hit), least/2)
		})
	}
}

// l2Shm returns a folder in memory where there is one: a killed process loses
// nothing that the kernel has, so the disk behind it does not matter.
func l2Shm(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "mailpull-faults")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // the test is over
	return dir
}

// l2Sweep tries one account at every call.
type l2Sweep struct {
	account *l2Account
	log     string
	runs    int
	hit     map[string]bool
}

// l2Patience is how many n in a row without an n-th call end a sweep: a thread
// that makes so many calls in one run may make fewer in another.
const l2Patience = 2

func (s *l2Sweep) sweep(t *testing.T, call, fault string) {
	t.Helper()
	missed := 0
	for n := 1; missed < l2Patience; n++ {
		s.account.clear(t)
		code, said := s.account.run(t, "strace", "-f", "--seccomp-bpf", "-qq", "-y", "-E", "GOMAXPROCS=1", "-o", s.log,
			"-e", "trace="+call, "-e", fmt.Sprintf("inject=%s:%s:when=%d", call, fault, n))
		at := s.where(t, fault)
		if at == "" {
			missed++
			continue
		}
		missed = 0
		s.runs++
		s.hit[call+" "+fault+" "+at] = true
		if err := s.after(t, fault, code); err != nil {
			t.Errorf("%s, %s at the %d. of a thread, %s: %v\n%s", call, fault, n, at, err, said)
		}
	}
}

// after judges what the disturbed process left behind.
func (s *l2Sweep) after(t *testing.T, fault string, code int) error {
	t.Helper()
	switch {
	case fault == "signal=KILL":
	case code == 0:
		// It was told of an error and says that all is well: then all must be.
		if err := s.account.judge(true); err != nil {
			return fmt.Errorf("ended with 0: %w", err)
		}
	case code != 69 && code != 74 && code != 75 && code != 78:
		return fmt.Errorf("ended with %d", code)
	}
	if err := s.account.judge(false); err != nil {
		return err
	}
	return s.account.finish(t)
}

// l2Varies is what differs from run to run in a line of strace: descriptors,
// ports, and the time in a temporary name.
var l2Varies = regexp.MustCompile(`[0-9]+<|0x[0-9a-f]+|:[0-9]+|[0-9]{19}`)

// where returns the call that was hit, without what differs from run to run,
// and nothing when none was.
func (s *l2Sweep) where(t *testing.T, fault string) string {
	t.Helper()
	data, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	mark := "(INJECTED)"
	if fault == "signal=KILL" {
		mark = "= ?" // the call did not return
	}
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, mark) {
			_, call, _ := strings.Cut(line, " ")
			call, _, _ = strings.Cut(call, " = ")
			return strings.TrimSpace(l2Varies.ReplaceAllString(call, ""))
		}
	}
	if strings.Contains(string(data), "killed by SIGKILL") {
		return "a call whose line was cut off"
	}
	return ""
}

// A rename that says yes and does nothing loses mail, and a flush of the
// checkpoint that fails and says yes is no loss of a killed process: the sweep's
// judge tells the one, and keeps quiet of the other.
func TestLevel2StraceNotices(t *testing.T) {
	level2(t)
	needTools(t, "strace")
	server := l2Serve(t, "imap", l2Messages(3, 2000))
	a := l2NewAccount(t, server, l2Shm(t))
	for call, noticed := range map[string]bool{"renameat2": true, "fsync": false} {
		a.clear(t)
		code, said := a.run(t, "strace", "-f", "-qq", "-o", os.DevNull, "-e", "trace="+call, "-e", "inject="+call+":retval=0")
		if code != 0 {
			t.Fatalf("%s: ended with %d: %s", call, code, said)
		}
		if err := a.judge(false); (err != nil) != noticed {
			t.Errorf("%s does nothing: got %v, noticed should be %v", call, err, noticed)
		}
	}
}
