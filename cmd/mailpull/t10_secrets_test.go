package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"mailpull/pkg/mailtest"
)

// T10 on the real program: servers repeat the password at every turn, and it
// is looked for in all that mailpull prints and writes. pkg/faults has the
// many cases; here is what only a process has: its output, its files, its
// argument list and its environment.

// The user's secrets: one with characters that every encoding escapes, and one
// like a token.
const (
	t10User     = "canary-user"
	t10Password = `canary "horse" \4711/+`
	t10Token    = "tok_canary0123456789ABCDEF"
)

// t10Echo is a secret as a server may repeat it.
func t10Echo(secret string) string {
	return strings.Join([]string{
		secret, strconv.Quote(secret), base64.StdEncoding.EncodeToString([]byte(secret)),
		base64.StdEncoding.EncodeToString([]byte("\x00" + t10User + "\x00" + secret)),
		hex.EncodeToString([]byte(secret)), url.QueryEscape(secret),
	}, " ; ")
}

// t10Server is a server that repeats a secret.
type t10Server struct {
	name     string
	protocol string
	security string
	serve    func(secret string) func(net.Conn)
	masked   bool // a masked secret has to be in what is printed
}

// t10IMAP says a line at a command: "$" is the tag, "%" the secret. A line that
// begins with the tag is the answer, others come before it.
func t10IMAP(at, line string) func(secret string) func(net.Conn) {
	return func(secret string) func(net.Conn) {
		said := strings.ReplaceAll(line, "%", t10Echo(secret))
		server := &mailtest.IMAPServer{
			Caps: "SASL-IR AUTH=PLAIN", Username: t10User, Password: secret,
			Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", "Subject: 1\r\n\r\nx\r\n")},
		}
		if at == "" {
			server.Greeting = said
			return server.Serve
		}
		server.On = func(c *mailtest.IMAPTalk, tag, command string) bool {
			if !strings.HasPrefix(command, at) {
				return false
			}
			c.Printf("%s", strings.ReplaceAll(said, "$", tag))
			return strings.HasPrefix(line, "$")
		}
		return server.Serve
	}
}

// t10POP3 gives an answer to a command.
func t10POP3(at, answer string) func(secret string) func(net.Conn) {
	return func(secret string) func(net.Conn) {
		server := &mailtest.POP3Server{
			Username: t10User, Password: secret, Messages: mailtest.POP3Messages("Subject: 1\r\n\r\nx\r\n"),
		}
		server.On = func(c *mailtest.POP3Talk, command string) bool {
			if at == "" || !strings.HasPrefix(command, at) {
				return false
			}
			c.Raw(strings.ReplaceAll(answer, "%", t10Echo(secret)))
			return true
		}
		return server.Serve
	}
}

var t10Servers = []t10Server{
	{"honest IMAP", "imap", "none", t10IMAP("nothing", ""), false},
	{"honest POP3", "pop3", "none", t10POP3("", ""), false},
	{"IMAP sign-in refused", "imap", "none", t10IMAP("AUTHENTICATE", "$ NO [AUTHENTICATIONFAILED] %"), true},
	{"IMAP greeting BYE", "imap", "none", t10IMAP("", "* BYE %"), true},
	{"IMAP greeting is garbage", "imap", "none", t10IMAP("", "%"), false},
	{"IMAP alert", "imap", "none", t10IMAP("EXAMINE", "* OK [ALERT] %"), true},
	{"IMAP list refused", "imap", "none", t10IMAP("LIST", "$ NO %"), true},
	{"IMAP mailbox refused", "imap", "none", t10IMAP("EXAMINE", "$ NO %"), true},
	{"IMAP fetch refused", "imap", "none", t10IMAP("UID FETCH", "$ NO %"), true},
	{"IMAP breaks the protocol", "imap", "none", t10IMAP("UID FETCH", "%"), false},
	{"IMAP no TLS", "imap", "tls", t10IMAP("", "* OK %"), false},
	{"IMAP no STARTTLS", "imap", "starttls", t10IMAP("CAPABILITY", "* CAPABILITY IMAP4rev1 %"), false},
	{"POP3 sign-in refused", "pop3", "none", t10POP3("AUTH", "-ERR [AUTH] %\r\n"), true},
	{"POP3 list refused", "pop3", "none", t10POP3("UIDL", "-ERR %\r\n"), true},
	{"POP3 list is garbage", "pop3", "none", t10POP3("UIDL", "+OK\r\n%\r\n.\r\n"), false},
	{"POP3 message refused", "pop3", "none", t10POP3("RETR", "-ERR %\r\n"), true},
}

