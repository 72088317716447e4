package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/signin"
)

// failure makes the one error that leaves this package out of whatever ended
// a connection. step is a word such as "connect" or "sign in". An error that
// is a *mail.Error already stays as it is.
func (o Options) failure(p protocol, step string, err error) error {
	var classified *mail.Error
	if err == nil || errors.As(err, &classified) {
		return err
	}
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("the server closed the connection: %w", err)
	}
	v := o.judge(err)
	if v.class == mail.ClassProtocol && v.hint == "" && isBeginning(step) {
		v.hint = fmt.Sprintf("what listens on %s does not speak %s as it should; check host, port and security", o.address(), strings.ToUpper(string(p)))
	}
	return &mail.Error{
		Op:    string(p) + " " + step,
		Scope: mail.ScopeAccount,
		Class: v.class,
		Retry: v.retry,
		Hint:  v.hint,
		Err:   &safeError{err},
	}
}

// isBeginning reports whether a step comes before the first sign of a server
// that speaks the protocol over the right kind of connection.
func isBeginning(step string) bool {
	switch step {
	case "connect", "greeting", "stls", "tls":
		return true
	}
	return false
}

// safeError shows an error that can hold text of a server's, such as the
// names in its certificate.
type safeError struct{ err error }

func (e *safeError) Error() string { return Text(e.err.Error()) }
func (e *safeError) Unwrap() error { return e.err }

// verdict is what is known about an error.
type verdict struct {
	class mail.Class
	retry mail.Retry
	hint  string
}

// judge says what kind of error it is and what a person can do about it.
func (o Options) judge(err error) verdict {
	for _, judge := range []func(error) (verdict, bool){
		o.judgeLocal, o.judgeTLS, o.judgeNetwork, judgeHandshake,
	} {
		if v, ok := judge(err); ok {
			return v
		}
	}
	return verdict{class: mail.ClassConnect}
}

// judgeLocal knows the errors that are ours or the configuration's.
func (o Options) judgeLocal(err error) (verdict, bool) {
	var ca *caError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed):
		return verdict{class: mail.ClassLocal}, true
	case errors.As(err, &ca):
		return verdict{mail.ClassConfig, mail.RetryNever,
			fmt.Sprintf("write under ca_file the path of a readable PEM file with certificates; %q is none", o.CAFile)}, true
	case errors.Is(err, errSecurity):
		return verdict{mail.ClassConfig, mail.RetryNever, "set security to tls, starttls or none"}, true
	case errors.Is(err, errPlaintext):
		return verdict{mail.ClassConfig, mail.RetryNever,
			"set security to tls or starttls; only where everybody on the way may read the password, set allow_plaintext"}, true
	case errors.Is(err, signin.ErrEmpty), errors.Is(err, signin.ErrUnsendable):
		return verdict{mail.ClassConfig, mail.RetryNever, "check username and what the configuration names under password"}, true
	}
	return verdict{}, false
}

