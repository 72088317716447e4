package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mailpull/pkg/mailtest"
)

// TestT10Process looks at a running process with a session open, as another
// user of the machine can, and at what it leaves when it dies of a signal with
// all its stacks printed. The password comes from a command, which writes down
// its own arguments and environment.
func TestT10Process(t *testing.T) {
	t.Parallel()
	inside, goOn := make(chan struct{}), make(chan struct{})
	server := &mailtest.IMAPServer{
		Username: t10User, Password: t10Password, Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", "x\r\n")},
		On: func(_ *mailtest.IMAPTalk, _, command string) bool {
			if strings.HasPrefix(command, "LIST") {
				close(inside)
				<-goOn
			}
			return false
		},
	}
	e := listen(t, server.Serve)
	t.Cleanup(func() { close(goOn) })
	_, port, err := net.SplitHostPort(e.addr)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	seen := filepath.Join(dir, "seen")
	script := fmt.Sprintf("cat /proc/$$/cmdline /proc/$$/environ > %s; cat %s", seen, t10File(t, dir, t10Password))
	s := configure(t, fmt.Sprintf("imap: { host: 127.0.0.1, port: %s, security: none, username: %s, password: { command: [sh, -c, %q] } }",
		port, t10User, script), "")

	cmd := command(t, "run", "-vv", "--config", s.config)
	cmd.Env = append(cmd.Env, "GOTRACEBACK=all")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-inside
	texts := []string{read(t, seen)}
	for _, name := range []string{"cmdline", "environ"} {
		texts = append(texts, read(t, fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, name)))
	}
	if err := cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(stderr.String(), "goroutine ") {
		t.Errorf("%v, and no stacks:\n%s", err, stderr.String())
	}
	leaks, n := t10Search(t, t10Password, s, append(texts, stdout.String(), stderr.String())...)
	for _, leak := range leaks {
		t.Error(leak)
	}
	mailtest.Figure(t, "T10", "canary searches of a running process", n, 5)
}

// read returns a file that must not be empty.
func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil || len(data) == 0 {
		t.Fatalf("%s: %d bytes, %v", path, len(data), err)
	}
	return string(data)
}
