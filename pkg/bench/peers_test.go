package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"mailpull/pkg/mailtest"
)

// task is what every program is asked for: all mail of a login, over TLS, into
// Maildir, with nothing removed on the server.
type task struct {
	protocol  string // imap or pop3
	port      string // on localhost, inside TLS from the first byte
	user      string // with mailtest.DovecotPassword
	ca        string // the file that stands for the server
	mailboxes []string
}

// taskOn is a task without a network between.
func taskOn(d *mailtest.Dovecot, protocol, user string, mailboxes ...string) task {
	t := task{protocol: protocol, user: user, ca: d.CAFile, mailboxes: mailboxes}
	return t.at(address(d, protocol))
}

// at is the same task at another address.
func (t task) at(addr string) task {
	t.port = addr[strings.LastIndexByte(addr, ':')+1:]
	return t
}

func address(d *mailtest.Dovecot, protocol string) string {
	if protocol == "pop3" {
		return d.POP3SAddr
	}
	return d.IMAPSAddr
}

// command is a program with its configuration written.
type command struct {
	args []string
	mail string // the folder that it fills
	home string // what it takes for the home of its user
}

// peer is another program that fetches mail.
type peer struct {
	name    string
	program string // as in the path
	pack    string // of Debian
	slow    bool   // it runs once, within the limit of slow ones
	note    string // what a reader must know beside its figures

	// configure writes a configuration for a task into a folder, which may
	// have one already.
	configure func(b *testing.B, dir string, t task) command
}

// peers are all programs that mailpull is compared with. Each has its defaults
// but where they would make it do less than the others, or more.
func peers() []peer {
	return []peer{
		{name: "mbsync", program: "mbsync", pack: "isync", configure: mbsync,
			note: "with its default flush of each file"},
		{name: "offlineimap", program: "offlineimap", pack: "offlineimap3", slow: true, configure: offlineimap,
			note: "with its default flush of each file; adds a header of its own"},
		{name: "mpop", program: "mpop", pack: "mpop", configure: mpop,
			note: "flushes each file, no directory"},
		{name: "fdm", program: "fdm", pack: "fdm", slow: true, configure: fdm,
			note: "flushes each file; adds a header Received"},
		{name: "getmail", program: "getmail", pack: "getmail6", slow: true, configure: getmail,
			note: "flushes each file; adds a header Return-Path"},
		{name: "fetchmail", program: "fetchmail", pack: "fetchmail", slow: true, configure: fetchmail,
			note: "hands each message to safecat, which flushes it; adds headers of its own"},
	}
}

// write makes a file of a configuration. Passwords are in it: some programs
// refuse one that others may read.
func write(b *testing.B, path, format string, args ...any) string {
	b.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// maildir makes an empty Maildir for the programs that want one.
func maildir(b *testing.B, path string) string {
	b.Helper()
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(path, sub), 0o700); err != nil {
			b.Fatal(err)
		}
	}
	return path
}

// mailpull writes a configuration of mailpull, with its defaults and what
// further keys of the account say.
func mailpull(b *testing.B, binary, dir string, t task, keys ...string) command {
	b.Helper()
	config := write(b, filepath.Join(dir, "config.yaml"), `archive: mail
state: state
accounts:
  - name: %s
    %s: { host: localhost, port: %s, tls: { ca_file: %q }, username: %[1]s, password: %[5]s%[6]s }
`, t.user, t.protocol, t.port, t.ca, mailtest.DovecotPassword, strings.Join(append([]string{""}, keys...), ", "))
	return command{args: []string{binary, "run", "--config", config}, mail: filepath.Join(dir, "mail"), home: dir}
}

// mbsync pulls one way, and keeps the result beside each mailbox.
func mbsync(b *testing.B, dir string, t task) command {
	b.Helper()
	mail := filepath.Join(dir, "mail")
	if err := os.MkdirAll(mail, 0o700); err != nil {
		b.Fatal(err)
	}
	rc := write(b, filepath.Join(dir, "mbsyncrc"), `IMAPAccount a
Host localhost
Port %s
User %s
Pass %s
SSLType IMAPS
CertificateFile %s
SystemCertificates no

IMAPStore far
Account a

MaildirStore near
Path %[5]s/
Inbox %[5]s/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns *
Sync Pull
Create Near
SyncState *
`, t.port, t.user, mailtest.DovecotPassword, t.ca, mail)
	return command{args: []string{"mbsync", "-q", "-c", rc, "-a"}, mail: mail, home: dir}
}

