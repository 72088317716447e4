package mailtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificate is a server's certificate with its key, for crypto/tls and as
// PEM for servers that read files.
type Certificate struct {
	TLS     tls.Certificate
	CertPEM []byte
	KeyPEM  []byte
}

// ServerConfig returns what a TLS server of a test needs.
func (c Certificate) ServerConfig() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{c.TLS}}
}

// CA is a certificate authority of one test.
type CA struct {
	// PEM is the authority's certificate: what a ca_file holds.
	PEM []byte

	cert *x509.Certificate
	key  crypto.Signer
}

// The times are fixed and far away, so that a certificate is good, or has
// expired, also by the fake clock of testing/synctest, which begins in 2000.
func goodFrom() time.Time    { return time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC) }
func goodUntil() time.Time   { return time.Date(2049, 1, 1, 0, 0, 0, 0, time.UTC) }
func expiredFrom() time.Time { return time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC) }

// NewCA returns a new authority.
func NewCA(t testing.TB) *CA {
	t.Helper()
	template, key := authority(t, "mailtest authority"), newKey(t)
	cert := sign(t, template, template, key, key)
	return &CA{PEM: cert.CertPEM, cert: cert.TLS.Leaf, key: key}
}

// authority is what the certificate of an authority says.
func authority(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	template := certTemplate(t, name)
	template.IsCA = true
	template.ExtKeyUsage = nil
	template.KeyUsage |= x509.KeyUsageCertSign
	return template
}

// Pool returns a pool that trusts this authority and nobody else.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// File writes the authority's certificate to a file and returns its path.
func (ca *CA) File(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Issue returns a certificate like that of Good, but for what change does to
// it. A nil key has one made.
func (ca *CA) Issue(t testing.TB, key crypto.Signer, change func(*x509.Certificate)) Certificate {
	t.Helper()
	template := local(certTemplate(t, "localhost"))
	if change != nil {
		change(template)
	}
	if key == nil {
		key = newKey(t)
	}
	return sign(t, template, ca.cert, key, ca.key)
}

// Below returns an authority that this one stands for, if change leaves it
// one.
func (ca *CA) Below(t testing.TB, change func(*x509.Certificate)) *CA {
	t.Helper()
	template := authority(t, "mailtest authority below")
	if change != nil {
		change(template)
	}
	cert := sign(t, template, ca.cert, newKey(t), ca.key)
	return &CA{PEM: cert.CertPEM, cert: cert.TLS.Leaf, key: cert.TLS.PrivateKey.(crypto.Signer)}
}

// With returns the certificate with an authority's own behind it, as servers
// send it that know the way to their root.
func (c Certificate) With(ca *CA) Certificate {
	c.TLS.Certificate = append(c.TLS.Certificate[:1:1], ca.cert.Raw)
	return c
}

// Good returns a certificate for 127.0.0.1, ::1 and localhost.
func (ca *CA) Good(t testing.TB) Certificate {
	t.Helper()
	return ca.Issue(t, nil, nil)
}

// Expired returns a certificate for the same names that was good until 1999.
func (ca *CA) Expired(t testing.TB) Certificate {
	t.Helper()
	return ca.Issue(t, nil, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = expiredFrom(), goodFrom() })
}

// WrongHost returns a certificate for another host.
func (ca *CA) WrongHost(t testing.TB) Certificate {
	t.Helper()
	return ca.Issue(t, nil, func(c *x509.Certificate) {
		c.Subject.CommonName, c.DNSNames, c.IPAddresses = "other.example.com", []string{"other.example.com"}, nil
	})
}

// SelfSigned returns a certificate for the names of Good that no authority
// stands for.
func SelfSigned(t testing.TB) Certificate {
	t.Helper()
	template, key := local(certTemplate(t, "localhost")), newKey(t)
	return sign(t, template, template, key, key)
}

func certTemplate(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		t.Fatal(err)
	}
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             goodFrom(),
		NotAfter:              goodUntil(),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
}

func local(template *x509.Certificate) *x509.Certificate {
	template.DNSNames = []string{"localhost"}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	return template
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign has parentKey sign the certificate of key.
func sign(t testing.TB, template, parent *x509.Certificate, key, parentKey crypto.Signer) Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return Certificate{
		TLS:     tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf},
		CertPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		KeyPEM:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
}
