package daemon_test

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"mailpull/pkg/config"
	"mailpull/pkg/daemon"
	"mailpull/pkg/demo"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
	"mailpull/pkg/secret"
)

// Both sources, put together as a pass has them, pass the suite of all sources
// against servers that speak their whole protocol, over TLS and STARTTLS.
func TestSourcesConform(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]config.Account{
		"imap tls":      {Protocol: config.IMAP, Security: config.TLS},
		"imap starttls": {Protocol: config.IMAP, Security: config.StartTLS},
		"pop3 tls":      {Protocol: config.POP3, Security: config.TLS},
		"pop3 starttls": {Protocol: config.POP3, Security: config.StartTLS},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mailtest.TestSource(t, func(t *testing.T) pull.Source { return daemon.NewSource(serve(t, a), nil) })
		})
	}
}

// serve starts a server with the suite's messages and returns the account.
func serve(t *testing.T, a config.Account) config.Account {
	t.Helper()
	var messages []demo.Message
	for _, body := range mailtest.SuiteBodies() {
		messages = append(messages, demo.Message{Body: []byte(body)})
	}
	return served(t, a, messages)
}

// account returns an account on a server with the messages.
func account(t *testing.T, protocol config.Protocol, messages []demo.Message) config.Account {
	t.Helper()
	return served(t, config.Account{
		Protocol: protocol, Security: config.TLS, Layout: config.MaildirPP, Connections: 1,
		Mailboxes: config.Selection{Include: []string{"*"}},
	}, messages)
}

func served(t *testing.T, a config.Account, messages []demo.Message) config.Account {
	t.Helper()
	server, err := demo.Start(demo.Options{Messages: messages})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	addr := map[config.Protocol]map[config.Security]string{
		config.IMAP: {config.TLS: server.IMAPSAddr(), config.StartTLS: server.IMAPAddr()},
		config.POP3: {config.TLS: server.POP3SAddr(), config.StartTLS: server.POP3Addr()},
	}[a.Protocol][a.Security]

	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	a.Host = host
	if a.Port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	a.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(a.CAFile, server.CAFile(), 0o600); err != nil {
		t.Fatal(err)
	}
	a.Name, a.Username = "suite", demo.Username
	a.Password = secret.Source{Plain: secret.New(demo.Password)}
	return a
}
