package daemon_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"mailpull/pkg/config"
	"mailpull/pkg/durable"
	"mailpull/pkg/secret"
)

// monitor writes down what it is told.
type monitor struct {
	*httptest.Server
	mu    sync.Mutex
	paths []string
}

func newMonitor(t *testing.T) *monitor {
	t.Helper()
	m := &monitor{}
	m.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.paths = append(m.paths, r.URL.Path)
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *monitor) mustHave(t *testing.T, want ...string) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Equal(m.paths, want) {
		t.Errorf("the monitor was told %q, want %q", m.paths, want)
	}
	m.paths = nil
}

// A monitor hears of each pass, how it ended, and nothing of one that another
// process is making.
func TestHooksOfARun(t *testing.T) {
	t.Parallel()
	m := newMonitor(t)
	a := hourly(t, config.IMAP, "work", 3)
	counts := filepath.Join(t.TempDir(), "counts")
	a.Hooks.PingURL = secret.Source{Plain: secret.New(m.URL + "/check")}
	a.Hooks.AfterPass = []string{"/bin/sh", "-c", `echo "$MAILPULL_RESULT $MAILPULL_NEW" >>` + counts}
	c := service(t, a)
	if out := runOnce(t, c, a); out.Err != nil {
		t.Fatal(out.Err)
	}
	m.mustHave(t, "/check/start", "/check")

	lock, err := durable.TakeLock(filepath.Join(c.State, "work", "lock"))
	if err != nil {
		t.Fatal(err)
	}
	if out := runOnce(t, c, a); out.Locked == nil {
		t.Error("the account is not locked")
	}
	m.mustHave(t)
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}

	a.Password = secret.Source{Plain: secret.New("wrong")}
	runOnce(t, c, a)
	m.mustHave(t, "/check/start", "/check/fail")
	if text, err := os.ReadFile(counts); err != nil || string(text) != "ok 3\nfailed 0\n" {
		t.Errorf("the command wrote %q, %v", text, err)
	}
}

// The daemon tells the same, beside its passes.
func TestHooksOfADaemon(t *testing.T) {
	t.Parallel()
	m := newMonitor(t)
	a := hourly(t, config.POP3, "work", 3)
	a.Hooks.PingURL = secret.Source{Plain: secret.New(m.URL + "/check")}
	l := start(t, a)
	l.mustPull(t, "work")
	l.end(t)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.paths) == 0 || m.paths[0] != "/check/start" {
		t.Errorf("the monitor was told %q", m.paths)
	}
}
