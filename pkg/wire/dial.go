package wire

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"

	"mailpull/pkg/signin"
)

// Options says where and how to connect, and as whom. It is never changed
// here and may be used for any number of connections.
type Options struct {
	// Host is a name or an IP address without brackets. The server's
	// certificate must be made out to it.
	Host string

	// Port is the TCP port; 0 means the protocol's port for Security.
	Port int

	// Security is how the connection is protected; empty means TLS.
	Security Security

	// AllowPlaintext permits Security None to another host than this one: the
	// password then crosses the network for everyone to read.
	AllowPlaintext bool

	// CAFile names a PEM file with the only authorities to trust; empty means
	// the system's. A file that cannot be used is an error, never ignored.
	CAFile string

	// Dial makes the TCP connection, for a proxy or a test; nil means
	// net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	Login    signin.Login
	Compress Compression // of IMAP; empty means CompressAuto
	Limits   Limits
	Counters *Counters    // nil: nobody counts
	Events   Events       // nil: nobody watches
	Paces    []*Pace      // limits of what is read, all of which hold; nil ones are none
	Log      *slog.Logger // nil: nothing is logged
}

// Errors of opening a connection. They come wrapped in a *mail.Error.
var (
	errPlaintext = errors.New("the connection is not encrypted and leaves this machine")
	errSecurity  = errors.New("no such security")
	errNoCerts   = errors.New("no certificate in the file")
	errWeakKey   = fmt.Errorf("the server's certificate, or an authority behind it, has an RSA key of less than %d bits", minRSA)
)

// protocol is what differs between IMAP and POP3 when connecting. Its text is
// the first word of every Op.
type protocol string

const (
	protocolIMAP protocol = "imap"
	protocolPOP3 protocol = "pop3"
)

// port returns the port that goes with the security (RFC 8314 section 7.3,
// RFC 9051 section 2.1, RFC 1939 section 3).
func (p protocol) port(security Security) int {
	implicit := security == TLS
	switch {
	case p == protocolIMAP && implicit:
		return 993
	case p == protocolIMAP:
		return 143
	case implicit:
		return 995
	}
	return 110
}

// withDefaults fills in what the zero value leaves open.
func (o Options) withDefaults(p protocol) Options {
	setDefault(&o.Security, TLS)
	o.Limits = o.Limits.WithDefaults()
	if o.Port == 0 {
		o.Port = p.port(o.Security)
	}
	if o.Counters == nil {
		o.Counters = &Counters{}
	}
	if o.Events == nil {
		o.Events = silent{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	return o
}

// opening bounds everything from connecting to the end of sign-in by one
// budget, and by ctx.
func (o Options) opening(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, o.Limits.Open, ErrTimeout)
}

// dial connects and, for Security TLS, shakes hands. No byte was read from the
// plain connection then. With Security None it makes sure that plain text is
// permitted. The options must have their defaults; ctx is that of opening.
// The caller closes the connection; its errors are classified by failure.
func (o Options) dial(ctx context.Context) (*Conn, error) {
	config, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	raw, err := o.Dial(ctx, "tcp", o.address())
	if err != nil {
		return nil, causeOf(ctx, err)
	}
	conn := newConn(report(raw, o.Events), o.Limits, o.Counters)
	conn.paces = slices.DeleteFunc(slices.Clone(o.Paces), func(p *Pace) bool { return p == nil })
	if o.Security == None && !o.plaintextAllowed(raw.RemoteAddr()) {
		_ = conn.Close() // nothing was said on it
		return nil, errPlaintext
	}
	if o.Security == TLS {
		if err := conn.upgrade(ctx, config, o.Events); err != nil {
			return nil, err
		}
	}
	return conn, nil
}

// startTLS turns the plain connection into an encrypted one, after the server
// agreed to STARTTLS or STLS. buffered is how many bytes of the plain
// connection were read and not used: there must be none, because they would
// be taken for the server's words although anybody on the way can have put
// them there.
func (o Options) startTLS(ctx context.Context, conn *Conn, buffered int) error {
	if buffered > 0 {
		return conn.fail(errInjected)
	}
	config, err := o.tlsConfig()
	if err != nil {
		return conn.fail(err)
	}
	return conn.upgrade(ctx, config, o.Events)
}

func (o Options) address() string { return net.JoinHostPort(o.Host, strconv.Itoa(o.Port)) }

// tlsConfig returns nil for Security None. Nothing in it is shared between
// connections: a session resumed under other rules would not be verified anew.
func (o Options) tlsConfig() (*tls.Config, error) {
	switch o.Security {
	case None:
		return nil, nil
	case TLS, StartTLS:
	default:
		return nil, fmt.Errorf("%w: %q", errSecurity, string(o.Security))
	}
	config := &tls.Config{ServerName: o.Host, MinVersion: tls.VersionTLS12, VerifyConnection: needStrongKeys}
	if o.CAFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, &caError{err}
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, &caError{&os.PathError{Op: "parse", Path: o.CAFile, Err: errNoCerts}}
	}
	return config, nil
}

// minRSA is the least size of an RSA key that is believed. Whoever can compute
// can pass for the owner of a shorter one.
const minRSA = 2048

// needStrongKeys refuses a verified server when each way from its certificate
// to an authority has a key that is too short.
func needStrongKeys(state tls.ConnectionState) error {
	for _, chain := range state.VerifiedChains {
		if !slices.ContainsFunc(chain, isWeak) {
			return nil
		}
	}
	return errWeakKey
}

func isWeak(cert *x509.Certificate) bool {
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() < minRSA
}

// handshakeError marks an error of a handshake. crypto/tls has no type for most
// of them.
type handshakeError struct{ error }

func (e *handshakeError) Unwrap() error { return e.error }

// caError marks an error in loading the CA file.
type caError struct{ error }

func (e *caError) Unwrap() error { return e.error }

// plaintextAllowed decides on the address that was really reached, and not on
// a name, which may resolve to anything. A Dial of the caller's may lead
// through a proxy on this machine, so then the host itself must be this
// machine, too.
func (o Options) plaintextAllowed(remote net.Addr) bool {
	if o.AllowPlaintext {
		return true
	}
	addr, err := netip.ParseAddrPort(remote.String())
	if err != nil || !addr.Addr().Unmap().IsLoopback() {
		return false
	}
	host, err := netip.ParseAddr(o.Host)
	return o.Host == "localhost" || err == nil && host.Unmap().IsLoopback()
}

// upgrade puts TLS over the connection and verifies the server. It is called
// before anything else uses the connection, by the goroutine that opens it.
func (c *Conn) upgrade(ctx context.Context, config *tls.Config, events Events) error {
	conn := tls.Client(c.Conn, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return c.fail(&handshakeError{causeOf(ctx, err)})
	}
	events.Certificate(conn.ConnectionState().PeerCertificates[0].NotAfter)
	c.mu.Lock()
	c.Conn = conn
	c.mu.Unlock()
	return nil
}

// Secure reports whether the connection is encrypted and its server verified.
func (c *Conn) Secure() bool {
	conn, ok := c.Conn.(*tls.Conn)
	return ok && conn.ConnectionState().HandshakeComplete
}

// causeOf returns why ctx ended, if it did, and else err.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
