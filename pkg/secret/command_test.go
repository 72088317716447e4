package secret

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func sh(script string) Source { return Source{Command: []string{"/bin/sh", "-c", script}} }

func TestCommandOutput(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, script string
		want         string
		wantErr      []string
	}{
		{name: "first line only", script: `printf 'hunter2\nuser: me\n'`, want: "hunter2"},
		{name: "CRLF", script: `printf 'hunter2\r\nmore'`, want: "hunter2"},
		{name: "no line end", script: `printf hunter2`, want: "hunter2"},
		{name: "chatter on stderr is fine", script: `echo hi >&2; echo hunter2`, want: "hunter2"},
		{name: "stdin is empty", script: `cat; echo hunter2`, want: "hunter2"},
		{name: "no terminal", script: `(: </dev/tty) 2>/dev/null && exit 1; echo hunter2`, want: "hunter2"},
		{name: "endless output", script: `echo hunter2; head -c 300000 /dev/zero`, want: "hunter2"},
		{name: "empty", script: `:`, wantErr: []string{"first line of its output: is empty"}},
		{name: "empty first line", script: `printf '\nhunter2\n'`, wantErr: []string{"is empty"}},
		{name: "CR inside", script: `printf 'hunter2\rQUIT\n'`, wantErr: []string{"more than one line"}},
		{name: "NUL inside", script: `printf 'hunter2\000\n'`, wantErr: []string{"NUL"}},
		{name: "one endless line", script: `head -c 300000 /dev/zero | tr '\000' a`, wantErr: []string{"larger than"}},
		{name: "status and complaint", script: `echo hunter2; echo 'gpg: no  key' >&2; exit 3`,
			wantErr: []string{"exit status 3; it said: gpg: no key"}},
		{name: "complaint is cleaned", script: `printf 'a\033[31mb\nc' >&2; exit 1`,
			wantErr: []string{"it said: a?[31mb c"}},
		{name: "complaint that repeats the output", script: `set -x; echo hunter2; exit 1`,
			wantErr: []string{"exit status 1; what it said is not shown"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := sh(tc.script).Read(t.Context())
			if tc.wantErr == nil {
				if err != nil || got.Reveal() != tc.want {
					t.Errorf("got %q, %v, want %q", got.Reveal(), err, tc.want)
				}
				return
			}
			if err == nil {
				t.Fatalf("no error, want %q", tc.wantErr)
			}
			for _, want := range append(tc.wantErr, `secret command "/bin/sh"`) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error leaks: %v", err)
			}
		})
	}
}

func TestCommandComplaintIsCut(t *testing.T) {
	t.Parallel()
	_, err := sh(`head -c 100000 /dev/zero | tr '\000' e >&2; exit 1`).Read(t.Context())
	if err == nil || len(err.Error()) > 300 || !strings.HasSuffix(err.Error(), "eee...") {
		t.Errorf("got %v", err)
	}
}

func TestCommandThatDoesNotStart(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	for name, want := range map[string]string{
		missing:                  "no such file",
		"no-such-program-at-all": "executable file not found",
	} {
		_, err := Source{Command: []string{name}}.Read(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), name) != 1 {
			t.Errorf("got %v, want %q with the name once", err, want)
		}
	}
}

// No shell reads the arguments.
func TestCommandArguments(t *testing.T) {
	t.Parallel()
	got, err := Source{Command: []string{"printf", "%s", "$HOME; a  b"}}.Read(t.Context())
	if err != nil || got.Reveal() != "$HOME; a  b" {
		t.Errorf("got %q, %v", got.Reveal(), err)
	}
}

func TestCommandTooSlow(t *testing.T) {
	t.Parallel()
	_, err := fromCommand(t.Context(), []string{"sleep", "600"}, time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "killed after 1ms") {
		t.Errorf("got %v", err)
	}
}

// A FIFO that a grandchild holds open comes to its end only when that process
// is dead.
func TestCommandKillsItsGroup(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1) // the test waits for it below
	go func() {
		_, err := sh(`(echo up; exec sleep 600) >'` + fifo + `' & wait`).Read(ctx)
		done <- err
	}()

	f, err := os.Open(fifo) // returns when the grandchild has opened it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	up := make([]byte, 3)
	if _, err := io.ReadFull(f, up); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if rest, err := io.ReadAll(f); err != nil || len(rest) != 0 {
		t.Errorf("got %q, %v, want the end of the file", rest, err)
	}
}
