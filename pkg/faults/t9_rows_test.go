package faults

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// t9Makings are what the servers' certificates are made of, once for all.
type t9Makings struct {
	ours, theirs *mailtest.CA
	file         string // of ours
	key          crypto.Signer
	rsa1024      crypto.Signer
	rsa2048      crypto.Signer
	missing      string
	garbage      string
	empty        string
}

func newT9Makings(t testing.TB) *t9Makings {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	m := &t9Makings{ours: mailtest.NewCA(t), theirs: mailtest.NewCA(t), key: key, rsa1024: t9RSA(t, 1024), rsa2048: t9RSA(t, 2048)}
	m.file = m.ours.File(t)
	dir := t.TempDir()
	m.missing, m.garbage, m.empty = filepath.Join(dir, "missing.pem"), filepath.Join(dir, "garbage.pem"), filepath.Join(dir, "empty.pem")
	for path, text := range map[string]string{
		m.garbage: "-----BEGIN CERTIFICATE-----\nbm8gY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n", m.empty: "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func t9RSA(t testing.TB, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// t9Certificate is a cell but for its server, which has this configuration.
type t9Certificate struct {
	cell   t9Cell
	config *tls.Config
}

// t9Certificates are the certificates and versions.
func t9Certificates(t testing.TB, m *t9Makings) []t9Certificate {
	t.Helper()
	cert := func(change func(*x509.Certificate)) *tls.Config { return m.ours.Issue(t, m.key, change).ServerConfig() }
	dns := func(names ...string) *tls.Config {
		return cert(func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = names, nil })
	}
	ip := func(text string) *tls.Config {
		return cert(func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, []net.IP{net.ParseIP(text)} })
	}
	versions := func(low, high uint16) *tls.Config {
		c := cert(nil)
		c.MinVersion, c.MaxVersion = low, high
		return c
	}
	accepted := func(name, host string, config *tls.Config) t9Certificate {
		return t9Certificate{t9Cell{name: name, host: host}, config}
	}
	refused := func(name, host, hint string, config *tls.Config) t9Certificate {
		return t9Certificate{t9Cell{name: name, host: host, class: mail.ClassTLS, hint: hint}, config}
	}
	caFile := func(name, path string) t9Certificate {
		return t9Certificate{t9Cell{name: name, caFile: path, class: mail.ClassConfig, hint: path}, cert(nil)}
	}
	rows := []t9Certificate{
		accepted("valid", "", cert(nil)),
		accepted("TLS 1.2", "", versions(tls.VersionTLS12, tls.VersionTLS12)),
		accepted("TLS 1.3", "", versions(tls.VersionTLS13, tls.VersionTLS13)),
		accepted("RSA-2048", "", m.ours.Issue(t, m.rsa2048, nil).ServerConfig()),
		accepted("IPv4 address", "192.0.2.7", ip("192.0.2.7")),
		accepted("IPv6 address", "2001:db8::7", ip("2001:db8::7")),
		accepted("wildcard", "imap.example.com", dns("*.example.com")),
		accepted("name in other case", "IMAP.Example.COM", dns("imap.example.com")),
		refused("expired", "", "valid from 1990-01-01 to 1999-01-01", m.ours.Expired(t).ServerConfig()),
		refused("not yet valid", "", "this machine's clock", cert(func(c *x509.Certificate) { c.NotBefore = t9Tomorrow() })),
		refused("wrong host", "", "other.example.com", m.ours.WrongHost(t).ServerConfig()),
		refused("self-signed", "", "ca_file", mailtest.SelfSigned(t).ServerConfig()),
		refused("unknown authority", "", "mailtest authority", m.theirs.Good(t).ServerConfig()),
		refused("authority of the same name", "", "ca_file", m.theirs.Issue(t, m.key, nil).With(m.ours).ServerConfig()),
		refused("common name only", "localhost", "no name at all", dns()),
		refused("NUL in the name", "imap.example.com", "imap.example.com", dns("imap.example.com\x00.evil.example")),
		refused("NUL in the common name", "imap.example.com", "no name at all", cert(func(c *x509.Certificate) {
			c.Subject.CommonName, c.DNSNames, c.IPAddresses = "imap.example.com\x00.evil.example", nil, nil
		})),
		refused("wrong IP address", "192.0.2.8", "192.0.2.7", ip("192.0.2.7")),
		refused("IP address as a name", "192.0.2.7", "192.0.2.7", dns("192.0.2.7")),
		refused("wildcard over two levels", "a.b.example.com", "*.example.com", dns("*.example.com")),
		refused("wildcard for the bare domain", "example.com", "*.example.com", dns("*.example.com")),
		refused("wildcard within a name", "imap.example.com", "im*.example.com", dns("im*.example.com")),
		refused("wildcard for everything", "example.com", "*", dns("*")),
		refused("TLS 1.0 only", "", "TLS version", versions(tls.VersionTLS10, tls.VersionTLS10)),
		refused("TLS 1.1 only", "", "TLS version", versions(tls.VersionTLS11, tls.VersionTLS11)),
		refused("RSA-1024", "", "too short", m.ours.Issue(t, m.rsa1024, nil).ServerConfig()),
		refused("SHA-1 signature", "", "", cert(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })),
		refused("for clients only", "", "", cert(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })),
		caFile("CA file is missing", m.missing),
		caFile("CA file is garbage", m.garbage),
		caFile("CA file is empty", m.empty),
	}
	return append(rows, t9Chains(t, m, accepted, refused)...)
}

// t9Tomorrow is not yet for the fake clock, which begins in the year 2000.
func t9Tomorrow() time.Time { return time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC) }

// t9Chains are certificates with others between them and the authority, and
// servers that ask for one or have none.
func t9Chains(t testing.TB, m *t9Makings, accepted func(string, string, *tls.Config) t9Certificate,
	refused func(string, string, string, *tls.Config) t9Certificate) []t9Certificate {
	t.Helper()
	below := m.ours.Below(t, nil)
	none := m.ours.Below(t, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature })
	expired := m.ours.Below(t, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = c.NotBefore.AddDate(-9, 0, 0), c.NotBefore })
	demanding := m.ours.Good(t).ServerConfig()
	demanding.ClientAuth, demanding.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12
	demanding13 := m.ours.Good(t).ServerConfig()
	demanding13.ClientAuth, demanding13.MinVersion = tls.RequireAnyClientCert, tls.VersionTLS13
	noChain := m.ours.Good(t)
	noChain.TLS.Certificate, noChain.TLS.Leaf = nil, nil
	return []t9Certificate{
		accepted("authority between", "", below.Good(t).With(below).ServerConfig()),
		refused("authority between is missing", "", "ca_file", below.Good(t).ServerConfig()),
		refused("issuer is no authority", "", "", none.Good(t).With(none).ServerConfig()),
		refused("issuer expired", "", "", expired.Good(t).With(expired).ServerConfig()),
		refused("client certificate demanded", "", "client certificate", demanding),
		refused("client certificate demanded, TLS 1.3", "", "client certificate", demanding13),
		refused("no certificate", "", "", noChain.ServerConfig()),
	}
}
