package main

import (
	"crypto/x509"
	"os"
	"os/exec"
	"testing"
)

// Where the system has no roots of certificates, those of the program are
// trusted. The system's are read once in a process, so that takes another one.
func TestRootsAreEmbedded(t *testing.T) {
	t.Parallel()
	const nowhere = "/nonexistent/roots"
	if os.Getenv("SSL_CERT_FILE") == nowhere {
		roots, err := x509.SystemCertPool()
		if err != nil || roots.Equal(x509.NewCertPool()) {
			t.Errorf("there are no roots (%v)", err)
		}
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRootsAreEmbedded$", "-test.v")
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+nowhere, "SSL_CERT_DIR="+nowhere)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
