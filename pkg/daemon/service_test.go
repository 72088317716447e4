package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mailpull/pkg/config"
	"mailpull/pkg/control"
	"mailpull/pkg/daemon"
	"mailpull/pkg/demo"
	"mailpull/pkg/durable"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/metrics"
)

// live is a daemon on accounts of demonstration servers.
type live struct {
	*daemon.Daemon
	*control.Client

	mu     sync.Mutex
	config *config.Config
	err    error // what Load says
	stop   context.CancelFunc
	done   chan error
}

// start starts a daemon that is drained at the end of the test.
func start(t *testing.T, accounts ...config.Account) *live {
	t.Helper()
	return startOn(t, service(t, accounts...))
}

// startOn starts a daemon on the folders of a configuration.
func startOn(t *testing.T, c *config.Config) *live {
	t.Helper()
	l := &live{config: c, done: make(chan error, 1)}
	d, err := daemon.Start(daemon.ServiceOptions{Config: c, Load: l.load, Build: metrics.Build{Version: "1"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	l.Daemon, l.stop = d, stop
	go func() { l.done <- d.Run(ctx) }() // end waits for it
	t.Cleanup(func() { l.end(t) })
	if l.Client, err = control.Dial(daemon.SocketPath(c)); err != nil {
		t.Fatal(err)
	}
	return l
}

// service returns a configuration without a listener.
func service(t *testing.T, accounts ...config.Account) *config.Config {
	t.Helper()
	return &config.Config{
		Archive: filepath.Join(t.TempDir(), "a"), State: filepath.Join(t.TempDir(), "s"),
		Accounts: accounts, Daemon: config.Daemon{Passes: 4, ConnectionsPerHost: 10},
	}
}

func (l *live) load() (*config.Config, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.config, l.err
}

// change makes another configuration the one that a reload finds.
func (l *live) change(err error, accounts ...config.Account) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := *l.config
	c.Accounts = accounts
	l.config, l.err = &c, err
}

// end drains the daemon, once.
func (l *live) end(t *testing.T) {
	t.Helper()
	l.stop()
	select {
	case err := <-l.done:
		if err != nil {
			t.Errorf("the daemon ended with %v", err)
		}
		l.done <- nil
	case <-time.After(20 * time.Second):
		t.Error("the daemon does not end")
	}
}

// mustPull asks for a pass and wants it to be complete.
func (l *live) mustPull(t *testing.T, account string) control.Report {
	t.Helper()
	reports, err := l.Client.Pull(t.Context(), []string{account}, true)
	if err != nil || len(reports) != 1 || reports[0].State != control.StateOK {
		t.Fatalf("got %+v, %v", reports, err)
	}
	return reports[0]
}

// hourly returns an account that is pulled each hour.
func hourly(t *testing.T, protocol config.Protocol, name string, messages int) config.Account {
	t.Helper()
	a := account(t, protocol, some(messages))
	a.Name, a.Every = name, time.Hour
	return a
}

func some(n int) []demo.Message {
	var list []demo.Message
	for i := range n {
		list = append(list, demo.Message{Body: fmt.Appendf(nil, "Subject: %d\r\n\r\nbody\r\n", i)})
	}
	return list
}

// files counts the messages of an account's archive.
func (l *live) files(t *testing.T, account string) int {
	t.Helper()
	n := 0
	for _, dir := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(l.config.Archive, account, dir))
		if err != nil {
			t.Fatal(err)
		}
		n += len(entries)
	}
	return n
}

// The daemon pulls by itself, takes commands, and leaves nothing when it ends.
func TestDaemon(t *testing.T) {
	t.Parallel()
	l := start(t, hourly(t, config.IMAP, "work", 30), hourly(t, config.POP3, "isp", 20))
	l.mustPull(t, "work")
	l.mustPull(t, "isp")
	if w, i := l.files(t, "work"), l.files(t, "isp"); w != 30 || i != 20 {
		t.Errorf("got %d and %d messages", w, i)
	}
	status, err := l.Client.Status(t.Context())
	if err != nil || !strings.Contains(string(status), `"work"`) {
		t.Errorf("got %s, %v", status, err)
	}
	if _, err := l.Client.Pull(t.Context(), []string{"nobody"}, true); !errors.Is(err, control.ErrUnknownAccount) {
		t.Errorf("got %v", err)
	}
}

