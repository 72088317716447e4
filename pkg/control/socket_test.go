package control

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailpull/pkg/mail"
)

func TestSocketIsForItsUserAlone(t *testing.T) {
	t.Parallel()
	info, err := os.Lstat(start(t, &fake{}, nil))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode(), os.ModeSocket|0o600; got != want {
		t.Errorf("got mode %v, want %v", got, want)
	}
}

// deadSocket leaves a socket as a daemon leaves it that was killed.
func deadSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSocketOfADeadDaemon(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	deadSocket(t, path)
	if _, err := Dial(path); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("got %v, want ErrNoDaemon", err)
	}
	s, err := Listen(Options{Path: path, Handler: &fake{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := dial(t, path).Reload(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestListenRefuses(t *testing.T) {
	t.Parallel()
	live := start(t, &fake{}, nil)
	file := socketPath(t)
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := socketPath(t)
	if err := os.Symlink(live, link); err != nil {
		t.Fatal(err)
	}
	other := socketPath(t)
	datagrams, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: other, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = datagrams.Close() })
	long := filepath.Join(filepath.Dir(file), strings.Repeat("x", maxPath))
	for name, c := range map[string]struct{ path, says, hint string }{
		"live":      {live, "another daemon listens on it", "stop that daemon"},
		"file":      {file, "is there and is not a socket", "move it away"},
		"link":      {link, "is there and is not a socket", "move it away"},
		"other":     {other, "protocol wrong type for socket", ""},
		"long":      {long, "and the system takes at most", "shorter path"},
		"relative":  {"@control", "is not an absolute path", ""},
		"no folder": {filepath.Join(filepath.Dir(file), "gone", "control"), "no such file or directory", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Listen(Options{Path: c.path, Handler: &fake{}})
			if err == nil {
				_ = s.Close(context.Background()) // it should not be there
				t.Fatal("it listens")
			}
			if !strings.Contains(err.Error(), c.says) || !strings.Contains(mail.ErrorHint(err), c.hint) {
				t.Errorf("got %q, hint %q, want %q, %q", err, mail.ErrorHint(err), c.says, c.hint)
			}
			if strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("more than one line: %q", err)
			}
			if got := errors.Is(err, ErrInUse); got != (name == "live") {
				t.Errorf("is ErrInUse: %v", got)
			}
		})
	}
	t.Cleanup(func() {
		if _, err := os.Lstat(other); err != nil {
			t.Errorf("somebody else's socket: %v", err)
		}
		if data, err := os.ReadFile(file); err != nil || string(data) != "mine" {
			t.Errorf("the file in the way: got %q, %v", data, err)
		}
	})
}

// The longest path that checkPath lets through is one that the system takes.
func TestLongestPath(t *testing.T) {
	t.Parallel()
	dir := filepath.Dir(socketPath(t))
	path := filepath.Join(dir, strings.Repeat("x", maxPath-len(dir)-1))
	s, err := Listen(Options{Path: path, Handler: &fake{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := dial(t, path).Reload(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNoDaemon(t *testing.T) {
	t.Parallel()
	if _, err := Dial(socketPath(t)); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("got %v, want ErrNoDaemon", err)
	}
}
