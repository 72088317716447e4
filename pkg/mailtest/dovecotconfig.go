package mailtest

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// owner is the user that mail belongs to, and the names of the users that the
// rest of Dovecot runs as.
type owner struct {
	uid, gid       int
	internal       string
	group          string
	login          string
	handsOverFiles bool // we are another user than the mail's
}

// mailOwner picks the users. Dovecot refuses to read mail as root, so as root
// mail belongs to nobody, and the rest runs as the users that its package
// made. As anybody else, everything runs as that user.
func mailOwner(t testing.TB) owner {
	t.Helper()
	if os.Getuid() == 0 {
		nobody, err := user.Lookup("nobody")
		if err != nil {
			t.Fatal(err)
		}
		o := owner{internal: "dovecot", group: "dovecot", login: "dovenull", handsOverFiles: true}
		o.uid, o.gid = number(t, nobody.Uid), number(t, nobody.Gid)
		return o
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Fatal(err)
	}
	return owner{
		uid: os.Getuid(), gid: os.Getgid(),
		internal: me.Username, group: group.Name, login: me.Username,
	}
}

func number(t testing.TB, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// mailLocation returns the line that tells Dovecot where mail is. Indexes and
// control files go into folders of the test's own, so that nothing foreign is
// written into an archive.
func (d *Dovecot) mailLocation() string {
	own := fmt.Sprintf(":INDEX=%[1]s/own/index/%%u:CONTROL=%[1]s/own/control/%%u", d.dir)
	archive := d.options.Archive
	switch {
	case archive == "":
		// UTF-8: Deliver writes names as they are.
		return fmt.Sprintf("maildir:%[1]s/%%u:LAYOUT=fs:UTF-8:INBOX=%[1]s/%%u/INBOX%[2]s", d.mailDir(), own)
	case d.options.Layout == LayoutFS:
		return fmt.Sprintf("maildir:%[1]s:LAYOUT=fs:INBOX=%[1]s/INBOX%[2]s", archive, own)
	default:
		return fmt.Sprintf("maildir:%s%s", archive, own)
	}
}

// writeConfig writes the configuration with ports that were free a moment ago
// and remembers the addresses.
func (d *Dovecot) writeConfig() {
	d.t.Helper()
	addrs := freeAddrs(d.t, 4)
	d.IMAPAddr, d.IMAPSAddr, d.POP3Addr, d.POP3SAddr = addrs[0], addrs[1], addrs[2], addrs[3]
	config := strings.Join([]string{d.baseConfig(), d.mailConfig(), d.serviceConfig(), d.options.Config, ""}, "\n")
	d.writeFile("conf", []byte(config), 0o644)
}

func (d *Dovecot) baseConfig() string {
	return strings.NewReplacer(
		"DIR", d.dir, "INTERNAL", d.owner.internal, "GROUP", d.owner.group, "LOGIN", d.owner.login,
		"UID", strconv.Itoa(d.owner.uid), "GID", strconv.Itoa(d.owner.gid), "PASSWORD", DovecotPassword,
	).Replace(`
base_dir = DIR/run
state_dir = DIR/run
log_path = DIR/log
listen = 127.0.0.1
protocols = imap pop3
default_internal_user = INTERNAL
default_internal_group = GROUP
default_login_user = LOGIN
first_valid_uid = UID
first_valid_gid = GID
ssl = yes
ssl_cert = <DIR/cert.pem
ssl_key = <DIR/key.pem
disable_plaintext_auth = no
auth_failure_delay = 0 secs
mail_max_userip_connections = 1000
shutdown_clients = yes
passdb {
  driver = static
  args = password=PASSWORD
}
userdb {
  driver = static
  args = uid=UID gid=GID home=DIR/own/home/%u
}`)
}

func (d *Dovecot) mailConfig() string {
	config := `
mail_location = ` + d.mailLocation() + `
mail_fsync = never
namespace inbox {
  inbox = yes
  separator = /
  mailbox Sent {
    special_use = \Sent
  }
  mailbox Junk {
    special_use = \Junk
  }
  mailbox Entwürfe {
    special_use = \Drafts
  }
}`
	if d.options.Archive == "" {
		return config
	}
	// What an archive escapes in names, see the package archive/maildir.
	return config + `
mail_plugins = listescape
plugin {
  listescape_char = "="
}`
}

// serviceConfig opens the ports and lifts what would slow a test down: chroot
// needs root, a process per login costs time, and Dovecot makes an address wait
// whose last sign-ins failed.
func (d *Dovecot) serviceConfig() string {
	return strings.NewReplacer(
		"IMAPPORT", port(d.IMAPAddr), "IMAPSPORT", port(d.IMAPSAddr),
		"POP3PORT", port(d.POP3Addr), "POP3SPORT", port(d.POP3SAddr),
	).Replace(`
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  client_limit = 4096
}
service imap-login {
  chroot =
  service_count = 0
  inet_listener imap {
    port = IMAPPORT
  }
  inet_listener imaps {
    port = IMAPSPORT
    ssl = yes
  }
}
service pop3-login {
  chroot =
  service_count = 0
  inet_listener pop3 {
    port = POP3PORT
  }
  inet_listener pop3s {
    port = POP3SPORT
    ssl = yes
  }
}
service imap {
  process_limit = 512
  service_count = 100
}
service pop3 {
  process_limit = 512
  service_count = 100
}`)
}

// freeAddrs returns addresses on loopback that nobody listens on. Somebody
// else may take one before it is used; whoever uses them tries again.
func freeAddrs(t testing.TB, n int) []string {
	t.Helper()
	addrs := make([]string, n)
	for i := range addrs {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addrs[i] = l.Addr().String()
		defer func() { _ = l.Close() }() // all stay open until the last is found
	}
	return addrs
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// mailDir is where the mail of Deliver is kept, a folder per user.
func (d *Dovecot) mailDir() string { return filepath.Join(d.dir, "mail") }