// More than a turn brings at once comes in turns, by both protocols.
func TestDaemonWorksOffABacklog(t *testing.T) {
	t.Parallel()
	l := start(t, hourly(t, config.IMAP, "work", 1300), hourly(t, config.POP3, "isp", 1300))
	for _, name := range []string{"work", "isp"} {
		if r := l.mustPull(t, name); r.Missing != 0 {
			t.Errorf("%s: %+v", name, r)
		}
		if n := l.files(t, name); n != 1300 {
			t.Errorf("%s has %d messages", name, n)
		}
	}
}

// One mailbox that is refused for ever keeps no other from its backlog, and who
// waits hears of both.
func TestDaemonWorksOffABacklogBesideAFailure(t *testing.T) {
	t.Parallel()
	const large = 1300 // more than two turns for news bring
	a, server := shortly(t)
	on := server.On
	server.On = func(c *mailtest.IMAPTalk, tag, command string) bool {
		if strings.HasPrefix(command, "EXAMINE") && strings.Contains(command, "Broken") {
			c.Printf("%s NO it cannot be opened", tag)
			return true
		}
		return on(c, tag, command)
	}
	server.Boxes = []*mailtest.IMAPBox{
		mailtest.NewIMAPBox("Broken", "x\r\n"),
		mailtest.NewIMAPBox("INBOX", slices.Repeat([]string{"x\r\n"}, large)...),
	}
	a.Every = 400 * 24 * time.Hour
	l := start(t, a)
	reports, err := l.Client.Pull(t.Context(), []string{"work"}, true)
	if err != nil || len(reports) != 1 || reports[0].State != control.StatePartial || reports[0].Missing != 1 {
		t.Errorf("got %+v, %v; want one message missing", reports, err)
	}
	if n := l.files(t, "work"); n != large {
		t.Errorf("%d messages, want %d", n, large)
	}
}

// One state folder has one daemon.
func TestSecondDaemon(t *testing.T) {
	t.Parallel()
	l := start(t, hourly(t, config.IMAP, "work", 1))
	_, err := daemon.Start(daemon.ServiceOptions{Config: l.config, Load: l.load})
	if !errors.Is(err, durable.ErrLocked) || !strings.Contains(err.Error(), l.config.State) {
		t.Errorf("got %v", err)
	}
	l.mustPull(t, "work") // the first one is not disturbed
}

// A reload adds, removes and changes accounts; a bad one changes nothing.
func TestReload(t *testing.T) {
	t.Parallel()
	work, isp, third := hourly(t, config.IMAP, "work", 3), hourly(t, config.POP3, "isp", 3), hourly(t, config.IMAP, "third", 3)
	l := start(t, work, isp)
	l.change(errors.New("mailpull.yaml:3:1: a mistake"), work)
	if err := l.Client.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "a mistake") {
		t.Errorf("got %v", err)
	}
	l.mustPull(t, "isp")
	work.Every = 2 * time.Hour
	l.change(nil, work, third)
	if err := l.Client.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.mustPull(t, "work")
	l.mustPull(t, "third")
	if _, err := l.Client.Pull(t.Context(), []string{"isp"}, true); !errors.Is(err, control.ErrUnknownAccount) {
		t.Errorf("got %v", err)
	}
	l.mu.Lock()
	c := *l.config
	c.State = "/elsewhere"
	l.config = &c
	l.mu.Unlock()
	if err := l.Client.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "state") {
		t.Errorf("got %v", err)
	}
}

// A pause and refused sign-ins outlive the daemon, and resume ends both.
func TestPauseOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	l := start(t, hourly(t, config.IMAP, "work", 3))
	if err := l.Client.Pause(t.Context(), []string{"work"}); err != nil {
		t.Fatal(err)
	}
	l.end(t)
	again := startOn(t, l.config)
	reports, err := again.Client.Pull(t.Context(), nil, true)
	if err != nil || reports[0].State != control.StatePaused {
		t.Errorf("got %+v, %v", reports, err)
	}
	if err := again.Client.Resume(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	again.mustPull(t, "work")
}
