package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailpull/pkg/demo"
	"mailpull/pkg/mailtest"
)

// reloadCases are changes of the configuration that a running daemon refuses.
func reloadCases() map[string]func(*testing.T) {
	const typo = "imap: { hots: localhost, username: me, password: { env: P } }"
	restart := func(key string) string {
		return "mailpull: daemon reload: these keys need a restart: " + key + "\n" +
			"mailpull: hint: restart the daemon, or take the change back; until then the old configuration is in force\n"
	}
	const mistake = "DIR/config.yaml:7:13: accounts[0].imap: unknown key \"hots\"; did you mean \"host\"?"
	return map[string]func(*testing.T){
		"daemon: bad reload by command": func(t *testing.T) {
			tr := newDaemonTrial(t)
			s := serve(t, tr.setup)
			tr.mustSayReloaded(t, 1, "")
			s.mustPull(t, 0, "")
			// The command reads the file to find the daemon, and so is the first
			// to stumble; the daemon is not disturbed.
			tr.place(t, typo)
			s.mustSayTo(t, exitConfig, "mailpull: "+mistake+"\n", "reload")
			tr.mustSayReloaded(t, 1, "")
			tr.place(t, tr.source())
			tr.arrive(newMessage())
			s.mustPull(t, 0, "")
			tr.mustContain(t, tr.all())
			s.mustSayTo(t, 0, "", "reload")
			tr.mustSayReloaded(t, 1, "")
			s.mustDrain(t)
		},
		"daemon: bad reload by SIGHUP": func(t *testing.T) {
			tr := newDaemonTrial(t)
			s := serve(t, tr.setup)
			tr.place(t, typo)
			s.signal(t, syscall.SIGHUP)
			within(t, "the reload is refused", func() bool { return tr.status(t).Reload.Error != "" })
			tr.mustSayReloaded(t, 0, mistake)
			if text := tr.normal(s.text(t)); !strings.Contains(text, `msg="reload failed" err="DIR/config.yaml:7:13:`) {
				t.Errorf("the log does not have it:\n%s", text)
			}
			tr.place(t, tr.source())
			s.signal(t, syscall.SIGHUP)
			within(t, "the reload is taken", func() bool { return tr.status(t).Reload.Error == "" })
			tr.mustSayReloaded(t, 1, "")
			s.mustPull(t, 0, "")
			tr.mustContain(t, tr.all())
		},
		"daemon: reload with another listener": func(t *testing.T) {
			tr := newDaemonTrial(t)
			s := serve(t, tr.setup)
			good := tr.listen
			tr.listen = "off"
			tr.place(t, tr.source())
			tr.listen = good
			s.mustSayTo(t, exitConfig, restart("daemon"), "reload")
			tr.mustSayReloaded(t, 0, "these keys need a restart: daemon")
			s.mustPull(t, 0, "")
			tr.place(t, tr.source())
			s.mustSayTo(t, 0, "", "reload")
			tr.mustSayReloaded(t, 1, "")
		},
		"daemon: reload with other folders": func(t *testing.T) {
			tr := newDaemonTrial(t)
			s := serve(t, tr.setup)
			good := *tr.trial
			tr.archive += ".other"
			tr.place(t, tr.source())
			s.mustSayTo(t, exitConfig, restart("archive"), "reload")
			if _, err := os.Lstat(tr.archive); err == nil {
				t.Error("the refused folder was made")
			}
			*tr.trial = good
			tr.place(t, tr.source())
			s.mustPull(t, 0, "")
			tr.mustContain(t, tr.all())
			// Commands look for the socket in the state folder that the file
			// names: with another one there, only a signal reaches the daemon.
			tr.state += ".other"
			tr.place(t, tr.source())
			s.signal(t, syscall.SIGHUP)
			within(t, "the reload is refused", func() bool {
				return strings.HasSuffix(tr.status(t).Reload.Error, "restart: state")
			})
			s.mustDrain(t)
		},
	}
}

// servingCases are things that go wrong below a running daemon, and end.
func servingCases() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"daemon: the archive vanishes": archiveVanishes,
		"daemon: silent server":        silentServer,
		"daemon: the password changes": passwordChanges,
		"daemon: sigterm in a large message": func(t *testing.T) {
			inLargeMessage(t, func(t *testing.T, s *service) {
				s.mustDrain(t)
				if text := s.text(t); !strings.Contains(text, `msg="daemon stopped"`) {
					t.Errorf("it was not drained:\n%s", text)
				}
			})
		},
		"daemon: sigterm twice": sigtermTwice,
		"daemon: sigkill in a large message": func(t *testing.T) {
			inLargeMessage(t, func(t *testing.T, s *service) { _, _ = s.stop(t, syscall.SIGKILL) })
		},
	}
}

