package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// counted is what was told of connections.
type counted struct {
	mu                sync.Mutex
	connected, closed int
	certificates      []time.Time
}

func (c *counted) Connected() { c.add(func() { c.connected++ }) }
func (c *counted) Closed()    { c.add(func() { c.closed++ }) }

func (c *counted) Certificate(notAfter time.Time) {
	c.add(func() { c.certificates = append(c.certificates, notAfter) })
}

func (c *counted) add(fn func()) {
	c.mu.Lock()
	fn()
	c.mu.Unlock()
}

// check compares with what must have been told once all is at rest.
func (c *counted) check(t *testing.T, connected, closed, certificates int) {
	t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.connected != connected || c.closed != closed || len(c.certificates) != certificates {
		t.Errorf("told of %d connections, %d ends and %d certificates; want %d, %d and %d",
			c.connected, c.closed, len(c.certificates), connected, closed, certificates)
	}
}

// eventsCase is one way for a connection to begin.
type eventsCase struct {
	name     string
	security Security
	play     func(s *script, config *tls.Config, cancel func())
	change   func(*x509.Certificate)
	options  func(*Options)

	class        mail.Class // empty: it opens
	connected    int
	certificates int
}

// imapOverTLS is a server that begins with TLS and gives an answer to the
// sign-in. It hangs up on a client that does not like its certificate.
func imapOverTLS(answer string) func(*script, *tls.Config, func()) {
	return func(s *script, config *tls.Config, _ func()) {
		if !s.tls(config) {
			return
		}
		s.say("* OK [CAPABILITY " + plainCaps + "] hello")
		s.want("AUTHENTICATE PLAIN " + plainResponse())
		s.say(answer)
		s.stall()
	}
}

func imapEvents() []eventsCase {
	const in = "$ OK [CAPABILITY IMAP4rev1] in"
	expired := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) }
	starttls := func(s *script, config *tls.Config, _ func()) { playTLS(s, config, StartTLS) }
	return []eventsCase{
		{name: "TLS", security: TLS, play: imapOverTLS(in), connected: 1, certificates: 1},
		{name: "STARTTLS", security: StartTLS, play: starttls, connected: 1, certificates: 1},
		{name: "plain text", security: None, connected: 1, play: func(s *script, _ *tls.Config, _ func()) {
			signedIn(s, "IMAP4rev1")
			s.stall()
		}},
		{name: "sign-in refused", security: TLS, play: imapOverTLS("$ NO wrong"), class: mail.ClassAuth, connected: 1, certificates: 1},
		{name: "TLS, expired", security: TLS, play: imapOverTLS(in), change: expired, class: mail.ClassTLS, connected: 1},
		{name: "STARTTLS, expired", security: StartTLS, play: starttls, change: expired, class: mail.ClassTLS, connected: 1},
		{name: "hangs up in the handshake", security: TLS, play: func(s *script, _ *tls.Config, _ func()) { s.line() }, class: mail.ClassConnect, connected: 1},
		{name: "ctx ends in the handshake", security: TLS, class: mail.ClassLocal, connected: 1, play: func(s *script, _ *tls.Config, cancel func()) {
			cancel()
			s.stall()
		}},
		{name: "ctx ends at sign-in", security: None, class: mail.ClassLocal, connected: 1, play: func(s *script, _ *tls.Config, cancel func()) {
			s.say("* OK [CAPABILITY " + plainCaps + "] hello")
			s.line()
			cancel()
			s.stall()
		}},
		{name: "silent", security: None, class: mail.ClassTimeout, connected: 1, play: func(s *script, _ *tls.Config, _ func()) { s.stall() }},
		{name: "plain text that is not permitted", security: None, class: mail.ClassConfig, connected: 1,
			options: func(o *Options) { o.AllowPlaintext = false },
			play:    func(s *script, _ *tls.Config, _ func()) { s.stall() }},
		{name: "no connection", security: TLS, class: mail.ClassConnect, options: func(o *Options) {
			o.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no way") }
		}},
	}
}

func pop3Events() []eventsCase {
	in := append(append(pop3Capa("SASL PLAIN"), authPlain()...), "+OK in")
	stls := func(s *script, config *tls.Config, _ func()) {
		if talk(s, append(pop3Capa("STLS"), "C: STLS", "+OK go on")...) && s.tls(config) && talk(s, in[1:]...) {
			s.stall()
		}
	}
	foreign := func(c *x509.Certificate) { c.DNSNames = []string{"other.example.com"} }
	return []eventsCase{
		{name: "STLS", security: StartTLS, play: stls, connected: 1, certificates: 1},
		{name: "STLS, other host", security: StartTLS, play: stls, change: foreign, class: mail.ClassTLS, connected: 1},
		{name: "TLS", security: TLS, connected: 1, certificates: 1, play: func(s *script, config *tls.Config, _ func()) {
			if s.tls(config) && talk(s, in...) {
				s.stall()
			}
		}},
		{name: "sign-in refused", security: None, class: mail.ClassAuth, connected: 1, play: func(s *script, _ *tls.Config, _ func()) {
			talk(s, append(append(pop3Capa("SASL PLAIN"), authPlain()...), "-ERR wrong")...)
			s.stall()
		}},
		{name: "ctx ends at sign-in", security: None, class: mail.ClassLocal, connected: 1, play: func(s *script, _ *tls.Config, cancel func()) {
			talk(s, "+OK hello", "C: CAPA")
			cancel()
			s.stall()
		}},
	}
}

// Each connection that was made is closed once, however it went, and a
// certificate counts only when it was verified.
func TestEvents(t *testing.T) {
	t.Parallel()
	for _, c := range imapEvents() {
		t.Run("imap "+c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c.run(t, func(ctx context.Context, o Options) (func() error, error) {
					conn, err := OpenIMAP(ctx, o)
					if err != nil {
						return nil, err
					}
					return conn.Close, nil
				})
			})
		})
	}
	for _, c := range pop3Events() {
		t.Run("pop3 "+c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c.run(t, func(ctx context.Context, o Options) (func() error, error) {
					conn, err := OpenPOP3(ctx, o)
					if err != nil {
						return nil, err
					}
					return conn.Close, nil
				})
			})
		})
	}
}

func (c eventsCase) run(t *testing.T, open func(context.Context, Options) (func() error, error)) {
	ca := mailtest.NewCA(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var notAfter time.Time
	server := config(t, ca, func(cert *x509.Certificate) {
		if c.change != nil {
			c.change(cert)
		}
		notAfter = cert.NotAfter
	})
	o, _ := serve(t, func(s *script) { c.play(s, server, cancel) })
	told := &counted{}
	o.Security, o.Events = c.security, told
	if c.security != None {
		o.CAFile = ca.File(t)
	}
	if c.options != nil {
		c.options(&o)
	}
	closeIt, err := open(ctx, o)
	if c.class != "" {
		if mail.ErrorClass(err) != c.class || err == nil {
			t.Errorf("got %v of class %s, want %s", err, mail.ErrorClass(err), c.class)
		}
		told.check(t, c.connected, c.connected, c.certificates)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	told.check(t, c.connected, 0, c.certificates)
	for range 2 {
		_ = closeIt()
		told.check(t, c.connected, c.connected, c.certificates)
	}
	if c.certificates == 1 && !told.certificates[0].Equal(notAfter.Truncate(time.Second)) {
		t.Errorf("the certificate is good until %s, want %s", told.certificates[0], notAfter)
	}
}
