package mailtest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailpull/pkg/demo"
)

// Cyrus is a real Cyrus IMAP server on loopback, for one test. It lets anybody in,
// with any password, and announces COMPRESS=DEFLATE.
type Cyrus struct {
	Addr string // in the clear

	t    testing.TB
	dir  string // short: paths of Unix sockets are at most about 100 bytes
	root string // a copy of what scripts/install-cyrus.sh unpacked
}

// cyrusIMAPConf is imapd.conf without what names a place. The first sign-in of a
// user makes the INBOX.
const cyrusIMAPConf = `configdirectory: %[1]s
defaultpartition: default
partition-default: %[1]s/spool
proc_path: %[1]s/proc
mboxname_lockpath: %[1]s/lock
idlesocket: %[1]s/idle
notifysocket: %[1]s/notify
lmtpsocket: %[1]s/lmtp
admins: nobody-at-all
cyrus_user: %[2]s
allowplaintext: yes
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN
autocreate_quota: 0
autocreate_users: anyone
`

// cyrusConf is cyrus.conf: one service.
const cyrusConf = `START {
}
SERVICES {
  imap cmd="%[1]s -C %[2]s/imapd.conf" listen="%[3]s" prefork=0
}
EVENTS {
}
`

// StartCyrus starts a Cyrus and stops it at the end of the test. The folder in
// MAILPULL_CYRUS has its programs. As root it runs as the user nobody, otherwise as
// whoever runs the test. Without MAILPULL_REAL=1, or where there is none, the test
// is skipped; with MAILPULL_REQUIRE_REAL=1 it fails where there is none.
func StartCyrus(t testing.TB) *Cyrus {
	t.Helper()
	if os.Getenv("MAILPULL_REAL") != "1" {
		t.Skip("SKIPPED: MAILPULL_REAL=1 asks a real Cyrus")
	}
	unpacked := os.Getenv("MAILPULL_CYRUS")
	if _, err := os.Stat(filepath.Join(unpacked, cyrusMaster)); err != nil {
		if os.Getenv("MAILPULL_REQUIRE_REAL") == "1" {
			t.Fatalf("%v; scripts/install-cyrus.sh unpacks it below MAILPULL_CYRUS", err)
		}
		t.Skipf("SKIPPED: no Cyrus below MAILPULL_CYRUS=%q: scripts/install-cyrus.sh unpacks it there (%v)", unpacked, err)
	}
	dir, err := os.MkdirTemp("", "cy")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeAll(t, dir) })
	c := &Cyrus{Addr: freeAddress(t), t: t, dir: dir, root: filepath.Join(dir, "root")}
	// The user nobody may have no way to where it was unpacked.
	if err := os.CopyFS(c.root, os.DirFS(unpacked)); err != nil {
		t.Fatal(err)
	}
	c.configure(mailOwner(t))
	c.start()
	return c
}

// cyrusMaster is the program that starts the others.
const cyrusMaster = "usr/lib/cyrus/bin/master"

// configure makes what the server reads and writes, for the user it runs as.
func (c *Cyrus) configure(o owner) {
	c.t.Helper()
	as, err := user.LookupId(strconv.Itoa(o.uid))
	if err != nil {
		c.t.Fatal(err)
	}
	c.write("imapd.conf", fmt.Sprintf(cyrusIMAPConf, c.dir, as.Username))
	c.write("cyrus.conf", fmt.Sprintf(cyrusConf, filepath.Join(c.root, "usr/lib/cyrus/bin/imapd"), c.dir, c.Addr))
	for _, folder := range []string{"spool", "proc", "lock"} {
		if err := os.Mkdir(filepath.Join(c.dir, folder), 0o700); err != nil {
			c.t.Fatal(err)
		}
	}
	for _, name := range []string{"", "imapd.conf", "spool", "proc", "lock"} {
		if err := os.Lchown(filepath.Join(c.dir, name), o.uid, o.gid); err != nil {
			c.t.Fatal(err)
		}
	}
}

