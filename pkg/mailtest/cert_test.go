package mailtest

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
)

func TestCertificatesAreWhatTheySay(t *testing.T) {
	t.Parallel()
	ca := NewCA(t)
	for _, test := range []struct {
		name string
		cert Certificate
		good bool
	}{
		{"good", ca.Good(t), true},
		{"expired", ca.Expired(t), false},
		{"wrong host", ca.WrongHost(t), false},
		{"self-signed", SelfSigned(t), false},
		{"of another authority", NewCA(t).Good(t), false},
	} {
		for _, host := range []string{"127.0.0.1", "::1", "localhost"} {
			_, err := test.cert.TLS.Leaf.Verify(x509.VerifyOptions{
				DNSName: host, Roots: ca.Pool(), CurrentTime: goodFrom().AddDate(20, 0, 0),
			})
			if (err == nil) != test.good {
				t.Errorf("%s for %s: got %v", test.name, host, err)
			}
		}
	}
}

func TestCertificatePEMIsThePair(t *testing.T) {
	t.Parallel()
	cert := NewCA(t).Good(t)
	pair, err := tls.X509KeyPair(cert.CertPEM, cert.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	if !pair.Leaf.Equal(cert.TLS.Leaf) {
		t.Error("the PEM holds another certificate")
	}
}
