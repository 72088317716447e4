package mailtest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// DovecotPassword signs in to a Dovecot of StartDovecot under any user name.
const DovecotPassword = "dovecot-password"

// RequireDovecot names the environment variable that, when it is "1", makes a
// missing Dovecot fail the tests instead of skipping them.
const RequireDovecot = "MAILPULL_REQUIRE_DOVECOT"

const skippedText = "SKIPPED: dovecot not found: end-to-end tests did not run; scripts/install-dovecot.sh installs it"

// The layouts of an archive that Dovecot can be pointed at, in the words of
// mailpull's configuration.
const (
	LayoutMaildirPP = "maildir++"
	LayoutFS        = "fs"
)

// DovecotOptions says what a Dovecot serves.
type DovecotOptions struct {
	// Archive is the folder of an account that mailpull wrote; every user then
	// reads it. Dovecot keeps its own indexes elsewhere, but it may move
	// messages from new to cur, as every reader may. Empty means mail folders
	// of its own, to be filled by Deliver.
	Archive string

	// Layout is the layout of Archive; empty means LayoutMaildirPP.
	Layout string

	// Config is further lines for the configuration. They stand last and so
	// change what stands before them.
	Config string
}

// Dovecot is a real Dovecot 2.3 that serves IMAP and POP3 on loopback, for one
// test. Every user name exists, with the password DovecotPassword.
type Dovecot struct {
	IMAPAddr  string // in the clear, with STARTTLS
	IMAPSAddr string // inside TLS
	POP3Addr  string // in the clear, with STLS
	POP3SAddr string // inside TLS

	// CA stands for the server's certificate; CAFile is its PEM on disk.
	CA     *CA
	CAFile string

	t         testing.TB
	binary    string
	dir       string // short: paths of Unix sockets are at most about 100 bytes
	options   DovecotOptions
	owner     owner
	delivered atomic.Int64 // names files in the order of delivery
	process   *serverProcess
}

// StartDovecot starts a Dovecot and stops it at the end of the test. It skips
// the test where none is installed, or fails it, see RequireDovecot. As root
// its mail belongs to the user nobody; otherwise everything runs as the user
// who runs the test.
func StartDovecot(t testing.TB, o DovecotOptions) *Dovecot {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: -short: no Dovecot is started")
	}
	binary, err := findDovecot()
	if err != nil {
		if os.Getenv(RequireDovecot) == "1" {
			t.Fatalf("%s=1: %v", RequireDovecot, err)
		}
		t.Skipf("%s (%v)", skippedText, err)
	}

	dir, err := os.MkdirTemp("", "dc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeAll(t, dir) })
	// Dovecot's processes run as several users, and each has to get in.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}

	d := &Dovecot{t: t, binary: binary, dir: dir, options: o, owner: mailOwner(t), CA: NewCA(t)}
	d.CAFile = filepath.Join(dir, "ca.pem")
	cert := d.CA.Good(t)
	d.writeFile("ca.pem", d.CA.PEM, 0o644)
	d.writeFile("cert.pem", cert.CertPEM, 0o644)
	d.writeFile("key.pem", cert.KeyPEM, 0o600)
	d.mkdirOwned(d.mailDir())
	d.mkdirOwned(filepath.Join(dir, "own"))
	d.startOnFreePorts()
	t.Cleanup(d.finish)
	return d
}

// findDovecot returns the path of a Dovecot 2.3 that speaks both protocols.
func findDovecot() (string, error) {
	binary, err := exec.LookPath("dovecot")
	if err != nil {
		// Debian keeps it where ordinary users do not look.
		if binary, err = exec.LookPath("/usr/sbin/dovecot"); err != nil {
			return "", errors.New("no dovecot in the path or in /usr/sbin")
		}
	}
	version, err := exec.Command(binary, "--version").Output()
	if err != nil {
		return "", err
	}
	if !bytes.HasPrefix(version, []byte("2.3.")) {
		return "", errors.New("dovecot is not 2.3 but " + strings.TrimSpace(string(version)))
	}
	config, err := exec.Command(binary, "-a", "-c", "/dev/null").Output()
	if err != nil {
		return "", err
	}
	for _, protocol := range []string{"imap", "pop3"} {
		if !strings.Contains(string(config), "service "+protocol+"-login {") {
			return "", errors.New("dovecot has no " + protocol)
		}
	}
	return binary, nil
}

// TLSConfig returns what a client of this server needs.
func (d *Dovecot) TLSConfig() *tls.Config {
	return &tls.Config{RootCAs: d.CA.Pool(), ServerName: "127.0.0.1"}
}

// finish ends the server, and shows what it said when the test failed.
func (d *Dovecot) finish() {
	d.Stop()
	if d.t.Failed() {
		d.t.Logf("the last lines of Dovecot's log:\n%s", d.logTail())
	}
}

// logTail returns the end of the server's log.
func (d *Dovecot) logTail() string {
	log, err := os.ReadFile(filepath.Join(d.dir, "log"))
	if err != nil {
		return err.Error()
	}
	const most = 6000
	if len(log) > most {
		log = log[len(log)-most:]
	}
	return string(log)
}

func (d *Dovecot) writeFile(name string, data []byte, mode os.FileMode) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), data, mode); err != nil {
		d.t.Fatal(err)
	}
}

// removeAll removes the server's folder. A process that was just killed may
// still have made a file in it, so there are a few tries.
func removeAll(t testing.TB, dir string) {
	var err error
	for range 10 {
		if err = os.RemoveAll(dir); err == nil {
			return
		}
	}
	t.Errorf("removing the server's folder: %v", err)
}
