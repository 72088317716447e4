package deploy_test

import (
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/metrics"
)

// The rules and the sample configuration are what Prometheus takes, and each
// alert fires and clears when it should.
func TestRealRules(t *testing.T) {
	t.Parallel()
	promtool := mailtest.RealProgram(t, "promtool")
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
	promtool := mailtest.RealProgram(t, "promtool")
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
	m := sick()
	server := httptest.NewServer(promhttp.HandlerFor(m, promhttp.HandlerOpts{CoalesceGather: true}))
	t.Cleanup(server.Close)
	p := mailtest.StartPrometheus(t, "prometheus", server.Listener.Addr().String())
	wait := func(want []string) {
		t.Helper()
		p.Wait(time.Minute, func(firing []string) bool { return slices.Equal(firing, want) })
	}

	wait(sickAlerts)
	cure(m)
	wait(nil)
	server.CloseClientConnections()
	server.Close()
	wait([]string{"MailpullDown"})
}
