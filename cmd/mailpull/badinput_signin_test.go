package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"mailpull/pkg/demo"
	"mailpull/pkg/mailtest"
)

// connectCases are servers that are not there, or not to be trusted.
func connectCases() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"unknown host": func(t *testing.T) {
			tr := newTrial(t)
			// A label of more than 63 bytes is no name of the DNS (RFC 1035
			// section 2.3.4), so that no name server is asked.
			long := strings.Repeat("x", 64) + ".invalid"
			tr.pointAt(t, tr.at(long+":993", "tls"))
			tr.mustFail(t, exitTemporary,
				"imap connect: dial tcp: lookup xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.invalid: no such host",
				`there is no host "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.invalid"; check how it is spelled`)
			tr.mustRecover(t)
		},
		"refused connection": func(t *testing.T) {
			tr := newTrial(t)
			tr.pointAt(t, tr.at(closedPort(t), "tls"))
			tr.mustFail(t, exitTemporary,
				"imap connect: dial tcp 127.0.0.1:PORT: connect: connection refused",
				"nothing listens on 127.0.0.1:PORT; check host, port and security, or whether the server is up")
			tr.mustRecover(t)
		},
		"tls on a plain port": func(t *testing.T) {
			tr := newTrial(t)
			tr.pointAt(t, tr.at(tr.server.IMAPAddr(), "tls"))
			tr.mustFail(t, exitTemporary,
				"imap connect: tls: first record does not look like a TLS handshake",
				"127.0.0.1:PORT does not begin with TLS; set port to the one that does, or set security to starttls")
			tr.pointAt(t, "pop3: "+tr.account(tr.server.POP3Addr(), "tls", "password: "+demo.Password))
			tr.mustFail(t, exitTemporary,
				"pop3 connect: tls: first record does not look like a TLS handshake",
				"127.0.0.1:PORT does not begin with TLS; set port to the one that does, or set security to starttls")
			tr.mustRecover(t)
		},
		"unknown ca": func(t *testing.T) {
			badCertificate(t, exitTemporary, func(*mailtest.CA) mailtest.Certificate { return mailtest.NewCA(t).Good(t) },
				`imap connect: tls: failed to verify certificate: x509: certificate signed by unknown authority (possibly because of "x509: ECDSA verification failure" while trying to verify candidate authority certificate "m...`,
				`nobody on this machine trusts "CN=mailtest authority", who issued the certificate of "127.0.0.1"; if it is your own, name its file under ca_file`)
		},
		"self-signed certificate": func(t *testing.T) {
			badCertificate(t, exitTemporary, func(*mailtest.CA) mailtest.Certificate { return mailtest.SelfSigned(t) },
				"imap connect: tls: failed to verify certificate: x509: certificate signed by unknown authority",
				`nobody on this machine trusts "CN=localhost", who issued the certificate of "127.0.0.1"; if it is your own, name its file under ca_file`)
		},
		"expired certificate": func(t *testing.T) {
			badCertificate(t, exitTemporary, func(ca *mailtest.CA) mailtest.Certificate { return ca.Expired(t) },
				"imap connect: tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time NOW is after 1999-01-01T00:00:00Z",
				`the certificate of "127.0.0.1" is valid from 1990-01-01 to 1999-01-01; check this machine's clock, or ask whoever runs the server`)
		},
		"certificate of another host": func(t *testing.T) {
			badCertificate(t, exitTemporary, func(ca *mailtest.CA) mailtest.Certificate { return ca.WrongHost(t) },
				"imap connect: tls: failed to verify certificate: x509: cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs",
				`the certificate is not for "127.0.0.1" but for other.example.com; write under host the name that the server goes by`)
		},
		"no starttls": func(t *testing.T) {
			tr := newTrial(t)
			e := listen(t, speakPlainIMAP)
			tr.pointAt(t, tr.at(e.addr, "starttls"))
			tr.mustFail(t, exitTemporary,
				"imap connect: the server does not do STARTTLS",
				"127.0.0.1:PORT offers no encryption; set security to tls, and port to the one for TLS if you named another")
			e.mustNotHear(t, demo.Username, demo.Password)
			tr.mustRecover(t)
		},
	}
}

