package admin_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"mailpull/pkg/admin"
	"mailpull/pkg/mail"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 11, 27, 8, 30, 0, 0, time.UTC)

// rich is a snapshot with something of everything.
func rich() admin.Snapshot {
	return admin.Snapshot{
		Version: "1.2.3", Commit: "abc", Started: now.Add(-50 * time.Hour), Now: now, State: "running",
		Reload: admin.Reload{Time: now.Add(-3 * time.Hour), Error: "/etc/mailpull/config.yaml:14:15: accounts[2].every: \"5 min\" is not a duration; write for example 15m or 24h"},
		Accounts: []admin.Account{
			{Name: "work", Protocol: "imap", State: "ok", LastComplete: now.Add(-2 * time.Minute), LastAttempt: now.Add(-2 * time.Minute), NextRun: now.Add(13 * time.Minute), Server: 48_211, Archived: 48_211, Idle: true},
			{Name: "family", Protocol: "imap", State: "running", LastComplete: now.Add(-26 * time.Hour), Server: 120_000, Archived: 31_400, Waiting: 88_600, Running: &admin.Progress{Started: now.Add(-20 * time.Minute), Planned: 88_600, Done: 12_345, Bytes: 1_470_000_000, Rate: 1_225_000, LeftBytes: 9_080_000_000, Left: 41 * time.Minute}},
			{Name: "isp", Protocol: "pop3", State: "auth_paused", Class: mail.ClassAuth, Failures: 2, Reason: `pop3 auth: the server refused the sign-in: "[AUTH] invalid user or password"`, NextStep: "correct the password and the next pass signs in; to try at once: mailpull resume isp", LastComplete: now.Add(-30 * time.Hour), NextRun: now.Add(11 * time.Hour), Server: 812, Archived: 790, Waiting: 22, WaitingBytes: 1_830_000},
			{Name: "lists", Protocol: "imap", State: "backoff", Class: mail.ClassConnect, Failures: 1, Reason: "imap open: dial tcp 192.0.2.7:993: connect: connection refused", NextStep: "what had arrived is kept, and the next run goes on from there", LastComplete: now.Add(-40 * time.Minute), NextRun: now.Add(70 * time.Second), Server: 9_002, Archived: 8_999, Quarantined: 3},
			{Name: "old", Protocol: "imap", State: "paused", LastComplete: now.Add(-9 * 24 * time.Hour), Server: 243, Archived: 55, Excluded: 188},
			{Name: "fresh", Protocol: "pop3", State: "ok", NextRun: now},
		},
		Volumes: []admin.Volume{
			{Name: "archive", Path: "/srv/mail", FreeBytes: 41_200_000_000, TotalBytes: 500_000_000_000, FreeInodes: 31_000_000, TotalInodes: 32_000_000},
			{Name: "state", Path: "/var/lib/mailpull", FreeBytes: 12_000_000_000, TotalBytes: 40_000_000_000},
		},
	}
}

// start starts a listener on a snapshot.
func start(t *testing.T, change func(*admin.Options)) *admin.Server {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "test_gauge", Help: "of the test"}))
	o := admin.Options{
		Listen: "127.0.0.1:0", Gatherer: registry, Snapshot: rich,
		Healthy: func() error { return nil }, Ready: func() error { return errors.New("draining") },
	}
	if change != nil {
		change(&o)
	}
	s, err := admin.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func get(t *testing.T, method, url string) (code int, header http.Header, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() // it was only read
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(text)
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	base := "http://" + start(t, nil).Addr()
	for _, c := range []struct {
		method, path string
		code         int
		has          string
	}{
		{"GET", "/", 200, "<h1>mailpull</h1>"},
		{"GET", "/?still", 200, `<a href="/">renew</a>`},
		{"GET", "/style.css", 200, "prefers-color-scheme"},
		{"GET", "/metrics", 200, "test_gauge 0"},
		{"GET", "/status.json", 200, `"schema_version":1`},
		{"GET", "/-/healthy", 200, "healthy\n"},
		{"GET", "/-/ready", 503, "not ready: draining\n"},
		{"GET", "/nowhere", 404, ""},
		{"GET", "/debug/pprof/", 404, ""},
		{"HEAD", "/", 200, ""},
		{"POST", "/", 405, ""},
		{"DELETE", "/status.json", 405, ""},
	} {
		code, header, body := get(t, c.method, base+c.path)
		if code != c.code || !strings.Contains(body, c.has) {
			t.Errorf("%s %s: got %d\n%s", c.method, c.path, code, body)
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":  "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		} {
			if got := header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q", c.method, c.path, name, got)
			}
		}
	}
}

