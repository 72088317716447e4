package durable_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"mailpull/pkg/durable"
)

// lockEnv tells this test binary, run as another process, what to lock.
const lockEnv = "DURABLE_TEST_LOCK"

func TestMain(m *testing.M) {
	if path := os.Getenv(lockEnv); path != "" {
		holdLock(path)
	}
	os.Exit(m.Run())
}

// holdLock takes a lock, says so, and holds it until it is killed.
func holdLock(path string) {
	if _, err := durable.TakeLock(path); err != nil {
		os.Exit(1)
	}
	_, _ = os.Stdout.WriteString("locked\n")
	_, _ = os.Stdin.Read(make([]byte, 1))
	os.Exit(0)
}

func TestLock(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/lock"
	l, err := durable.TakeLock(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = durable.TakeLock(path)
	var locked *durable.LockedError
	if !errors.Is(err, durable.ErrLocked) || !errors.As(err, &locked) || locked.PID != os.Getpid() || locked.Path != path {
		t.Errorf("got %v, want ErrLocked with our pid", err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	mustHold(t, path, "")
	if l, err = durable.TakeLock(path); err != nil {
		t.Fatalf("after Release: %v", err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
}

func TestLockOfAKilledProcess(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/lock"
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), lockEnv+"="+path)
	stdin, err := cmd.StdinPipe() // kept open: its end would end the process
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if line != "locked\n" {
		t.Fatalf("child said %q, %v", line, err)
	}

	var locked *durable.LockedError
	if _, err := durable.TakeLock(path); !errors.As(err, &locked) || locked.PID != cmd.Process.Pid {
		t.Errorf("got %v, want the child's pid %d", err, cmd.Process.Pid)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"
	l, err := durable.TakeLock(path)
	if err != nil {
		t.Fatalf("after the holder was killed: %v", err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
}

func TestLockRefusesALink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/victim", []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("victim", dir+"/lock"); err != nil {
		t.Fatal(err)
	}
	if _, err := durable.TakeLock(dir + "/lock"); err == nil {
		t.Error("a lock was taken through a symbolic link")
	}
	mustHold(t, dir+"/victim", "text")
}

func TestLockFileOfAnotherKind(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/lock"
	if err := os.WriteFile(path, []byte(strings.Repeat("garbage", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := durable.TakeLock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	var locked *durable.LockedError
	if _, err := durable.TakeLock(path); !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("got %v, want our pid and nothing of the old text", err)
	}
}