// start returns when the server greets.
func (c *Cyrus) start() {
	c.t.Helper()
	p, err := startServer(filepath.Join(c.dir, "log"), []string{"LD_LIBRARY_PATH=" + c.libraries()},
		filepath.Join(c.root, cyrusMaster), "-D", "-C", filepath.Join(c.dir, "imapd.conf"), "-M", filepath.Join(c.dir, "cyrus.conf"),
		"-p", filepath.Join(c.dir, "pid"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if !p.stop() {
			c.t.Errorf("cyrus did not stop within %v and was killed", stopWait)
		}
		if c.t.Failed() {
			c.t.Logf("cyrus said:\n%s", readFile(c.t, filepath.Join(c.dir, "log")))
		}
	})
	c.awaitGreeting(p)
}

// libraries is where the server's libraries were unpacked.
func (c *Cyrus) libraries() string {
	var folders []string
	for _, pattern := range []string{"usr/lib/*-linux-gnu*", "lib/*-linux-gnu*"} {
		found, err := filepath.Glob(filepath.Join(c.root, pattern))
		if err != nil {
			c.t.Fatal(err)
		}
		folders = append(folders, found...)
	}
	return strings.Join(folders, ":")
}

// awaitGreeting tries until the server greets.
func (c *Cyrus) awaitGreeting(p *serverProcess) {
	c.t.Helper()
	over := time.After(readyWait)
	for {
		talk, err := dialCyrus(c.Addr)
		if err == nil {
			_ = talk.Close() // only a look
			return
		}
		select {
		case <-over:
			c.t.Fatalf("cyrus is not ready after %v: %v", readyWait, err)
		case <-p.ended:
			c.t.Fatalf("cyrus ended: %v", err)
		case <-time.After(10 * time.Millisecond): // it has no way to be waited for
		}
	}
}

func (c *Cyrus) write(name, text string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// Deliver appends messages to a user's INBOX as they are, so their lines must end
// in CRLF.
func (c *Cyrus) Deliver(username string, messages []demo.Message) {
	c.t.Helper()
	talk, err := dialCyrus(c.Addr)
	if err != nil {
		c.t.Fatal(err)
	}
	defer talk.Close() // all was answered
	talk.mustSay(c.t, "LOGIN "+username+" any")
	command := []byte("APPEND INBOX") // all at once (RFC 3502): Cyrus flushes for each command
	for _, m := range messages {
		command = fmt.Appendf(command, " (%s) \"%s\" {%d+}\r\n%s", strings.Join(m.Flags, " "),
			m.Date.Format("_2-Jan-2006 15:04:05 -0700"), len(m.Body), m.Body)
	}
	talk.mustSay(c.t, string(command))
	talk.mustSay(c.t, "LOGOUT")
}

// cyrusTalk is a connection of a test that fills the server.
type cyrusTalk struct {
	net.Conn
	in *bufio.Reader
}

func dialCyrus(addr string) (*cyrusTalk, error) {
	conn, err := net.DialTimeout("tcp", addr, readyWait)
	if err != nil {
		return nil, err
	}
	talk := &cyrusTalk{conn, bufio.NewReader(conn)}
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, err
	}
	if line, err := talk.in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "* OK") {
		_ = conn.Close() // it is of no use
		return nil, fmt.Errorf("the greeting is %q, %w", line, err)
	}
	return talk, nil
}

// mustSay sends a command and reads up to its OK.
func (c *cyrusTalk) mustSay(t testing.TB, command string) {
	t.Helper()
	if _, err := fmt.Fprintf(c, "a %s\r\n", command); err != nil {
		t.Fatal(err)
	}
	for {
		line, err := c.in.ReadString('\n')
		switch {
		case err != nil:
			t.Fatalf("%.60q: %v", command, err)
		case strings.HasPrefix(line, "a OK"):
			return
		case strings.HasPrefix(line, "a "):
			t.Fatalf("%.60q: %s", command, line)
		}
	}
}