// t10Sources are where the password comes from: what is written under
// password, given a folder for files of the user's own.
var t10Sources = map[string]func(t *testing.T, dir, secret string) string{
	"plain": func(_ *testing.T, _, secret string) string { return strconv.Quote(secret) },
	"file": func(t *testing.T, dir, secret string) string {
		return fmt.Sprintf("{ file: %q }", t10File(t, dir, secret))
	},
	"command": func(t *testing.T, dir, secret string) string {
		return fmt.Sprintf(`{ command: ["cat", %q] }`, t10File(t, dir, secret))
	},
}

// t10File writes the secret to a file of the user's own.
func t10File(t *testing.T, dir, secret string) string {
	t.Helper()
	path := filepath.Join(dir, "secret")
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// t10Point writes a configuration for a server with a secret from a source.
func t10Point(t *testing.T, server t10Server, addr, source, secret string) setup {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return configure(t, fmt.Sprintf("%s: { host: 127.0.0.1, port: %s, security: %s, username: %s, password: %s }",
		server.protocol, port, server.security, t10User, t10Sources[source](t, t.TempDir(), secret)), "")
}

// t10Search looks for the secret in texts and in all files that mailpull
// wrote, and returns where it stands and how many places were searched.
func t10Search(t *testing.T, secret string, s setup, texts ...string) (leaks []string, n int) {
	t.Helper()
	canary := mailtest.NewCanary(secret)
	look := func(place string, data []byte) {
		n++
		if found := canary.Found(data); found != "" {
			leaks = append(leaks, fmt.Sprintf("%s: %s\n%.800s", place, found, data))
		}
	}
	for i, text := range texts {
		look(fmt.Sprint("output ", i), []byte(text))
	}
	for _, root := range []string{s.state, s.archive} {
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			look(path, append([]byte(path+"\n"), data...))
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
	}
	return leaks, n
}

// TestT10Secrets runs the real program against each server, as talkative as it
// can be, and what a person would ask afterwards.
func TestT10Secrets(t *testing.T) {
	t.Parallel()
	n := 0
	sources := []string{"plain", "file", "command"}
	for i, server := range t10Servers {
		if i%mailtest.Every(4) != 0 {
			continue
		}
		secret, source := t10Password, sources[i%len(sources)]
		if i%2 == 1 {
			secret = t10Token
		}
		s := t10Point(t, server, listen(t, server.serve(secret)).addr, source, secret)
		var printed bytes.Buffer
		for _, args := range [][]string{
			{"run", "-vv"}, {"run", "-vv", "--log-format", "json"}, {"mailboxes", "work", "-vv"}, {"status"}, {"status", "--json"},
			{"config", "print"}, {"config", "validate"}, {"run", "--no-such-flag"},
		} {
			_, stdout, stderr := program(t, append(args, "--config", s.config)...)
			leaks, searched := t10Search(t, secret, s, stdout, stderr)
			for _, leak := range leaks {
				t.Errorf("%s: %s: %s", server.name, strings.Join(args, " "), leak)
			}
			n += searched
			printed.WriteString(stderr)
		}
		if masked := strings.Contains(printed.String(), "[redacted]"); server.masked && !masked {
			t.Errorf("%s: nothing was masked, so nothing was proved:\n%s", server.name, printed.String())
		}
	}
	mailtest.Figure(t, "T10", "canary searches of the real program", n, 60)
}

// TestT10SelfTest gives the password away where the search has to notice.
func TestT10SelfTest(t *testing.T) {
	t.Parallel()
	s := configure(t, "", "")
	if leaks, _ := t10Search(t, t10Password, s, "nothing", t10Echo("another secret")); len(leaks) > 0 {
		t.Errorf("found without need: %q", leaks)
	}
	if leaks, _ := t10Search(t, t10Password, s, fmt.Sprintf("password=%q", t10Password)); len(leaks) != 1 {
		t.Errorf("output: %q", leaks)
	}
	if err := os.MkdirAll(filepath.Join(s.state, "work"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.state, "work", "trace"), []byte(t10Password), 0o600); err != nil {
		t.Fatal(err)
	}
	if leaks, _ := t10Search(t, t10Password, s); len(leaks) != 1 {
		t.Errorf("file: %q", leaks)
	}
}
