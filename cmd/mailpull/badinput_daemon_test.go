package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailpull/pkg/demo"
)

// daemonStartCases are daemons that cannot start, or find what a dead one left.
func daemonStartCases() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"daemon: the listener is taken": func(t *testing.T) {
			tr := newDaemonTrial(t)
			l, err := net.Listen("tcp", tr.listen)
			if err != nil {
				t.Fatal(err)
			}
			tr.mustNotStart(t, exitUnavailable,
				"mailpull: daemon.listen: listen tcp 127.0.0.1:PORT: bind: address already in use: another program has the port; choose another one, or off\n")
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			tr.mustServe(t)
		},
		"daemon: the listener's address is another machine's": func(t *testing.T) {
			tr := newDaemonTrial(t)
			good := tr.listen
			tr.listen = "203.0.113.7:9723" // RFC 5737: an address of documents
			tr.place(t, tr.source())
			tr.mustNotStart(t, exitUnavailable,
				"mailpull: daemon.listen: listen tcp 203.0.113.7:9723: bind: cannot assign requested address: write an address of this machine, or off\n")
			tr.listen = good
			tr.place(t, tr.source())
			tr.mustServe(t)
		},
		"daemon: the state folder is a file": func(t *testing.T) {
			tr := newDaemonTrial(t)
			tr.write(t, "state", "text")
			tr.mustNotStart(t, exitIO,
				"mailpull: state: mkdir DIR/state: file exists\n"+
					"mailpull: hint: something else stands where a folder should be; move it away and run again, nothing is lost by that\n")
			mustRemove(t, tr.state)
			tr.mustServe(t)
		},
		"daemon: second one": func(t *testing.T) {
			tr := newDaemonTrial(t)
			first := serve(t, tr.setup)
			tr.mustNotStart(t, exitTemporary,
				"mailpull: daemon: another daemon, pid ID, has the state folder DIR/state: locked by another process\n"+
					"mailpull: hint: stop that one first, or ask it: mailpull status, pull, pause, resume, reload\n")
			if _, _, stderr := program(t, "daemon", "--config", tr.config); !strings.Contains(stderr, fmt.Sprintf("pid %d,", first.pid.Pid)) {
				t.Errorf("it does not name pid %d: %s", first.pid.Pid, stderr)
			}
			first.mustPull(t, 0, "")
		},
		"daemon: bad configuration": func(t *testing.T) {
			tr := newDaemonTrial(t)
			tr.place(t, "imap: { hots: localhost, username: me, password: { env: P } }")
			tr.mustNotStart(t, exitConfig,
				"mailpull: DIR/config.yaml:7:13: accounts[0].imap: unknown key \"hots\"; did you mean \"host\"?\n")
			tr.place(t, tr.source())
			tr.mustServe(t)
		},
		"daemon: bad web_config": func(t *testing.T) {
			tr := newDaemonTrial(t)
			file := tr.write(t, "web.yml", "basic_auth_users:\n  bob: plain\n")
			tr.mustReplace(t, "daemon: {", "daemon: { web_config: "+file+",")
			tr.mustNotStart(t, exitConfig,
				"mailpull: daemon.web_config: DIR/web.yml: a password of basic_auth_users is not a bcrypt hash; htpasswd -nB makes one\n")
			mustRemove(t, file)
			tr.mustNotStart(t, exitConfig,
				"mailpull: daemon.web_config: open DIR/web.yml: no such file or directory\n")
			tr.place(t, tr.source())
			tr.mustServe(t)
		},
		"daemon: path of the socket too long": func(t *testing.T) {
			tr := newDaemonTrial(t)
			short := tr.state
			tr.state = filepath.Join(filepath.Dir(tr.config), strings.Repeat("s", 100))
			tr.place(t, tr.source())
			tr.mustNotStart(t, exitUnavailable, fmt.Sprintf(
				"mailpull: control socket: \"DIR/%s/.control\" has %d bytes, and the system takes at most 107\n"+
					"mailpull: hint: choose a state folder with a shorter path, or name it by a short symbolic link that leads to it\n",
				filepath.Base(tr.state), len(tr.state+"/.control")))
			tr.state = short
			tr.place(t, tr.source())
			tr.mustServe(t)
		},
		"daemon: something else in the socket's place": func(t *testing.T) {
			tr := newDaemonTrial(t)
			mustMkdir(t, tr.state)
			tr.write(t, "state/.control", "text")
			tr.mustNotStart(t, exitUnavailable,
				"mailpull: control socket: \"DIR/state/.control\" is there and is not a socket\n"+
					"mailpull: hint: mailpull removes nothing that it did not make; move it away\n")
			mustRemove(t, filepath.Join(tr.state, ".control"))
			tr.mustServe(t)
		},
		"daemon: killed and started again": func(t *testing.T) {
			tr := newDaemonTrial(t)
			s := serve(t, tr.setup)
			s.mustPull(t, 0, "")
			if _, err := s.stop(t, syscall.SIGKILL); err == nil {
				t.Error("a killed daemon ended well")
			}
			if _, err := os.Lstat(filepath.Join(tr.state, ".control")); err != nil {
				t.Errorf("the dead daemon left no socket: %v", err)
			}
			tr.mustSayTo(t, exitUnavailable, "mailpull: control socket \"DIR/state/.control\": no daemon is running; start one with: mailpull daemon\n", "pull")
			tr.arrive(newMessage())
			tr.mustServe(t)
		},
	}
}

