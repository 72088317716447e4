package deploy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailpull/pkg/demo"
	"mailpull/pkg/mailtest"
)

// imageUser is the user and the group of the image.
const imageUser = 65532

// inImage runs a program as a container of the image does, with what needs
// root done before: an empty root that is read-only, three folders that are
// not, no rights and no way to get any. It is one process all along, so that a
// signal reaches the program.
const inImage = `set -e
root=$1 volumes=$2; shift 2
mount --bind "$root" "$root"
for folder in mail state tmp; do mount --bind "$volumes/$folder" "$root/$folder"; done
mount -o remount,bind,ro "$root"
if touch "$root/probe" 2>/dev/null; then echo 'the root can be written'; exit 99; fi
exec setpriv --no-new-privs /usr/sbin/chroot --userspec=+65532:+65532 --groups= "$root" "$@"
`

// image is what a container of deploy/docker/Dockerfile would have.
type image struct {
	root, volumes                   string
	env                             []string
	entrypoint, command, healthCall []string
}

// The daemon of the image pulls mail over TLS with a time zone in its
// timetable, says that it is healthy, and drains: in a root that has nothing
// but the program and its configuration.
func TestRealImageDaemon(t *testing.T) {
	t.Parallel()
	server := mailServer(t)
	i := newImage(t, server)
	_, port, err := net.SplitHostPort(server.IMAPSAddr())
	if err != nil {
		t.Fatal(err)
	}
	i.put(t, "config/config.yaml", fmt.Sprintf(`
archive: /mail
daemon: { listen: "off" }
accounts:
  - name: work
    cron: "*/10 7-22 * * *"
    timezone: Europe/Berlin
    imap: { host: 127.0.0.1, port: %s, tls: { ca_file: ca.pem }, username: demo, password: { file: password } }
`, port))

	daemon := i.program(t, slices.Concat(i.entrypoint, i.command)...)
	var log bytes.Buffer
	daemon.Stdout, daemon.Stderr = &log, &log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	healthy := false
	for begin := time.Now(); !healthy && time.Since(begin) < 30*time.Second; {
		healthy = i.program(t, i.healthCall...).Run() == nil // each try takes its time
	}
	if !healthy {
		t.Error("not healthy after 30 seconds")
	}
	if out, err := i.program(t, "/mailpull", "pull").CombinedOutput(); err != nil {
		t.Errorf("mailpull pull: %v\n%s", err, out)
	}
	if err := daemon.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := daemon.Wait(); err != nil {
		t.Errorf("the daemon: %v\n%s", err, log.String())
	}
	i.mustHave(t, "work", 3)
}

// Without a file in /config, variables describe the account.
func TestRealImageVariables(t *testing.T) {
	t.Parallel()
	server := mailServer(t)
	i := newImage(t, server)
	_, port, err := net.SplitHostPort(server.POP3SAddr())
	if err != nil {
		t.Fatal(err)
	}
	run := i.program(t, "/mailpull", "run")
	run.Env = append(run.Env, "MAILPULL_PROTOCOL=pop3", "MAILPULL_HOST=127.0.0.1", "MAILPULL_PORT="+port,
		"MAILPULL_CA_FILE=/config/ca.pem", "MAILPULL_USERNAME=demo", "MAILPULL_PASSWORD_FILE=/config/password")
	if out, err := run.CombinedOutput(); err != nil {
		t.Errorf("mailpull run: %v\n%s", err, out)
	}
	i.mustHave(t, "mail", 3)
}

// mailServer has three messages until the test ends.
func mailServer(t *testing.T) *demo.Server {
	t.Helper()
	var messages []demo.Message
	for n := range 3 {
		messages = append(messages, demo.Message{Body: fmt.Appendf(nil, "Subject: %d\r\n\r\nText.\r\n", n)})
	}
	server, err := demo.Start(demo.Options{Messages: messages})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// newImage makes the folders of the image and of its volumes, and what is to
// be known of a server in /config.
func newImage(t *testing.T, server *demo.Server) image {
	t.Helper()
	mailtest.RealProgram(t, "unshare")
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can give a program another root")
	}
	i := image{root: t.TempDir(), volumes: t.TempDir()}
	i.readDockerfile(t)
	for _, folder := range []string{"mail", "state", "tmp"} {
		mustBeNil(t, os.Mkdir(filepath.Join(i.volumes, folder), 0o700))
		mustBeNil(t, os.Chown(filepath.Join(i.volumes, folder), imageUser, imageUser))
	}
	mustBeNil(t, os.Chmod(i.root, 0o755))
	static := staticProgram(t)
	mustBeNil(t, exec.CommandContext(t.Context(), "cp", static, filepath.Join(i.root, "mailpull")).Run())
	i.put(t, "config/ca.pem", string(server.CAFile()))
	i.put(t, "config/password", demo.Password)
	return i
}

// readDockerfile makes the folders of the image as its Dockerfile does, and reads how
// it is called.
func (i *image) readDockerfile(t *testing.T) {
	t.Helper()
	text := strings.ReplaceAll(read(t, "docker/Dockerfile"), "\\\n", "")
	folders := regexp.MustCompile(`(?m)^RUN (mkdir .*)$`).FindStringSubmatch(text)
	if folders == nil {
		t.Fatal("the Dockerfile makes no folders")
	}
	script := strings.ReplaceAll(folders[1], "/out/root", i.root)
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	list := func(expression string) (words []string) {
		m := regexp.MustCompile(expression).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("the Dockerfile has no %s", expression)
		}
		mustBeNil(t, json.Unmarshal([]byte(m[1]), &words))
		return words
	}
	i.entrypoint, i.command = list(`(?m)^ENTRYPOINT (.*)$`), list(`(?m)^CMD (.*)$`)
	i.healthCall = list(`(?m)^HEALTHCHECK .*CMD (.*)$`)
	for _, m := range regexp.MustCompile(`(?m)^ENV (.*)$`).FindAllStringSubmatch(text, -1) {
		i.env = append(i.env, strings.Fields(m[1])...)
	}
}

// put writes a file that everybody can read into the root.
func (i *image) put(t *testing.T, name, text string) {
	t.Helper()
	mustBeNil(t, os.WriteFile(filepath.Join(i.root, name), []byte(text), 0o644))
}

// program prepares a program of the image.
func (i *image) program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "unshare", slices.Concat([]string{"--mount", "sh", "-c", inImage, "sh", i.root, i.volumes}, args)...)
	cmd.Env = slices.Clone(i.env)
	return cmd
}

// mustHave wants n messages in an account's inbox, and every file the user's.
func (i *image) mustHave(t *testing.T, account string, n int) {
	t.Helper()
	messages := 0
	err := filepath.WalkDir(i.volumes, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); path != i.volumes && (!ok || owner.Uid != imageUser || owner.Gid != imageUser) {
			t.Errorf("%s is not the user's", path)
		}
		if filepath.Dir(path) == filepath.Join(i.volumes, "mail", account, "new") {
			messages++
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if messages != n {
		t.Errorf("got %d messages, want %d", messages, n)
	}
}

// staticProgram is the mailpull that MAILPULL_BINARY names, or one that is built as the
// image's.
func staticProgram(t *testing.T) string {
	t.Helper()
	if name := os.Getenv("MAILPULL_BINARY"); name != "" {
		return name
	}
	name := filepath.Join(t.TempDir(), "mailpull")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", name, "mailpull/cmd/mailpull")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return name
}

func mustBeNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
