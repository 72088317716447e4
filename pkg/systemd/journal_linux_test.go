package systemd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// childVariable makes of this test's binary the process that has a /run of its
// own: go-systemd knows the journal at one place only.
const childVariable = "MAILPULL_TEST_JOURNAL"

const journalSocket = "/run/systemd/journal/socket"

// TestJournal writes to a journal and reads what arrived there.
func TestJournal(t *testing.T) {
	if os.Getenv(childVariable) != "" {
		journalInChild(t)
		return
	}
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to have a /run of its own")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestJournal$", "-test.v")
	cmd.Env = append(os.Environ(), childVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || strings.Contains(string(out), "--- SKIP") {
		t.Skipf("no mounts here: %v\n%s", err, out)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func journalInChild(t *testing.T) {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Skip(err)
	}
	if err := syscall.Mount("run", "/run", "tmpfs", 0, ""); err != nil {
		t.Skip(err)
	}
	var stderr syscall.Stat_t
	if err := syscall.Fstat(2, &stderr); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", stderr.Dev, stderr.Ino))
	if UnderJournal() {
		t.Error("there is no journal yet")
	}
	if err := os.MkdirAll(filepath.Dir(journalSocket), 0o755); err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: journalSocket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if !UnderJournal() {
		t.Error("the journal was not found")
	}

	log := slog.New(NewHandler(slog.LevelInfo, slog.NewTextHandler(os.Stderr, nil)))
	for _, stack := range []string{"one line", "two\nlines", strings.Repeat("x", 1<<20)} {
		log.Error("panic", "account", "work", "stack", stack)
		got := fields(t, receive(t, conn))
		for name, want := range map[string]string{
			"MESSAGE": "panic account=work", "PRIORITY": "3", "SYSLOG_IDENTIFIER": "mailpull",
			"MESSAGE_ID": Events()["panic"], "MAILPULL_ACCOUNT": "work", "MAILPULL_STACK": stack,
		} {
			if got[name] != want {
				t.Errorf("%s: got %.100q, want %.100q", name, got[name], want)
			}
		}
	}
}

// receive returns the next entry, which comes as a file when it is large.
func receive(t *testing.T, conn *net.UnixConn) []byte {
	t.Helper()
	data, rights := make([]byte, 1<<20), make([]byte, 64)
	n, rightsLen, _, _, err := conn.ReadMsgUnix(data, rights)
	if err != nil {
		t.Fatal(err)
	}
	if rightsLen == 0 {
		return data[:n]
	}
	messages, err := syscall.ParseSocketControlMessage(rights[:rightsLen])
	if err != nil || len(messages) != 1 {
		t.Fatalf("got %d messages, %v", len(messages), err)
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		t.Fatalf("got descriptors %v, %v", fds, err)
	}
	f := os.NewFile(uintptr(fds[0]), "entry")
	defer func() { _ = f.Close() }()
	entry, err := io.ReadAll(io.NewSectionReader(f, 0, 8<<20))
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

// fields takes an entry apart, as systemd's page on the native journal protocol
// describes it.
func fields(t *testing.T, entry []byte) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for rest := string(entry); rest != ""; {
		line, after, _ := strings.Cut(rest, "\n")
		name, value, short := strings.Cut(line, "=")
		if !short {
			size := int(binary.LittleEndian.Uint64([]byte(after[:8])))
			name, value, after = line, after[8:8+size], after[8+size+1:]
		}
		all[name], rest = value, after
	}
	return all
}