// daemonTrial is a trial of a daemon with metrics and a status page.
type daemonTrial struct {
	*trial
	listen string
}

// newDaemonTrial starts the honest server, and writes a configuration for a
// daemon that does only what it is asked to.
func newDaemonTrial(t *testing.T) *daemonTrial {
	t.Helper()
	tr := &daemonTrial{newTrial(t), closedPort(t)}
	tr.place(t, tr.source())
	return tr
}

// place writes the daemon's configuration: the account work, and others behind it.
func (tr *daemonTrial) place(t *testing.T, source string, more ...string) {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "archive: %s\nstate: %s\ndaemon: { listen: %q }\naccounts:\n", tr.archive, tr.state, tr.listen)
	for i, source := range append([]string{source}, more...) {
		name := "work"
		if i > 0 {
			name = fmt.Sprintf("other%d", i)
		}
		fmt.Fprintf(&text, "  - name: %s\n    every: 24h\n    %s\n", name, source)
	}
	tr.write(t, "config.yaml", text.String())
}

// mustReplace changes the configuration's text.
func (s setup) mustReplace(t *testing.T, old, new string) {
	t.Helper()
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "config.yaml", strings.ReplaceAll(string(text), old, new))
}

// mustNotStart starts a daemon and compares its exit code and all that it says.
func (tr *daemonTrial) mustNotStart(t *testing.T, code int, want string) {
	t.Helper()
	got, stdout, stderr := program(t, "daemon", "--config", tr.config)
	tr.compare(t, got, code, stderr, want)
	if stdout != "" {
		t.Errorf("stdout: %q", stdout)
	}
}

// mustServe makes the repaired daemon pull everything and drain.
func (tr *daemonTrial) mustServe(t *testing.T) {
	t.Helper()
	s := serve(t, tr.setup)
	s.mustPull(t, 0, "")
	tr.mustContain(t, tr.all())
	s.mustDrain(t)
}

// mustDrain ends the daemon by SIGTERM.
func (s *service) mustDrain(t *testing.T) {
	t.Helper()
	if took, err := s.stop(t, syscall.SIGTERM); err != nil || took > 10*time.Second {
		t.Errorf("the drain took %s and ended with %v", took, err)
	}
	if strings.Contains(s.text(t), demo.Password) {
		t.Error("the password is in the log")
	}
}

// mustPull has the daemon pull accounts, or all, and compares the exit code and
// what is complained of.
func (s *service) mustPull(t *testing.T, code int, want string, accounts ...string) {
	t.Helper()
	s.mustSayTo(t, code, want, append([]string{"pull"}, accounts...)...)
}

// mustSayTo runs a command that asks a daemon, and compares its exit code and what it
// complains of.
func (s setup) mustSayTo(t *testing.T, code int, want string, args ...string) {
	t.Helper()
	got, _, stderr := program(t, append(args, "--config", s.config)...)
	s.compare(t, got, code, stderr, want)
}