func offlineimap(b *testing.B, dir string, t task) command {
	b.Helper()
	mail := filepath.Join(dir, "mail")
	rc := write(b, filepath.Join(dir, "offlineimaprc"), `[general]
accounts = a
metadata = %[1]s/metadata

[Account a]
localrepository = near
remoterepository = far

[Repository near]
type = Maildir
localfolders = %[2]s

[Repository far]
type = IMAP
readonly = True
remotehost = localhost
remoteport = %[3]s
ssl = yes
sslcacertfile = %[4]s
remoteuser = %[5]s
remotepass = %[6]s
`, dir, mail, t.port, t.ca, t.user, mailtest.DovecotPassword)
	return command{args: []string{"offlineimap", "-c", rc, "-o", "-u", "quiet"}, mail: mail, home: dir}
}

func mpop(b *testing.B, dir string, t task) command {
	b.Helper()
	mail := maildir(b, filepath.Join(dir, "mail"))
	rc := write(b, filepath.Join(dir, "mpoprc"), `account a
host localhost
port %s
tls on
tls_starttls off
tls_trust_file %s
auth user
user %s
password %s
keep on
received_header off
uidls_file %s/uidls
delivery maildir %s
`, t.port, t.ca, t.user, mailtest.DovecotPassword, dir, mail)
	return command{args: []string{"mpop", "-q", "-C", rc, "a"}, mail: mail, home: dir}
}

// fdm does not take a file that stands for the server; its library takes it
// from the environment. Started by root it fetches as a user of its own, who
// must be able to write what it remembers. Its lock is a file, which one that was
// ended at its limit leaves behind, and so it has one of its own.
func fdm(b *testing.B, dir string, t task) command {
	b.Helper()
	mail := maildir(b, filepath.Join(dir, "mail"))
	cache := filepath.Join(dir, "cache")
	if err := errors.Join(os.MkdirAll(cache, 0o777), os.Chmod(cache, 0o777)); err != nil {
		b.Fatal(err)
	}
	rc := write(b, filepath.Join(dir, "fdm.conf"), `set default-user "root"
set lock-file "%[5]s/lock"
set maximum-size 128M
action "keep" maildir "%[1]s"
account "a" pop3s server "localhost" port %[2]s user "%[3]s" pass "%[4]s" new-only cache "%[5]s/uidls" keep
match all action "keep"
`, mail, t.port, t.user, mailtest.DovecotPassword, cache)
	return command{args: []string{"env", "SSL_CERT_FILE=" + t.ca, "fdm", "-f", rc, "fetch"}, mail: mail, home: dir}
}

// getmail does not deliver as root. The user that it then delivers as can get
// in: the rig's folder is open to all.
func getmail(b *testing.B, dir string, t task) command {
	b.Helper()
	mail := maildir(b, filepath.Join(dir, "mail"))
	as := ""
	if os.Getuid() == 0 {
		as = "user = nobody"
		giveToNobody(b, dir)
	}
	rc := write(b, filepath.Join(dir, "getmailrc"), `[retriever]
type = SimplePOP3SSLRetriever
server = localhost
port = %s
ca_certs = %s
username = %s
password = %s

[destination]
type = Maildir
path = %s/
%s

[options]
read_all = false
delete = false
verbose = 0
received = false
delivered_to = false
`, t.port, t.ca, t.user, mailtest.DovecotPassword, mail, as)
	return command{args: []string{"getmail", "--getmaildir", dir, "--rcfile", rc}, mail: mail, home: dir}
}

func giveToNobody(b *testing.B, dir string) {
	b.Helper()
	nobody, err := user.Lookup("nobody")
	if err != nil {
		b.Fatal(err)
	}
	uid, errUID := strconv.Atoi(nobody.Uid)
	gid, errGID := strconv.Atoi(nobody.Gid)
	err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, uid, gid))
	})
	if err := errors.Join(errUID, errGID, err); err != nil {
		b.Fatal(err)
	}
}

// fetchmail has no Maildir of its own. safecat is the smallest program of
// Debian that delivers into one and flushes.
func fetchmail(b *testing.B, dir string, t task) command {
	b.Helper()
	mail := maildir(b, filepath.Join(dir, "mail"))
	rc := write(b, filepath.Join(dir, "fetchmailrc"), `set no syslog
poll localhost service %[1]s protocol pop3 uidl
  username "%[2]s" password "%[3]s" keep ssl sslcertck sslcertfile "%[4]s"
  mda "safecat %[5]s/tmp %[5]s/new"
`, t.port, t.user, mailtest.DovecotPassword, t.ca, mail)
	return command{args: []string{"fetchmail", "-s", "-f", rc, "-i", filepath.Join(dir, "ids"), "--pidfile", filepath.Join(dir, "pid")}, mail: mail, home: dir}
}

// installed reports whether a peer can be run.
func (p peer) installed() bool {
	_, err := exec.LookPath(p.program)
	return err == nil
}
