package faults

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"testing"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/wire"
)

// t6TLS are an authority, in a file for the client, and certificates.
type t6TLS struct {
	file       string
	good, evil *tls.Config
}

func newT6TLS(t *testing.T) t6TLS {
	t.Helper()
	ca := mailtest.NewCA(t)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	return t6TLS{file, ca.Good(t).ServerConfig(), mailtest.SelfSigned(t).ServerConfig()}
}

// stls is a case of a client that wants STLS.
func (s t6TLS) stls(row, name string, want t6Want) t6Case {
	return t6Case{
		row: row, name: name, want: want, silent: want != t6Want{},
		serve:  func(server *mailtest.POP3Server) { server.TLS = s.good },
		client: func(o *wire.Options) { o.Security, o.CAFile = wire.StartTLS, s.file },
	}
}

// refused is a server that says something wrong on the way to STLS.
func (s t6TLS) refused(name, command, answer string, want t6Want) t6Case {
	row := map[string]string{"": "EAST greeting", "CAPA": "EAST capa", "STLS": "EAST stls"}[command]
	c := s.stls(row, name, want)
	c.says = map[string]string{command: answer}
	return c
}

// t6STLS are the attacks on STLS of "Why TLS Is Better Without STARTTLS" that
// concern a POP3 client: no byte of the credentials leaves before TLS, and
// nothing that was said in the clear counts behind it.
func (s t6TLS) t6STLS() []t6Case {
	account := func(class mail.Class, retry mail.Retry, text string) t6Want {
		return t6Want{class: class, scope: mail.ScopeAccount, retry: retry, text: text}
	}
	stripped, protocol := account(mail.ClassTLS, mail.RetryLater, "does not do STARTTLS"), account(mail.ClassProtocol, mail.RetryLater, "")
	const caps = "+OK\r\nSASL PLAIN\r\nSTLS\r\n.\r\n"
	cases := []t6Case{
		s.stls("P-10", "STLS", t6Want{}),
		s.refused("stripped from CAPA", "CAPA", "+OK\r\nSASL PLAIN\r\n.\r\n", stripped),
		s.refused("CAPA refused", "CAPA", "-ERR what?\r\n", stripped),
		s.refused("CAPA empty", "CAPA", "+OK\r\n.\r\n", stripped),
		s.refused("announced as a part of a word", "CAPA", "+OK\r\nX-STLS\r\nSASL STLS\r\nSTLSX\r\n.\r\n", stripped),
		s.refused("-ERR", "STLS", "-ERR no\r\n", stripped),
		s.refused("-ERR without text", "STLS", "-ERR\r\n", stripped),
		s.refused("-ERR with a code", "STLS", "-ERR [SYS/TEMP] later\r\n", stripped),
		s.refused("an empty line", "STLS", "\r\n", protocol),
		s.refused("a challenge", "STLS", "+ \r\n", protocol),
		s.refused("an answer of IMAP", "STLS", "a OK begin\r\n", protocol),
		s.refused("many lines", "STLS", "+OK\r\nmore\r\n.\r\n", protocol),
		s.refused("an answer behind +OK", "STLS", "+OK\r\n+OK injected\r\n", protocol),
		s.refused("answers to what was not said", "STLS", "+OK\r\n"+caps+"+OK\r\n+OK in\r\n", protocol),
		s.refused("an answer behind -ERR", "STLS", "-ERR\r\n+OK\r\n", protocol),
		s.refused("an answer behind CAPA", "CAPA", caps+"+OK begin\r\n", protocol),
		s.refused("an answer behind the greeting", "", "+OK\r\n"+caps, protocol),
		s.refused("a wrong greeting and a right one", "", "hello\r\n+OK\r\n", protocol),
		s.refused("a greeting of IMAP that is signed in", "", "* PREAUTH ready\r\n", protocol),
		s.refused("a greeting that refuses and one that does not", "", "-ERR no\r\n+OK\r\n", protocol),
		s.refused("a greeting with an escape", "", "+OK \x1b[2J\x1b]0;owned\x07\r\n", t6Want{}),
		s.refused("a refusal with an escape", "", "-ERR \x1b[2J\x00\r\n", account(mail.ClassServer, mail.RetryLater, `x1b[2J`)),
		s.refused("a referral", "", "-ERR [REFERRAL pop://evil.example] go there\r\n", account(mail.ClassServer, mail.RetryLater, "")),
	}
	return append(cases, s.inside()...)
}

// inside are the cases of what the server says once it should be in TLS.
func (s t6TLS) inside() []t6Case {
	tlsFailed := t6Want{class: mail.ClassTLS, scope: mail.ScopeAccount}
	unknown := tlsFailed
	unknown.text = "unknown authority"

	evil := s.stls("P-9", "an unknown authority", unknown)
	evil.serve = func(server *mailtest.POP3Server) { server.TLS = s.evil }

	system := s.stls("P-9", "an authority that the system does not know", unknown)
	system.client = func(o *wire.Options) { o.Security = wire.StartTLS }

	implicit := s.stls("P-9", "TLS from the first byte", t6Want{})
	implicit.client = func(o *wire.Options) { o.Security, o.CAFile = wire.TLS, s.file }
	implicit.wrap = func(conn net.Conn) net.Conn { return tls.Server(conn, s.good) }

	plain := s.stls("EAST stls", "plain text where TLS should be", tlsFailed)
	plain.on = t6On("STLS", func(c *mailtest.POP3Talk) {
		c.Raw("+OK\r\n")
		c.Await()
		c.Answer("CAPA")
		c.HangUp()
	})

	early := s.stls("EAST stls", "a capability of before counts no more", t6Want{})
	seen := 0
	early.on = t6On("CAPA", func(c *mailtest.POP3Talk) {
		if seen++; seen == 1 {
			c.Raw("+OK\r\nSTLS\r\nSASL PLAIN\r\nPIPELINING\r\n.\r\n")
			return
		}
		c.Raw("+OK\r\nUSER\r\n.\r\n")
	})
	early.heard = func(server *mailtest.POP3Server) error { return t6Never(server, "AUTH") }

	again := s.stls("EAST stls", "announced again inside TLS", t6Want{})
	again.serve = func(server *mailtest.POP3Server) {
		server.TLS, server.Caps = s.good, []string{"STLS", "SASL PLAIN"}
	}
	return []t6Case{evil, system, implicit, plain, early, again}
}
