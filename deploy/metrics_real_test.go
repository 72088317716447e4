package deploy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mailpull/pkg/mail"
	"mailpull/pkg/metrics"
)

// realProgram looks for a program that the real thing needs. Without MAILPULL_REAL=1
// the test is skipped.
func realProgram(t *testing.T, program string) string {
	t.Helper()
	if os.Getenv("MAILPULL_REAL") != "1" {
		t.Skipf("SKIPPED: MAILPULL_REAL=1 asks %s", program)
	}
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%v; Debian's package prometheus has it", err)
	}
	return path
}

// The rules and the sample configuration are what Prometheus takes, and each
// alert fires and clears when it should.
func TestRealRules(t *testing.T) {
	t.Parallel()
	promtool := realProgram(t, "promtool")
	for _, args := range [][]string{
		{"check", "rules", "alerts.yaml"},
		{"check", "config", "prometheus.yml"},
		{"test", "rules", "alerts_test.yaml"},
	} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = "prometheus"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// What mailpull tells is what Prometheus wants to read.
func TestRealCheckMetrics(t *testing.T) {
	t.Parallel()
	promtool := realProgram(t, "promtool")
	var text strings.Builder
	if err := metrics.Write(&text, sick()); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(text.String())
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// sickAlerts fire for sick; those that compare hours are left to the unit
// tests.
var sickAlerts = []string{
	"MailpullAuthPaused", "MailpullCertificateExpiring", "MailpullDiskLow", "MailpullNeverComplete", "MailpullQuarantine",
	"MailpullReloadFailed", "MailpullStale",
}

// sick returns the numbers of a daemon in which much is wrong.
func sick() *metrics.Metrics {
	m := metrics.NewDaemon(metrics.Build{Version: "1"})
	for _, name := range []string{"work", "new"} {
		m.Add(metrics.Account{Name: name, Protocol: "imap", Interval: 15 * time.Minute})
	}
	now := time.Now()
	m.Restore("work", metrics.State{LastSuccess: now.Add(-3 * time.Hour), LastAttempt: now, Quarantined: 1, Pending: 1})
	m.Count("work", metrics.Run{Result: metrics.Failed, Class: mail.ClassAuth, Start: now, End: now.Add(time.Second)})
	m.SetState("work", metrics.StateAuthPaused)
	m.CertificateExpiry("work", now.Add(24*time.Hour))
	m.Disk("archive", 1, 1)
	m.Reloaded(true, now, "a")
	m.Reloaded(false, now, "b")
	return m
}

func cure(m *metrics.Metrics) {
	now := time.Now()
	for _, name := range []string{"work", "new"} {
		m.Restore(name, metrics.State{LastSuccess: now, LastAttempt: now})
		m.SetState(name, metrics.StateOK)
	}
	m.CertificateExpiry("work", now.Add(90*24*time.Hour))
	m.Disk("archive", 1<<40, 1<<30)
	m.Reloaded(true, now, "c")
}

// A real Prometheus scrapes a daemon's numbers through HTTP; its alerts fire,
// and clear when all is well again. That they wait first is taken out.
func TestRealPrometheus(t *testing.T) {
	t.Parallel()
	program := realProgram(t, "prometheus")
	m := sick()
	server := httptest.NewServer(promhttp.HandlerFor(m, promhttp.HandlerOpts{CoalesceGather: true}))
	t.Cleanup(server.Close)
	address := startPrometheus(t, program, server.Listener.Addr().String())

	waitForAlerts(t, address, sickAlerts)
	cure(m)
	waitForAlerts(t, address, nil)
	server.CloseClientConnections()
	server.Close()
	waitForAlerts(t, address, []string{"MailpullDown"})
}

// startPrometheus runs it with a scrape in each second, and returns where it
// listens. It ends with the test.
func startPrometheus(t *testing.T, program, target string) string {
	t.Helper()
	dir := t.TempDir()
	rules := regexp.MustCompile(`(?m)^ +for: .*\n`).ReplaceAllString(read(t, "prometheus/alerts.yaml"), "")
	config := strings.NewReplacer("127.0.0.1:9723", target, "30s", "1s").Replace(read(t, "prometheus/prometheus.yml"))
	for name, text := range map[string]string{"alerts.yaml": rules, "prometheus.yml": config} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address := freeAddress(t)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
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
	return address
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// waitForAlerts waits until the alerts that fire are the wanted ones.
func waitForAlerts(t *testing.T, address string, want []string) {
	t.Helper()
	var got []string
	var err error
	patience := time.After(time.Minute)
	for {
		got, err = firing(t.Context(), address)
		if err == nil && slices.Equal(got, want) {
			return
		}
		select {
		case <-patience:
			t.Fatalf("got alerts %q, %v, want %q", got, err, want)
		case <-time.After(200 * time.Millisecond): // Prometheus has no way to be waited for
		}
	}
}

// firing asks Prometheus which alerts fire. It is sorted, and nil for none.
func firing(ctx context.Context, address string) ([]string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/api/v1/alerts", nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
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
