package hook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailpull/pkg/mail"
)

// The test's binary is the hook when its first argument is hookArgument: a
// command's environment is made anew, so a variable would not reach it.
const hookArgument = "mailpull-test-hook"

// runAsHook is what the hook does, and reports whether this process is one.
func runAsHook() bool {
	if len(os.Args) < 3 || os.Args[1] != hookArgument {
		return false
	}
	switch os.Args[2] {
	case "environment":
		env := os.Environ()
		slices.Sort(env)
		stdin, err := io.ReadAll(os.Stdin)
		fmt.Printf("%s\nstdin %q %v\n", strings.Join(env, "\n"), stdin, err)
	case "fail":
		fmt.Fprintln(os.Stderr, "notmuch: no such database")
		os.Exit(3)
	case "flood":
		for range 10_000 {
			fmt.Println(strings.Repeat("x", 1000))
		}
		fmt.Println("the end")
	case "leave": // a child that holds the output, as an agent does
		started, err := os.StartProcess("/bin/sleep", []string{"sleep", "600"}, &os.ProcAttr{Files: []*os.File{nil, os.Stdout, os.Stderr}})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("child", started.Pid)
	}
	return true
}

func hook(t *testing.T, does string) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self, hookArgument, does}
}

// ran runs a hook and returns how many failed and what was logged.
func ran(t *testing.T, ctx context.Context, h Hooks, e Event) (int, string) {
	t.Helper()
	var log strings.Builder
	h.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	failed := h.Done(ctx, e)
	return failed, log.String()
}

func TestCommandEnvironment(t *testing.T) {
	t.Setenv("MAILPULL_PASSWORD", "hunter2")
	t.Setenv("MAILPULL_ACCOUNT", "another")
	t.Setenv("SECRET_TOKEN", "hunter2")
	t.Setenv("LANG", "de_DE.UTF-8")
	t.Setenv("HOME", "/home/me")
	t.Setenv("PATH", "/usr/bin:/bin")
	e := event
	e.Result, e.Class, e.Missing, e.Quarantined = Partial, mail.ClassServer, 2, 1
	const begins = "said \"no\" PATH=/tmp \uFFFD"
	e.Error = "said \"no\"\nPATH=/tmp\x00\xff" + strings.Repeat("x", 1<<20)
	output, err := run(t.Context(), hook(t, "environment"), environment(e), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"HOME=/home/me", "LANG=de_DE.UTF-8", "MAILPULL_ACCOUNT=work", "MAILPULL_ARCHIVE=/srv/mail/work",
		"MAILPULL_BYTES=4711", "MAILPULL_CLASS=server",
		"MAILPULL_ERROR=" + begins + strings.Repeat("x", maxLine-len(begins)) + "...",
		"MAILPULL_MISSING=2", "MAILPULL_NEW=3", "MAILPULL_QUARANTINED=1", "MAILPULL_RESULT=partial",
		"PATH=/usr/bin:/bin", `stdin "" <nil>`, "",
	}, "\n")
	if string(output) != want {
		t.Errorf("got\n%s\nwant\n%s", output, want)
	}
}

func TestCommandSucceeds(t *testing.T) {
	t.Parallel()
	failed, log := ran(t, t.Context(), Hooks{AfterPass: []string{"echo", "$HOME; *"}}, event)
	if want := `level=DEBUG msg="hook ran" hook=after_pass output="$HOME; *\n"`; failed != 0 || !strings.Contains(log, want) {
		t.Errorf("%d failed, logged %q, want %q", failed, log, want)
	}
	failed, log = ran(t, t.Context(), Hooks{AfterPass: []string{"true"}}, event)
	if failed != 0 || strings.Contains(log, "output=") {
		t.Errorf("%d failed, logged %q", failed, log)
	}
}

func TestCommandFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, c := range map[string]struct {
		argv []string
		says []string
	}{
		"status":    {hook(t, "fail"), []string{"exit status 3", `output="notmuch: no such database\n"`}},
		"not found": {[]string{"mailpull-no-such-hook"}, []string{`\"mailpull-no-such-hook\": executable file not found in $PATH`}},
		"no file":   {[]string{filepath.Join(dir, "hook")}, []string{"no such file or directory"}},
		"no right":  {[]string{dir}, []string{dir}},
		"NUL":       {[]string{"echo", "a\x00b"}, []string{"invalid argument"}},
		"empty":     {[]string{""}, []string{`\"\": `}},
		"a signal":  {[]string{"sh", "-c", "kill -9 $$"}, []string{"signal: killed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failed, log := ran(t, t.Context(), Hooks{AfterPass: c.argv}, event)
			if failed != 1 || strings.Count(log, "\n") != 1 {
				t.Errorf("%d failed, logged %q", failed, log)
			}
			for _, want := range append(c.says, `level=WARN msg="hook failed" hook=after_pass`) {
				if !strings.Contains(log, want) {
					t.Errorf("logged %q, want %q in it", log, want)
				}
			}
		})
	}
}

func TestCommandFloods(t *testing.T) {
	t.Parallel()
	output, err := run(t.Context(), hook(t, "flood"), nil, time.Minute)
	if err != nil || len(output) != maxOutput || !strings.HasSuffix(string(output), "xxx\nthe end\n") {
		t.Errorf("got %d bytes, %v: %.20q", len(output), err, output[max(0, len(output)-20):])
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	for _, writes := range [][]string{{"abcdefgh"}, {"a", "bcd", "efgh"}, {"abcdefg", "h"}, {"abcd", "efgh"}, {"efgh", ""}} {
		kept := &tail{limit: 4}
		for _, w := range writes {
			if n, err := kept.Write([]byte(w)); n != len(w) || err != nil {
				t.Errorf("%q: wrote %d, %v", w, n, err)
			}
		}
		if string(kept.kept) != "efgh" {
			t.Errorf("%q: kept %q", writes, kept.kept)
		}
	}
}

func TestCommandHangs(t *testing.T) {
	t.Parallel()
	_, err := run(t.Context(), []string{"sleep", "600"}, nil, time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), `"sleep": killed after 1ms`) {
		t.Errorf("got %v", err)
	}
	failed, log := ran(t, t.Context(), Hooks{AfterPass: []string{"sleep", "600"}, Limit: time.Millisecond}, event)
	if failed != 1 || !strings.Contains(log, "killed after 1ms") {
		t.Errorf("%d failed, logged %q", failed, log)
	}
}

// What a command started dies with it. A FIFO that the grandchild holds open
// comes to its end only when that process is dead.
func TestCommandIsKilledWhole(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1) // the test waits for it below
	go func() {
		_, err := run(ctx, []string{"sh", "-c", `(echo up >'` + fifo + `'; exec sleep 600) 3>'` + fifo + `' & wait`},
			environment(event), time.Minute)
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

// A command that ended well and left something running has succeeded, although
// its output is still held open.
func TestCommandLeavesAChild(t *testing.T) {
	t.Parallel()
	output, err := run(t.Context(), hook(t, "leave"), nil, time.Minute)
	var pid int
	if _, scanErr := fmt.Sscanf(string(output), "child %d", &pid); err != nil || scanErr != nil {
		t.Fatalf("got %q, %v", output, err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("the child was not left alone: %v", err)
	}
}

// A hook of a pass that was stopped with the daemon is not begun.
func TestCommandNotBegun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	mark := filepath.Join(t.TempDir(), "mark")
	failed, _ := ran(t, ctx, Hooks{AfterPass: []string{"touch", mark}}, event)
	if _, err := os.Stat(mark); failed != 1 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%d failed, %v", failed, err)
	}
}

func TestNoHooks(t *testing.T) {
	t.Parallel()
	if failed := (Hooks{}).Start(t.Context(), "work") + (Hooks{}).Done(t.Context(), event); failed != 0 {
		t.Errorf("%d failed", failed)
	}
}