// judgeTLS knows what can be wrong with a certificate or a handshake. Such an
// error can pass without a change on this side, so it is tried again.
func (o Options) judgeTLS(err error) (verdict, bool) {
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		record   tls.RecordHeaderError
		alert    *net.OpError // its Op tells who broke off
		verify   *tls.CertificateVerificationError
	)
	hint := ""
	switch {
	case errors.Is(err, errNoStartTLS):
		hint = fmt.Sprintf("%s offers no encryption; set security to tls, and port to the one for TLS if you named another", o.address())
	case errors.Is(err, errPreauth):
		hint = "somebody on the way may be listening in; set security to tls"
	case errors.As(err, &record) && o.Security == StartTLS:
		hint = "the server agreed to encrypt and then did not; somebody on the way may be tampering with the connection, so try security tls"
	case errors.As(err, &record):
		hint = fmt.Sprintf("%s does not begin with TLS; set port to the one that does, or set security to starttls", o.address())
	case errors.As(err, &hostname):
		hint = fmt.Sprintf("the certificate is not for %q but for %s; write under host the name that the server goes by", o.Host, certNames(hostname.Certificate))
	case errors.As(err, &unknown):
		hint = fmt.Sprintf("nobody on this machine trusts %q, who issued the certificate of %q; if it is your own, name its file under ca_file", issuer(unknown.Cert), o.Host)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		hint = o.expiredHint(invalid.Cert)
	case errors.As(err, &alert) && (alert.Op == "remote error" || alert.Op == "local error"):
		hint = "the handshake was broken off; the server may know no TLS version from 1.2 on, or want a client certificate, which mailpull has none to give"
	case errors.Is(err, errWeakKey):
		hint = fmt.Sprintf("the key of %q is too short to be trusted; whoever runs the server has to make a new one of 2048 bits or more", o.Host)
	case errors.As(err, &verify), errors.As(err, &invalid):
		hint = fmt.Sprintf("the certificate of %q cannot be verified; ask whoever runs the server", o.Host)
	default:
		return verdict{}, false
	}
	return verdict{class: mail.ClassTLS, hint: hint}, true
}

// judgeNetwork knows what the network says.
func (o Options) judgeNetwork(err error) (verdict, bool) {
	var dns *net.DNSError
	is := func(targets ...error) bool {
		for _, target := range targets {
			if errors.Is(err, target) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return verdict{class: mail.ClassDNS, hint: fmt.Sprintf("there is no host %q; check how it is spelled", o.Host)}, true
	case errors.As(err, &dns):
		return verdict{class: mail.ClassDNS, hint: "the name server gave no answer; check this machine's network"}, true
	case is(syscall.ECONNREFUSED):
		return verdict{class: mail.ClassConnect, hint: fmt.Sprintf("nothing listens on %s; check host, port and security, or whether the server is up", o.address())}, true
	case is(syscall.ENETUNREACH, syscall.EHOSTUNREACH):
		return verdict{class: mail.ClassConnect, hint: "the host cannot be reached; check this machine's network"}, true
	case is(ErrTimeout, context.DeadlineExceeded, os.ErrDeadlineExceeded, syscall.ETIMEDOUT):
		return verdict{class: mail.ClassTimeout, hint: o.timeoutHint()}, true
	case is(errInjected):
		return verdict{class: mail.ClassProtocol, hint: "somebody on the way may be tampering with the connection; set security to tls"}, true
	case is(ErrProtocol, ErrTooMuch):
		return verdict{class: mail.ClassProtocol}, true
	case is(io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE):
		return verdict{class: mail.ClassConnect}, true
	}
	return verdict{}, false
}

// judgeHandshake knows what is left of the errors of a handshake.
func judgeHandshake(err error) (verdict, bool) {
	_, ok := errors.AsType[*handshakeError](err)
	return verdict{class: mail.ClassTLS, hint: "the server does not do TLS as it should; ask whoever runs it"}, ok
}

func (o Options) timeoutHint() string {
	if o.Security == TLS {
		return "the server does not answer; check host and port, and mind that a port which waits for STARTTLS looks like this too"
	}
	return "the server does not answer; check host and port, and mind that a port for TLS looks like this too without security tls"
}

func (o Options) expiredHint(cert *x509.Certificate) string {
	if cert == nil {
		return fmt.Sprintf("the certificate of %q is not valid today; check this machine's clock", o.Host)
	}
	const day = time.DateOnly
	return fmt.Sprintf("the certificate of %q is valid from %s to %s; check this machine's clock, or ask whoever runs the server",
		o.Host, cert.NotBefore.UTC().Format(day), cert.NotAfter.UTC().Format(day))
}

func issuer(cert *x509.Certificate) string {
	if cert == nil {
		return ""
	}
	return Text(cert.Issuer.String())
}

// certNames lists what a certificate is made out to.
func certNames(cert *x509.Certificate) string {
	if cert == nil {
		return "something else"
	}
	names := append([]string(nil), cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no name at all"
	}
	return Text(strings.Join(names, ", "))
}
