package mailtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// Prometheus is a real one that scrapes a program in each second and knows the
// alerts of deploy/prometheus.
type Prometheus struct {
	t       testing.TB
	address string
}

// waits are the lines that have an alert wait before it fires.
const waits = `(?m)^ +for: .*\n`

// StartPrometheus runs it until the test ends, with the files of folder, which is
// deploy/prometheus. That its alerts wait is taken out. target is a host and a
// port. Without MAILPULL_REAL=1 the test is skipped.
func StartPrometheus(t testing.TB, folder, target string) *Prometheus {
	t.Helper()
	program := RealProgram(t, "prometheus")
	dir := t.TempDir()
	rules := regexp.MustCompile(waits).ReplaceAllString(readFile(t, filepath.Join(folder, "alerts.yaml")), "")
	config := strings.NewReplacer("127.0.0.1:9723", target, "30s", "1s").Replace(readFile(t, filepath.Join(folder, "prometheus.yml")))
	for name, text := range map[string]string{"alerts.yaml": rules, "prometheus.yml": config} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &Prometheus{t: t, address: freeAddress(t)}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+p.address)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s", text)
		}
		_ = log.Close()
	})
	return p
}

// RealProgram looks for a program that the real thing needs. Without
// MAILPULL_REAL=1 the test is skipped.
func RealProgram(t testing.TB, program string) string {
	t.Helper()
	if os.Getenv("MAILPULL_REAL") != "1" {
		t.Skipf("SKIPPED: MAILPULL_REAL=1 asks %s", program)
	}
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%v; scripts/install-real.sh or scripts/install-dovecot.sh installs it", err)
	}
	return path
}

// Wait waits until the alerts that fire, sorted, are as they should be.
func (p *Prometheus) Wait(patience time.Duration, so func(firing []string) bool) {
	p.t.Helper()
	over := time.After(patience)
	for {
		firing, err := p.firing(p.t.Context())
		if err == nil && so(firing) {
			return
		}
		select {
		case <-over:
			p.t.Fatalf("after %s the alerts are %q, %v", patience, firing, err)
		case <-time.After(200 * time.Millisecond): // Prometheus has no way to be waited for
		}
	}
}

// firing asks Prometheus which alerts fire. It is sorted, and nil for none.
func (p *Prometheus) firing(ctx context.Context) ([]string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+"/api/v1/alerts", nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close() // it was only read
	var body struct {
		Data struct {
			Alerts []struct {
				State  string
				Labels struct{ Alertname string }
			}
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		return nil, fmt.Errorf("%s: %w", answer.Status, err)
	}
	var names []string
	for _, a := range body.Data.Alerts {
		if a.State == "firing" && !slices.Contains(names, a.Labels.Alertname) {
			names = append(names, a.Labels.Alertname)
		}
	}
	slices.Sort(names)
	return names, nil
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // whoever is told the address listens on it
	return l.Addr().String()
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
