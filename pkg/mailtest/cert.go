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
	template := certTemplate(t, "mailtest authority")
	template.IsCA = true
	template.KeyUsage |= x509.KeyUsageCertSign
	cert, key := sign(t, template, template, nil)
	return &CA{PEM: cert.CertPEM, cert: cert.TLS.Leaf, key: key}
}

// Pool returns a pool that trusts this authority and nobody else.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// Good returns a certificate for 127.0.0.1, ::1 and localhost.
func (ca *CA) Good(t testing.TB) Certificate {
	t.Helper()
	return ca.issue(t, local(certTemplate(t, "localhost")))
}

// Expired returns a certificate for the same names that was good until 1999.
func (ca *CA) Expired(t testing.TB) Certificate {
	t.Helper()
	template := local(certTemplate(t, "localhost"))
	template.NotBefore, template.NotAfter = expiredFrom(), goodFrom()
	return ca.issue(t, template)
}

// WrongHost returns a certificate for another host.
func (ca *CA) WrongHost(t testing.TB) Certificate {
	t.Helper()
	template := certTemplate(t, "other.example.com")
	template.DNSNames = []string{"other.example.com"}
	return ca.issue(t, template)
}

// SelfSigned returns a certificate for the names of Good that no authority
// stands for.
func SelfSigned(t testing.TB) Certificate {
	t.Helper()
	template := local(certTemplate(t, "localhost"))
	cert, _ := sign(t, template, template, nil)
	return cert
}

func (ca *CA) issue(t testing.TB, template *x509.Certificate) Certificate {
	t.Helper()
	cert, _ := sign(t, template, ca.cert, ca.key)
	return cert
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

// sign makes a key and has parentKey sign its certificate; without a
// parentKey it signs itself.
func sign(t testing.TB, template, parent *x509.Certificate, parentKey crypto.Signer) (Certificate, crypto.Signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if parentKey == nil {
		parentKey = key
	}
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
	}, key
}