// The page and the JSON of a rich snapshot, whole.
func TestGolden(t *testing.T) {
	t.Parallel()
	base := "http://" + start(t, nil).Addr()
	for path, golden := range map[string]string{"/": "testdata/page.html", "/status.json": "testdata/status.json"} {
		_, _, got := get(t, "GET", base+path)
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || got != string(want) {
			t.Errorf("%s: got\n%s\n%v", path, got, err)
		}
	}
}

// No text comes into the page unescaped or without an end, and no script does.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	evil := "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\x00\xff" + strings.Repeat("x", 10_000)
	base := "http://" + start(t, func(o *admin.Options) {
		o.Snapshot = func() admin.Snapshot {
			return admin.Snapshot{
				Now: now, State: "running", Problem: evil, Reload: admin.Reload{Error: evil},
				Accounts: []admin.Account{{Name: "a", State: "auth_paused", Reason: evil, NextStep: evil, Class: mail.ClassAuth}},
				Volumes:  []admin.Volume{{Name: "v"}},
			}
		}
	}).Addr()
	_, _, body := get(t, "GET", base+"/")
	if strings.Contains(body, "<script") || strings.Contains(body, "<img") {
		t.Error("a text came into the page as it is")
	}
	if strings.Contains(body, strings.Repeat("x", 400)) {
		t.Error("a long text is shown whole")
	}
	code, _, body := get(t, "GET", base+"/status.json")
	if code != 200 || strings.Contains(body, strings.Repeat("x", 400)) || strings.Contains(body, `\u0000`) {
		t.Errorf("got %d, or a text as it is", code)
	}
}

// Whoever opens the page to others is told.
func TestOpenToOthers(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]int{"127.0.0.1:0": 0, "[::1]:0": 0, "0.0.0.0:0": 1} {
		var log safeBuffer
		start(t, func(o *admin.Options) { o.Listen, o.Log = listen, slog.New(slog.NewTextHandler(&log, nil)) })
		if n := strings.Count(log.String(), "anybody who reaches this address"); n != want {
			t.Errorf("%s: told %d times, want %d", listen, n, want)
		}
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]func(*admin.Snapshot){
		"6 accounts, 1 needs you, a disk is nearly full": func(*admin.Snapshot) {},
		"1 account, a disk is nearly full":               func(s *admin.Snapshot) { s.Accounts = s.Accounts[:1] },
		"1 account, 1 needs you<":                        func(s *admin.Snapshot) { s.Accounts, s.Volumes = s.Accounts[2:3], nil },
		"5 accounts, nothing for you to do": func(s *admin.Snapshot) {
			s.Accounts, s.Volumes = append(s.Accounts[:2], s.Accounts[3:]...), nil
			s.Accounts[3].Failures = 7 // it is paused: somebody knows
		},
		"7 accounts, 2 need you": func(s *admin.Snapshot) {
			s.Accounts = append(s.Accounts, admin.Account{Name: "full", State: "disk_paused"})
		},
		"The daemon is stuck:</strong> late":    func(s *admin.Snapshot) { s.Problem = "late" },
		"6 accounts, 2 need you":                func(s *admin.Snapshot) { s.Accounts[3].Failures = 3 },
		"<p class=\"summary bad\">1 account":    func(s *admin.Snapshot) { s.Accounts = s.Accounts[2:3] },
		"<p class=\"note\">The daemon is drain": func(s *admin.Snapshot) { s.State = "draining" },
	} {
		base := "http://" + start(t, func(o *admin.Options) {
			o.Snapshot = func() admin.Snapshot {
				snapshot := rich()
				s(&snapshot)
				return snapshot
			}
		}).Addr()
		if _, _, body := get(t, "GET", base+"/"); !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	addr := start(t, nil).Addr()
	_, err := admin.Start(admin.Options{Listen: addr})
	if err == nil || !strings.Contains(err.Error(), "daemon.listen: listen tcp "+addr) || !strings.Contains(err.Error(), "off") {
		t.Errorf("got %v", err)
	}
}

// TLS and passwords come from the toolkit's file.
func TestWebConfig(t *testing.T) {
	t.Parallel()
	trusted := httptest.NewTLSServer(nil) // for its certificate
	defer trusted.Close()
	dir := t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(trusted.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: trusted.Certificate().Raw})))
	write(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	file := write(t, dir, "web.yaml", "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\nbasic_auth_users:\n  admin: "+hashOfTest+"\n")
	s := start(t, func(o *admin.Options) { o.WebConfig = file })
	for password, want := range map[string]int{"test": 200, "wrong": 401, "": 401} {
		request, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+s.Addr()+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if password != "" {
			request.SetBasicAuth("admin", password)
		}
		answer, err := trusted.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close() // it is not read
		if answer.StatusCode != want {
			t.Errorf("with the password %q got %d, want %d", password, answer.StatusCode, want)
		}
	}
	trusted.Client().CloseIdleConnections()
}

