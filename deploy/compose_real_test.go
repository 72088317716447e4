package deploy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailpull/pkg/mailtest"
)

// inContainer runs a program with an archive that is read-only and the
// capabilities that the rest of the arguments begin with.
const inContainer = `set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
capabilities=$2; shift 2
exec setpriv --no-new-privs --bounding-set "$capabilities" --inh-caps "$capabilities" "$@"
`

// The Dovecot of compose.yaml, with its capabilities, lets a mail program read
// an archive that it cannot write, and says that flags cannot be set.
func TestRealComposeDovecot(t *testing.T) {
	t.Parallel()
	dovecot := mailtest.RealProgram(t, "dovecot")
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can mount an archive read-only")
	}
	dir := t.TempDir()
	for _, way := range []string{dir, filepath.Dir(dir)} { // Dovecot's users have to get through
		mustBeNil(t, os.Chmod(way, 0o755))
	}
	archive, own := filepath.Join(dir, "mail"), filepath.Join(dir, "own")
	for _, folder := range []string{"cur", "new", "tmp", ".Work.2024/cur", ".Work.2024/new", ".Work.2024/tmp"} {
		mustBeNil(t, os.MkdirAll(filepath.Join(archive, "work", folder), 0o700))
	}
	mustBeNil(t, os.Mkdir(own, 0o700))
	for _, name := range []string{"new/1.a.mailpull,S=15", "cur/2.b.mailpull,S=15:2,S", ".Work.2024/cur/3.c.mailpull,S=15:2,"} {
		mustBeNil(t, os.WriteFile(filepath.Join(archive, "work", name), []byte("Subject: a\n\nb\n\n"), 0o600))
	}
	if out, err := exec.CommandContext(t.Context(), "chown", "-R", "65532:65532", archive, own).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	address, config := dovecotConfig(t, dir, archive, own)

	service := at(yamlOf(t, "compose/compose.yaml")[0], "services", "dovecot")
	capabilities := "-all"
	added, _ := at(service, "cap_add").([]any)
	for _, c := range added {
		capabilities += ",+" + strings.ToLower(fmt.Sprint(c))
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-c", inContainer, "sh", archive, capabilities, dovecot, "-F", "-c", config)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	mustBeNil(t, cmd.Start())
	said := talk(t, address, "a LOGIN work change-me", "b SELECT INBOX", "c FETCH 1:2 BODY[]", "d STATUS Work/2024 (MESSAGES)", "e STORE 1 +FLAGS (\\Flagged)", "f LOGOUT")
	mustBeNil(t, cmd.Process.Signal(syscall.SIGTERM))
	if err := cmd.Wait(); err != nil {
		t.Errorf("dovecot: %v", err)
	}
	for _, want := range []string{"* 2 EXISTS", "PERMANENTFLAGS ()", "[READ-ONLY]", "c OK", "MESSAGES 1"} {
		if !strings.Contains(said, want) {
			t.Errorf("Dovecot does not say %q", want)
		}
	}
	if t.Failed() {
		t.Logf("it says:\n%s\nand in its log:\n%s", said, log.String())
	}
}

// dovecotConfig writes compose/dovecot.conf for the folders and a port of this
// test.
func dovecotConfig(t *testing.T, dir, archive, own string) (address, name string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	mustBeNil(t, err)
	address = l.Addr().String()
	mustBeNil(t, l.Close())
	_, port, err := net.SplitHostPort(address)
	mustBeNil(t, err)
	acl, err := filepath.Abs("compose/dovecot.acl")
	mustBeNil(t, err)
	text := read(t, "compose/dovecot.conf")
	for from, to := range map[string]string{
		"maildir:/mail/": "maildir:" + archive + "/", "/srv/dovecot/": own + "/", "port = 1143": "port = " + port,
		"/etc/dovecot/dovecot.acl": filepath.Join(dir, "acl"), "listen = *": "listen = 127.0.0.1",
	} {
		if !strings.Contains(text, from) {
			t.Fatalf("dovecot.conf has no %q", from)
		}
		text = strings.ReplaceAll(text, from, to)
	}
	mustBeNil(t, os.WriteFile(filepath.Join(dir, "acl"), []byte(read(t, acl)), 0o644))
	name = filepath.Join(dir, "dovecot.conf")
	text += fmt.Sprintf("base_dir = %s/run\nstate_dir = %s/state\n", dir, dir)
	mustBeNil(t, os.WriteFile(name, []byte(text), 0o644))
	return address, name
}

// talk waits until a server listens, gives it one command after the other, and
// returns all that it says.
func talk(t *testing.T, address string, commands ...string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	for begin := time.Now(); err != nil && time.Since(begin) < 30*time.Second; {
		time.Sleep(5 * time.Millisecond) // a process begins; nothing tells when it listens
		conn, err = net.Dial("tcp", address)
	}
	mustBeNil(t, err)
	defer conn.Close() // the server has said goodbye
	mustBeNil(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	var said strings.Builder
	lines := bufio.NewScanner(conn)
	for _, command := range commands {
		_, err := fmt.Fprintf(conn, "%s\r\n", command)
		mustBeNil(t, err)
		end := regexp.MustCompile("^" + command[:1] + " (OK|NO|BAD)")
		for lines.Scan() {
			said.WriteString(lines.Text() + "\n")
			if end.MatchString(lines.Text()) {
				break
			}
		}
	}
	return said.String()
}
