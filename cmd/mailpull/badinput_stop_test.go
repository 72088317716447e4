package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mailpull/pkg/demo"
	"mailpull/pkg/mailtest"
)

// stopCases are runs that somebody stops.
func stopCases() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"sigint in the middle":           func(t *testing.T) { stopInTheMiddle(t, syscall.SIGINT, exitInterrupt) },
		"sigterm in the middle":          func(t *testing.T) { stopInTheMiddle(t, syscall.SIGTERM, exitTerminate) },
		"sigint while the server thinks": stopInSilence,
	}
}

// What two accounts say of themselves behind their names.
const (
	badPassword = "imap sign in: the server said \"NO [AUTHENTICATIONFAILED] Authentication failed\"\n" +
		"mailpull: hint: check username and password; many providers want an app password instead of the usual one\n"
	noListener = "imap connect: dial tcp 127.0.0.1:PORT: connect: connection refused\n" +
		"mailpull: hint: nothing listens on 127.0.0.1:PORT; check host, port and security, or whether the server is up\n"
)

// pairCases are runs over two accounts.
func pairCases() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"two passing failures": func(t *testing.T) {
			two := newTwo(t)
			closed := closedPort(t)
			two.point(t, two.at(closed, "tls"), two.at(closed, "tls"))
			two.mustSay(t, exitTemporary,
				"mailpull: work: "+noListener+
					"mailpull: isp: "+noListener)
			two.mustRecover(t)
		},
		"two refused passwords": func(t *testing.T) {
			two := newTwo(t)
			two.point(t, two.refused(), two.refused())
			two.mustSay(t, exitNoPerm,
				"mailpull: work: "+badPassword+
					"mailpull: isp: "+badPassword)
			two.mustRecover(t)
		},
		"a refused password and a passing failure": func(t *testing.T) {
			two := newTwo(t)
			two.point(t, two.refused(), two.at(closedPort(t), "tls"))
			two.mustSay(t, exitUnavailable,
				"mailpull: work: "+badPassword+
					"mailpull: isp: "+noListener)
			two.mustRecover(t)
		},
		"a local failure and a refused password": func(t *testing.T) {
			two := newTwo(t)
			folder := filepath.Join(two.archive, "work")
			mustMkdir(t, two.archive)
			two.write(t, "mail/work", "text")
			two.point(t, two.source(), two.refused())
			two.mustSay(t, exitIO,
				"mailpull: work: archive: mkdir DIR/mail/work: file exists\n"+
					"mailpull: hint: something else stands where a folder should be; move it away and run again, nothing is lost by that\n"+
					"mailpull: isp: "+badPassword)
			mustRemove(t, folder)
			two.mustRecover(t)
		},
		"one account fails and the other is fine": func(t *testing.T) {
			two := newTwo(t)
			two.point(t, two.refused(), two.source())
			two.mustSay(t, exitNoPerm,
				"mailpull: work: "+badPassword)
			if files := snapshot(t, filepath.Join(two.archive, "isp")); len(files) != len(two.messages) {
				t.Errorf("the account beside the failing one has %d messages, want %d", len(files), len(two.messages))
			}
			two.mustRecover(t)
		},
	}
}

// stopInTheMiddle sends a signal when the server has sent three quarters and
// holds the rest back.
func stopInTheMiddle(t *testing.T, signal syscall.Signal, code int) {
	tr := newTrial(t)
	total := 0
	for _, m := range mailtest.Corpus(6, 300) {
		tr.arrive(m)
		total += len(m.Body)
	}
	reached, ended := make(chan struct{}), make(chan struct{})
	proxy := mailtest.NewProxy(t, tr.server.IMAPSAddr(), int64(total*3/4), func() {
		close(reached)
		<-ended
	})
	tr.pointAt(t, tr.at(proxy.Addr, "tls"))
	tr.mustStop(t, signal, code, reached)
	close(ended)
	if n := len(snapshot(t, tr.archive)); n == 0 {
		t.Error("nothing of what had arrived was kept")
	}
	mustHoldPrefix(t, tr.setup)
	tr.mustRecover(t)
}

// stopInSilence sends a signal while the server has not said anything yet.
func stopInSilence(t *testing.T) {
	tr := newTrial(t)
	reached := make(chan struct{})
	e := listen(t, func(conn net.Conn) {
		close(reached)
		_, _ = io.Copy(io.Discard, conn) // until mailpull hangs up
	})
	tr.pointAt(t, tr.at(e.addr, "none"))
	tr.mustStop(t, syscall.SIGINT, exitInterrupt, reached)
	tr.mustRecover(t)
}

// mustStop makes a run, sends it a signal when reached is closed, and compares
// how it ends.
func (s setup) mustStop(t *testing.T, signal os.Signal, code int, reached <-chan struct{}) {
	t.Helper()
	cmd := command(t, "run", "--config", s.config)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // received below
	select {
	case <-reached:
		_ = cmd.Process.Signal(signal) // if it has ended just now, that shows below
		<-ended
	case <-ended:
	}
	s.compare(t, cmd.ProcessState.ExitCode(), code, stderr.String(),
		"mailpull: work: pull: interrupted\nmailpull: hint: what had arrived is kept; the next run goes on from there\n")
}

// two is a trial with a second account, isp, at the same server.
type two struct{ *trial }

func newTwo(t *testing.T) two { return two{newTrial(t)} }

// point writes a configuration with both accounts.
func (tw two) point(t *testing.T, work, isp string) {
	t.Helper()
	text := fmt.Sprintf("archive: %s\nstate: %s\naccounts:\n  - name: work\n    %s\n  - name: isp\n    %s\n", tw.archive, tw.state, work, isp)
	tw.write(t, "config.yaml", text)
}

// refused signs in with a wrong password.
func (tw two) refused() string {
	return strings.Replace(tw.source(), demo.Password, "not-"+demo.Password, 1)
}

// mustRecover pulls both accounts.
func (tw two) mustRecover(t *testing.T) {
	t.Helper()
	tw.point(t, tw.source(), tw.source())
	mustRun(t, tw.config)
	tw.mustContain(t, tw.all())
	if files := snapshot(t, filepath.Join(tw.archive, "isp")); len(files) != len(tw.messages) {
		t.Errorf("the second account has %d messages, want %d", len(files), len(tw.messages))
	}
}
