package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

func mustAddrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// TestTLS opens connections to servers with good and bad certificates, once
// with implicit TLS and once with STARTTLS.
func TestTLS(t *testing.T) {
	t.Parallel()
	ours, theirs := mailtest.NewCA(t), mailtest.NewCA(t)
	oursFile := ours.File(t)
	cases := []struct {
		name   string
		host   string
		config *tls.Config
		hint   string // empty: it succeeds
	}{
		{"good", testHost, config(t, ours, nil), ""},
		{"wildcard", testHost, config(t, ours, func(c *x509.Certificate) { c.DNSNames = []string{"*.example.com"} }), ""},
		{"IP address", "192.0.2.7", config(t, ours, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP("192.0.2.7")} }), ""},
		{"IPv6 address", "2001:db8::7", config(t, ours, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP("2001:db8::7")} }), ""},
		{"expired", testHost, config(t, ours, func(c *x509.Certificate) {
			c.NotBefore = time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)
			c.NotAfter = time.Date(2021, 1, 2, 0, 0, 0, 0, time.UTC)
		}), "valid from 2020-01-02 to 2021-01-02"},
		{"not yet valid", testHost, config(t, ours, func(c *x509.Certificate) {
			c.NotBefore = time.Now().Add(24 * time.Hour)
			c.NotAfter = time.Now().Add(48 * time.Hour)
		}), "this machine's clock"},
		{"other host", "other.example.com", config(t, ours, nil), "but for imap.example.com"},
		{"other IP address", "192.0.2.8", config(t, ours, nil), "but for"},
		{"common name only", testHost, config(t, ours, func(c *x509.Certificate) { c.DNSNames = nil }), "no name at all"},
		{"unknown authority", testHost, config(t, theirs, nil), "mailtest authority"},
		{"TLS 1.1", testHost, func() *tls.Config {
			c := config(t, ours, nil)
			c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
			return c
		}(), "TLS version"},
	}
	for _, tc := range cases {
		for _, security := range []Security{TLS, StartTLS} {
			t.Run(tc.name+" "+string(security), func(t *testing.T) {
				t.Parallel()
				o, s := serve(t, func(s *script) { playTLS(s, tc.config, security) })
				o.Security, o.Host, o.CAFile = security, tc.host, oursFile
				var log bytes.Buffer
				o.Log = slog.New(slog.NewTextHandler(&log, nil))
				c, err := OpenIMAP(t.Context(), o)
				if tc.hint == "" {
					if err != nil {
						t.Fatal(err)
					}
					if !c.conn.Secure() || !c.Has("UIDPLUS") || c.Has("STARTTLS") {
						t.Errorf("secure %t, capabilities %v", c.conn.Secure(), c.Capabilities())
					}
					if c.LastText() != "quota" || !strings.Contains(log.String(), "text=quota") || strings.Contains(log.String(), "to me") {
						t.Errorf("the last text is %q, the log %q", c.LastText(), log.String())
					}
					_ = c.Close()
					return
				}
				wantError(t, err, mail.ClassTLS, mail.RetryLater)
				if hint := mail.ErrorHint(err); !strings.Contains(hint, tc.hint) {
					t.Errorf("hint %q does not say %q (%v)", hint, tc.hint, err)
				}
				wantNoCredentials(t, s.transcript())
			})
		}
	}
}

// playTLS announces things before TLS that must not be believed behind it.
func playTLS(s *script, config *tls.Config, security Security) {
	if security == StartTLS {
		s.say("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hello")
		s.want("STARTTLS")
		s.say("* NO [ALERT] send your password to me", "* CAPABILITY IMAP4rev1 LOGINDISABLED", "$ OK [CAPABILITY LOGINDISABLED] go on")
	}
	if !s.tls(config) {
		s.stall()
		return
	}
	if security == StartTLS {
		s.want("CAPABILITY")
		s.say("* CAPABILITY "+plainCaps, "$ OK")
	} else {
		s.say("* OK [CAPABILITY " + plainCaps + "] hello")
	}
	s.want("AUTHENTICATE PLAIN " + plainResponse())
	s.say("* OK [ALERT] quota", "$ OK [CAPABILITY IMAP4rev1 UIDPLUS] in")
	s.stall()
}

func TestCAFileMustLoad(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, filepath.Join(t.TempDir(), "missing.pem")} {
		for _, security := range []Security{TLS, StartTLS} {
			o, s := serve(t, func(s *script) { s.stall() })
			o.Security, o.CAFile = security, file
			_, err := OpenIMAP(t.Context(), o)
			wantError(t, err, mail.ClassConfig, mail.RetryNever)
			if got := s.transcript(); got != "" {
				t.Errorf("the server heard %q", got)
			}
		}
	}
}

func TestDialErrors(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		err   error
		class mail.Class
		hint  string
	}{
		{"no such host", &net.DNSError{Err: "no such host", Name: testHost, IsNotFound: true}, mail.ClassDNS, `no host "imap.example.com"`},
		{"name server", &net.DNSError{Err: "timeout", IsTimeout: true}, mail.ClassDNS, "name server"},
		{"refused", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, mail.ClassConnect, "imap.example.com:993"},
		{"unreachable", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}, mail.ClassConnect, "network"},
		{"time-out", &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, mail.ClassTimeout, "host and port"},
		{"other", errors.New("what"), mail.ClassConnect, ""},
	}
	for _, tc := range cases {
		o, _ := serve(t, func(*script) {})
		o.Security = TLS
		o.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, tc.err }
		_, err := OpenIMAP(t.Context(), o)
		wantError(t, err, tc.class, mail.RetryLater)
		if hint := mail.ErrorHint(err); !strings.Contains(hint, tc.hint) {
			t.Errorf("%s: hint %q does not say %q", tc.name, hint, tc.hint)
		}
		if !errors.Is(err, tc.err) {
			t.Errorf("%s: %v does not wrap its cause", tc.name, err)
		}
	}
}

func TestUnknownSecurity(t *testing.T) {
	t.Parallel()
	o, _ := serve(t, func(s *script) { s.stall() })
	o.Security = "ssl"
	_, err := OpenIMAP(t.Context(), o)
	wantError(t, err, mail.ClassConfig, mail.RetryNever)
}

func TestPorts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		protocol protocol
		security Security
		port     int
		want     string
	}{
		{protocolIMAP, "", 0, "h:993"},
		{protocolIMAP, StartTLS, 0, "h:143"},
		{protocolIMAP, None, 1143, "h:1143"},
		{protocolPOP3, TLS, 0, "h:995"},
		{protocolPOP3, StartTLS, 0, "h:110"},
	} {
		o := Options{Host: "h", Security: tc.security, Port: tc.port}
		if got := o.withDefaults(tc.protocol).address(); got != tc.want {
			t.Errorf("%s %s: got %s, want %s", tc.protocol, tc.security, got, tc.want)
		}
	}
}