// hashOfTest is what htpasswd -nB makes of the password "test".
const hashOfTest = "$2a$04$tCq9dJwAyhfpUk65YBVh7Opqx0ys6u.E6ZoOgXRnxB3jjjOWSlEyG"

// A file that is wrong is refused at the start, in one line that shows nothing of
// it, and one that breaks later is told to the log.
func TestWrongWebConfig(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for text, want := range map[string]string{
		"basic_auth_users: hunter2secret\n":          ", line 1: a key or a value that the file cannot have",
		"nonsense: true\n":                           ", line 1: a key or a value that the file cannot have",
		"basic_auth_users: {admin: hunter2secret}\n": ": a password of basic_auth_users is not a bcrypt hash",
		"tls_server_config: {cert_file: nowhere}\n":  ": missing one of key or key_file",
	} {
		file := write(t, dir, "web.yaml", text)
		_, err := admin.Start(admin.Options{Listen: "127.0.0.1:0", WebConfig: file})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got %v", text, err)
		}
	}
	_, err := admin.Start(admin.Options{Listen: "127.0.0.1:0", WebConfig: dir + "/missing"})
	if err == nil || !strings.HasPrefix(err.Error(), "daemon.web_config: open "+dir+"/missing") {
		t.Errorf("got %v", err)
	}

	var log safeBuffer
	file := write(t, dir, "web.yaml", "basic_auth_users:\n  admin: "+hashOfTest+"\n")
	s := start(t, func(o *admin.Options) { o.WebConfig, o.Log = file, slog.New(slog.NewTextHandler(&log, nil)) })
	if code, _, _ := get(t, "GET", "http://"+s.Addr()+"/"); code != 401 { // it serves by now
		t.Errorf("got %d", code)
	}
	write(t, dir, "web.yaml", "basic_auth_users: hunter2secret\n")
	for range 3 {
		if code, _, _ := get(t, "GET", "http://"+s.Addr()+"/"); code != 500 {
			t.Errorf("got %d", code)
		}
	}
	if text := log.String(); strings.Count(text, "cannot be used") != 1 || strings.Contains(text, "hunter") {
		t.Errorf("the log says\n%s", text)
	}
}

// safeBuffer is a buffer that a server may write to while it is read.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Scrapers that ask for OpenMetrics get it, and nothing is compressed.
func TestOpenMetrics(t *testing.T) {
	t.Parallel()
	request, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+start(t, nil).Addr()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/openmetrics-text")
	request.Header.Set("Accept-Encoding", "gzip")
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() // it was only read
	text, err := io.ReadAll(answer.Body)
	if err != nil || !strings.HasSuffix(string(text), "# EOF\n") {
		t.Errorf("got %s, %v", text, err)
	}
}

// A snapshot that takes its time holds up nobody else.
func TestSlowSnapshot(t *testing.T) {
	t.Parallel()
	slow := make(chan struct{})
	base := "http://" + start(t, func(o *admin.Options) {
		o.Snapshot = func() admin.Snapshot { <-slow; return rich() }
	}).Addr()
	done := make(chan int)
	go func() { // it is received below
		answer, err := http.Get(base + "/")
		if err != nil {
			done <- 0
			return
		}
		_ = answer.Body.Close() // it is not read
		done <- answer.StatusCode
	}()
	for range 20 {
		if code, _, _ := get(t, "GET", base+"/metrics"); code != 200 {
			t.Errorf("got %d", code)
		}
	}
	close(slow)
	if code := <-done; code != 200 {
		t.Errorf("got %d", code)
	}
	http.DefaultClient.CloseIdleConnections()
}

// BenchmarkPage is the page and the JSON of a thousand accounts.
func BenchmarkPage(b *testing.B) {
	s := rich()
	for i := range 1000 {
		a := s.Accounts[i%6]
		a.Name = fmt.Sprint(a.Name, i)
		s.Accounts = append(s.Accounts, a)
	}
	server, err := admin.Start(admin.Options{
		Listen: "127.0.0.1:0", Gatherer: prometheus.NewRegistry(), Snapshot: func() admin.Snapshot { return s },
		Healthy: func() error { return nil }, Ready: func() error { return nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close(context.Background()) // nothing is under way
	for _, path := range []string{"/", "/status.json"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				answer, err := http.Get("http://" + server.Addr() + path)
				if err != nil {
					b.Fatal(err)
				}
				n, _ := io.Copy(io.Discard, answer.Body)
				b.ReportMetric(float64(n), "bytes")
				_ = answer.Body.Close()
			}
		})
	}
	http.DefaultClient.CloseIdleConnections()
}