// archiveVanishes takes the archive away and leaves an empty folder in its
// place, as an unmounted disk does.
func archiveVanishes(t *testing.T) {
	tr := newDaemonTrial(t)
	s := serve(t, tr.setup)
	s.mustPull(t, 0, "")
	away := tr.archive + ".away"
	mustRename(t, tr.archive, away)
	mustMkdir(t, tr.archive)
	tr.arrive(newMessage())
	s.mustPull(t, exitIO,
		"mailpull: work: archive: DIR/mail is not the archive of before: its file .mailpull-archive is missing or another one\n"+
			"mailpull: hint: mount or move the archive back to this place; if this folder is to be used from now on, remove DIR/state/.archive and run again\n")
	if entries, err := os.ReadDir(tr.archive); err != nil || len(entries) > 0 {
		t.Errorf("the bare mount point has %d entries, %v", len(entries), err)
	}
	tr.mustBe(t, "work", "disk_paused")
	// It comes back by itself, soon: the first delay is half a minute at most.
	if a := tr.status(t).account(t, "work"); time.Until(a.NextRun) > 31*time.Second {
		t.Errorf("the next pass is at %s", a.NextRun)
	}
	mustRemove(t, tr.archive)
	mustRename(t, away, tr.archive)
	s.mustPull(t, 0, "")
	tr.mustBe(t, "work", "ok")
	tr.mustContain(t, tr.all())
	s.mustDrain(t)
}

// silentServer has an account whose server accepts and never speaks.
func silentServer(t *testing.T) {
	tr := newDaemonTrial(t)
	reached := make(chan struct{}, 10)
	e := listen(t, func(conn net.Conn) {
		reached <- struct{}{}
		_, _ = io.Copy(io.Discard, conn) // until mailpull hangs up
	})
	tr.place(t, tr.source(), tr.at(e.addr, "none")+"\n    idle_timeout: 5s")
	s := serve(t, tr.setup)
	s.mustPull(t, 0, "", "other1", "--no-wait")
	<-reached
	s.mustPull(t, 0, "", "work") // beside it
	tr.mustContain(t, tr.all())
	tr.mustBe(t, "other1", "running")
	within(t, "the pass gives up", func() bool { return tr.status(t).account(t, "other1").State != "running" })
	tr.mustBe(t, "other1", "backoff")
	if a := tr.status(t).account(t, "other1"); a.Class != "timeout" || a.Error != "imap connect: the server stopped answering" ||
		a.NextStep != "the server does not answer; check host and port, and mind that a port for TLS looks like this too without security tls" {
		t.Errorf("it says %q, %q, %q", a.Class, a.Error, a.NextStep)
	}
	tr.mustBe(t, "work", "ok")
	s.mustDrain(t)
}

// passwordChanges changes the password at the server first, and in its file
// when the account is paused.
func passwordChanges(t *testing.T) {
	tr := newDaemonTrial(t)
	server := &mailtest.IMAPServer{
		Username: demo.Username, Password: "first", Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", "Subject: 1\r\n\r\nx\r\n")},
	}
	e := listen(t, server.Serve)
	file := tr.write(t, "password", "first\n")
	tr.place(t, "imap: "+tr.account(e.addr, "none", fmt.Sprintf("password: { file: %q }", file)))
	s := serve(t, tr.setup)
	s.mustPull(t, 0, "")

	server.Change(func() { server.Password = "second" })
	for range 2 {
		s.mustPull(t, exitNoPerm, "mailpull: work: imap sign in: the server said \"NO [AUTHENTICATIONFAILED] wrong user name or password\"\n"+
			"mailpull: hint: check username and password; many providers want an app password instead of the usual one\n")
	}
	tr.mustBe(t, "work", "auth_paused")
	tr.mustSay(t, exitNoPerm,
		"mailpull: work: sign-in: paused until NEXT PROBE, because the server refused it 2 times in a row\n"+
			"mailpull: hint: correct the password, or what the server says of it, and the next run signs in; to try at once with the same one: mailpull resume work\n")
	if n := server.Refused(); n != 2 {
		t.Errorf("the server refused %d sign-ins, want 2", n)
	}

	tr.write(t, "password", "second\n")
	s.mustPull(t, 0, "")
	tr.mustBe(t, "work", "ok")
	if n := server.Refused(); n != 2 {
		t.Errorf("the server refused %d sign-ins, want 2", n)
	}
	s.mustDrain(t)
}

