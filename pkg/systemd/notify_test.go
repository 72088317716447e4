package systemd

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// manager is a service manager that reads what it is told. These tests set the
// environment, so they are not parallel.
func manager(t *testing.T) *net.UnixConn {
	t.Helper()
	dir, err := os.MkdirTemp("", "mp") // t.TempDir's path may be too long
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "")
	t.Setenv("WATCHDOG_PID", "")
	return conn
}

// told returns the next thing that the manager was told.
func told(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	buf := make([]byte, 4<<10)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestNotifier(t *testing.T) {
	conn := manager(t)
	n := New(nil)
	for _, c := range []struct {
		name string
		tell func()
		want string
	}{
		{"ready", n.Ready, "READY=1"},
		{"stopping", n.Stopping, "STOPPING=1"},
		{"status", func() { n.Status("3 ok, 1 paused: work") }, "STATUS=3 ok, 1 paused: work"},
		{"status that tells more", func() { n.Status("a\nSTOPPING=1\x00\xff") }, "STATUS=a STOPPING=1 \uFFFD"},
		{"long status", func() { n.Status(strings.Repeat("é", 400)) }, "STATUS=" + strings.Repeat("é", 250) + "..."},
		{"extend", func() { n.ExtendTimeout(1500 * time.Millisecond) }, "EXTEND_TIMEOUT_USEC=1500000"},
		// No watchdog was asked for, so the next thing told is not a beat.
		{"beat", func() { n.Beat(); n.Ready() }, "READY=1"},
	} {
		c.tell()
		if got := told(t, conn); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestReloading(t *testing.T) {
	conn := manager(t)
	New(nil).Reloading()
	got := told(t, conn)
	state, at, _ := strings.Cut(got, "\n")
	if state != "RELOADING=1" || !strings.HasPrefix(at, "MONOTONIC_USEC=") || len(at) < len("MONOTONIC_USEC=1\n") {
		t.Errorf("got %q", got)
	}
}

func TestWatchdog(t *testing.T) {
	conn := manager(t)
	t.Setenv("WATCHDOG_USEC", "300000000")
	n := New(nil)
	if got, want := n.BeatEvery(), 150*time.Second; got != want {
		t.Errorf("got a beat every %v, want %v", got, want)
	}
	n.Beat()
	if got := told(t, conn); got != "WATCHDOG=1" {
		t.Errorf("got %q", got)
	}
}

func TestWatchdogOfAnotherProcess(t *testing.T) {
	manager(t)
	t.Setenv("WATCHDOG_USEC", "300000000")
	t.Setenv("WATCHDOG_PID", "1")
	if got := New(nil).BeatEvery(); got != 0 {
		t.Errorf("got a beat every %v, want none", got)
	}
}

func TestWatchdogNotUnderstood(t *testing.T) {
	manager(t)
	t.Setenv("WATCHDOG_USEC", "soon")
	var log strings.Builder
	if got := New(slog.New(slog.NewTextHandler(&log, nil))).BeatEvery(); got != 0 {
		t.Errorf("got a beat every %v, want none", got)
	}
	if !strings.Contains(log.String(), "WATCHDOG_USEC") {
		t.Errorf("logged %q", log.String())
	}
}

func TestNoManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	var log strings.Builder
	n := New(slog.New(slog.NewTextHandler(&log, nil)))
	n.Ready()
	n.Status("up")
	if n.BeatEvery() != 0 || log.Len() > 0 {
		t.Errorf("a beat every %v, logged %q", n.BeatEvery(), log.String())
	}
}

// A manager that is gone is told of once, and once more when it was back.
func TestManagerGone(t *testing.T) {
	conn := manager(t)
	there := os.Getenv("NOTIFY_SOCKET")
	var log strings.Builder
	n := New(slog.New(slog.NewTextHandler(&log, nil)))
	t.Setenv("NOTIFY_SOCKET", there+"-gone")
	n.Ready()
	n.Stopping()
	if got := strings.Count(log.String(), "systemd could not be told"); got != 1 {
		t.Errorf("logged %d times: %s", got, log.String())
	}
	t.Setenv("NOTIFY_SOCKET", there)
	n.Ready()
	if got := told(t, conn); got != "READY=1" {
		t.Errorf("got %q", got)
	}
	t.Setenv("NOTIFY_SOCKET", there+"-gone")
	n.Ready()
	if got := strings.Count(log.String(), "systemd could not be told"); got != 2 {
		t.Errorf("logged %d times: %s", got, log.String())
	}
}