// signInCases are passwords that the server refuses, or that are not to be
// had.
func signInCases() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"refused password": func(t *testing.T) {
			tr := newTrial(t)
			tr.pointAt(t, "imap: "+tr.account(tr.server.IMAPSAddr(), "tls", "password: not-"+demo.Password))
			tr.mustFail(t, exitNoPerm,
				`imap sign in: the server said "NO [AUTHENTICATIONFAILED] Authentication failed"`,
				"check username and password; many providers want an app password instead of the usual one")
			tr.mustRecover(t)
		},
		"refused password over pop3": func(t *testing.T) {
			tr := newTrial(t)
			tr.pointAt(t, "pop3: "+tr.account(tr.server.POP3SAddr(), "tls", "password: not-"+demo.Password))
			tr.mustFail(t, exitNoPerm,
				`pop3 sign in: the server said "[AUTH] wrong name or password"`,
				"check username and password; many providers want an app password instead of the usual one, or POP3 switched on first")
			tr.pointAt(t, tr.sourceOverPOP3())
			tr.mustArrive(t, tr.inboxOverPOP3())
		},
		"password command fails": func(t *testing.T) {
			tr := newTrial(t)
			tr.pointAt(t, "imap: "+tr.account(tr.server.IMAPSAddr(), "tls",
				`password: { command: ["sh", "-c", "echo the agent is locked >&2; exit 3"] }`))
			tr.mustFail(t, exitTemporary,
				`imap sign in: password: secret command "sh": exit status 3; it said: the agent is locked`,
				"run the command under password by hand; it must print the password without asking anybody")
			tr.mustRecover(t)
		},
		"password file missing": func(t *testing.T) {
			tr := newTrial(t)
			tr.pointAt(t, "imap: "+tr.account(tr.server.IMAPSAddr(), "tls", "password: { file: none }"))
			tr.mustFail(t, exitConfig,
				`imap sign in: password: secret file "DIR/none": no such file or directory`,
				"check what the configuration names under password")
			tr.mustRecover(t)
		},
		"password variable not set": func(t *testing.T) {
			tr := newTrial(t)
			tr.pointAt(t, "imap: "+tr.account(tr.server.IMAPSAddr(), "tls", "password: { env: MAILPULL_TEST_NOT_SET }"))
			tr.mustFail(t, exitConfig,
				`imap sign in: password: secret variable "MAILPULL_TEST_NOT_SET": not set in the environment`,
				"check what the configuration names under password")
			tr.mustRecover(t)
		},
	}
}

// closedPort returns an address on which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return addr
}

// badCertificate shows a certificate that must be refused, before anything is
// said that a stranger should not hear.
func badCertificate(t *testing.T, code int, choose func(*mailtest.CA) mailtest.Certificate, line, hint string) {
	t.Helper()
	tr := newTrial(t)
	ca := mailtest.NewCA(t)
	config := choose(ca).ServerConfig()
	heard := make(chan int, 1)
	e := listen(t, func(conn net.Conn) {
		secure := tls.Server(conn, config)
		n, _ := io.Copy(io.Discard, secure) // the client breaks off, and that is no error here
		heard <- int(n)
	})
	good := tr.caFile
	tr.caFile = tr.write(t, "other.pem", string(ca.PEM))
	tr.pointAt(t, tr.at(e.addr, "tls"))
	tr.mustFail(t, code, line, hint)
	if n := <-heard; n > 0 {
		t.Errorf("%d bytes were sent to a server with a bad certificate", n)
	}
	tr.caFile = good
	tr.mustRecover(t)
}

// speakPlainIMAP is a server that offers no encryption.
func speakPlainIMAP(conn net.Conn) {
	lines := bufio.NewReader(conn)
	_, _ = io.WriteString(conn, "* OK hello\r\n") // who hangs up is told apart below
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		tag, _, _ := strings.Cut(line, " ")
		_, _ = io.WriteString(conn, "* CAPABILITY IMAP4rev1\r\n"+tag+" OK done\r\n") // as above
	}
}

// ear is a listener on loopback that remembers all that it was sent.
type ear struct {
	addr string

	mu    sync.Mutex
	heard bytes.Buffer
}

// listen serves each connection until the test ends.
func listen(t *testing.T, serve func(net.Conn)) *ear {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &ear{addr: l.Addr().String()}
	var running sync.WaitGroup
	running.Go(func() { // Cleanup waits for it
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				serve(&heardConn{conn, e})
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // it ends the loop above
		running.Wait()
	})
	return e
}

func (e *ear) mustNotHear(t *testing.T, secrets ...string) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, secret := range secrets {
		if strings.Contains(e.heard.String(), secret) {
			t.Errorf("%q was sent in plain text", secret)
		}
	}
}

type heardConn struct {
	net.Conn
	*ear
}

func (c *heardConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	c.heard.Write(p[:n])
	c.mu.Unlock()
	return n, err
}
