package faults

import (
	"crypto/tls"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"mailpull/pkg/config"
	"mailpull/pkg/mailtest"
)

// l3Host is one of the five fake servers: a protocol, a way of protection, and
// what befalls all accounts on it at the same time. Each account has a port of
// its own on it.
type l3Host struct {
	name     string
	protocol config.Protocol
	security config.Security
	caps     string

	good, bad []tls.Certificate
	cert      atomic.Pointer[tls.Certificate]
	refusing  atomic.Bool // nobody may sign in
	calm      *atomic.Bool
	tally     *l3Tally
}

// l3Hosts are the five servers.
func l3Hosts(t *testing.T, ca *mailtest.CA, calm *atomic.Bool, tally *l3Tally) []*l3Host {
	const rich = "ESEARCH LIST-STATUS AUTH=PLAIN SASL-IR ID"
	hosts := []*l3Host{
		{name: "imap-tls", protocol: config.IMAP, security: config.TLS, caps: rich},
		{name: "imap-starttls", protocol: config.IMAP, security: config.StartTLS},
		{name: "imap-plain", protocol: config.IMAP, security: config.None, caps: rich},
		{name: "pop3-tls", protocol: config.POP3, security: config.TLS},
		{name: "pop3-stls", protocol: config.POP3, security: config.StartTLS},
	}
	for _, h := range hosts {
		h.calm, h.tally = calm, tally
		h.good = []tls.Certificate{ca.Good(t).TLS, ca.Good(t).TLS}
		h.bad = []tls.Certificate{ca.Expired(t).TLS, ca.WrongHost(t).TLS, mailtest.SelfSigned(t).TLS}
		h.cert.Store(&h.good[0])
	}
	return hosts
}

// tls returns the host's configuration, whose certificate changes.
func (h *l3Host) tls() *tls.Config {
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return h.cert.Load(), nil }}
}

// renew changes the certificate: to one that must be refused, or to a new good
// one.
func (h *l3Host) renew(n int, bad bool) {
	if h.security == config.None {
		return
	}
	of := h.good
	if bad {
		of = h.bad
		h.tally.certificates.Add(1)
	}
	h.cert.Store(&of[n%len(of)])
}

// refuses reports whether a sign-in is refused now, and counts it.
func (h *l3Host) refuses() bool {
	if !h.refusing.Load() || h.calm.Load() {
		return false
	}
	h.tally.refused.Add(1)
	return true
}

// imap returns a server with no mailboxes yet. It calls fetched when a client
// asks for bodies.
func (h *l3Host) imap(fetched func()) *mailtest.IMAPServer {
	s := &mailtest.IMAPServer{Caps: h.caps, Username: username, Password: password}
	if h.security == config.StartTLS {
		s.TLS = h.tls()
	}
	s.On = func(c *mailtest.IMAPTalk, tag, command string) bool {
		if strings.HasPrefix(command, "UID FETCH") {
			fetched()
		}
		verb, _, _ := strings.Cut(command, " ")
		if verb != "LOGIN" && verb != "AUTHENTICATE" || !h.refuses() {
			return false
		}
		c.Printf("%s NO [AUTHENTICATIONFAILED] not now", tag)
		return true
	}
	return s
}

// pop3 returns a server with no messages yet. It calls fetched when a client
// asks for a body.
func (h *l3Host) pop3(fetched func()) *mailtest.POP3Server {
	s := &mailtest.POP3Server{Username: username, Password: password}
	if h.security == config.StartTLS {
		s.TLS = h.tls()
	}
	s.On = func(c *mailtest.POP3Talk, command string) bool {
		verb, _, _ := strings.Cut(command, " ")
		if verb == "RETR" {
			fetched()
		}
		if verb != "PASS" && verb != "AUTH" || !h.refuses() {
			return false
		}
		c.Printf("-ERR [AUTH] not now\r\n")
		return true
	}
	return s
}

// String names the host.
func (h *l3Host) String() string { return fmt.Sprintf("%s (%s, %s)", h.name, h.protocol, h.security) }