// sigtermTwice has a client that says half a sentence to the listener, for which a
// drain waits some seconds; the second signal does not.
func sigtermTwice(t *testing.T) {
	tr := newDaemonTrial(t)
	s := serve(t, tr.setup)
	conn, err := net.Dial("tcp", tr.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() // nobody hears it any more
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\n"); err != nil {
		t.Fatal(err)
	}
	tr.get(t, "/-/healthy") // the listener has taken the one before
	s.signal(t, syscall.SIGTERM)
	within(t, "the drain begins", func() bool { return strings.Contains(s.text(t), "msg=draining ") })
	took, err := s.stop(t, syscall.SIGTERM)
	if err == nil || err.Error() != "signal: terminated" || took > 2*time.Second {
		t.Errorf("it ended after %s with %v", took, err)
	}
	if strings.Contains(s.text(t), "daemon stopped") {
		t.Error("the drain was faster than the second signal")
	}
	tr.mustServe(t)
}

// inLargeMessage ends the daemon when half of a message of 20 MB has come, and
// starts another one, which brings it.
func inLargeMessage(t *testing.T, end func(*testing.T, *service)) {
	tr := newDaemonTrial(t)
	large := newMessage()
	large.Body = slices.Concat(large.Body, []byte(strings.Repeat(strings.Repeat("x", 70)+"\r\n", 20<<20/72)))
	tr.arrive(large)
	reached, ended := make(chan struct{}), make(chan struct{})
	proxy := mailtest.NewProxy(t, tr.server.IMAPSAddr(), 10<<20, func() {
		close(reached)
		<-ended
	})
	tr.place(t, tr.at(proxy.Addr, "tls"))
	s := serve(t, tr.setup)
	s.mustPull(t, 0, "", "--no-wait")
	<-reached
	end(t, s)
	close(ended)
	tr.place(t, tr.source())
	tr.mustServe(t)
	if files, err := filepath.Glob(filepath.Join(tr.archive, "work", "tmp", "*")); err != nil || len(files) > 0 {
		t.Errorf("left in tmp: %q, %v", files, err)
	}
}

// daemonState is what the tests read of /status.json.
type daemonState struct {
	Reload   struct{ Error string }
	Accounts []accountState
}

// accountState is an account in it.
type accountState struct {
	Account, State string
	Class          string    `json:"error_class"`
	Error          string    `json:"last_error"`
	NextStep       string    `json:"next_step"`
	NextRun        time.Time `json:"next_run"`
}

func (d daemonState) account(t *testing.T, name string) accountState {
	t.Helper()
	for _, a := range d.Accounts {
		if a.Account == name {
			return a
		}
	}
	t.Fatalf("no account %q in the status", name)
	return accountState{}
}

// status reads /status.json.
func (tr *daemonTrial) status(t *testing.T) daemonState {
	t.Helper()
	var state daemonState
	if err := json.Unmarshal([]byte(tr.get(t, "/status.json")), &state); err != nil {
		t.Fatal(err)
	}
	return state
}

// mustBe compares an account's state in the status and in the metrics.
func (tr *daemonTrial) mustBe(t *testing.T, account, state string) {
	t.Helper()
	if got := tr.status(t).account(t, account).State; got != state {
		t.Errorf("%s is %s, want %s", account, got, state)
	}
	line := fmt.Sprintf("mailpull_account_state{account=%q,state=%q} 1\n", account, state)
	if text := tr.get(t, "/metrics"); !strings.Contains(text, line) {
		t.Errorf("the metrics do not say %s", line)
	}
}

// mustSayReloaded compares what metrics, status and page tell of the last
// reload: the metric's value, and the mistake.
func (tr *daemonTrial) mustSayReloaded(t *testing.T, metric int, mistake string) {
	t.Helper()
	if line := fmt.Sprintf("\nmailpull_config_last_reload_successful %d\n", metric); !strings.Contains(tr.get(t, "/metrics"), line) {
		t.Errorf("the metrics do not say%s", line)
	}
	if got := tr.normal(tr.status(t).Reload.Error); got != mistake {
		t.Errorf("/status.json says of the reload %q, want %q", got, mistake)
	}
	page := tr.normal(tr.get(t, "/"))
	if mistake != "" && !strings.Contains(page, strings.ReplaceAll(mistake, `"`, "&#34;")) {
		t.Errorf("the page does not say %q:\n%s", mistake, page)
	}
}

// signal sends the daemon a signal.
func (s *service) signal(t *testing.T, signal syscall.Signal) {
	t.Helper()
	if err := s.pid.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// get reads a page of the daemon's listener.
func (tr *daemonTrial) get(t *testing.T, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+tr.listen+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
