package hook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/secret"
)

func TestMain(m *testing.M) {
	if runAsHook() {
		return
	}
	goleak.VerifyTestMain(m)
}

// page is a page that watches. It answers with the statuses it was given and
// then with 200.
type page struct {
	*httptest.Server
	mu       sync.Mutex
	statuses []int
	asked    []string // "METHOD /path?query"
	bodies   []string
}

func newPage(t *testing.T, statuses ...int) *page {
	t.Helper()
	p := &page{statuses: statuses}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *page) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what came is compared by the test
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, r.Method+" "+r.URL.RequestURI())
	p.bodies = append(p.bodies, string(body))
	status := http.StatusOK
	if len(p.statuses) > 0 {
		status, p.statuses = p.statuses[0], p.statuses[1:]
	}
	w.WriteHeader(status)
}

func (p *page) was(t *testing.T, want ...string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if got := fmt.Sprint(p.asked); got != fmt.Sprint(want) {
		t.Errorf("asked %q, want %q", got, fmt.Sprint(want))
	}
}

var event = Event{
	Account: "work", Result: OK, Took: 1800 * time.Millisecond, New: 3, Bytes: 4711, Archive: "/srv/mail/work",
}

func TestPingSaysHowItWent(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	h := Hooks{Ping: secret.New(p.URL + "/ping/the-key?create=1")}
	failed := h.Start(t.Context(), "work")
	for _, result := range []Result{OK, Partial, Failed, Cancelled} {
		e := event
		e.Result = result
		failed += h.Done(t.Context(), e)
	}
	if failed != 0 {
		t.Errorf("%d failed", failed)
	}
	p.was(t,
		"POST /ping/the-key/start?create=1", "POST /ping/the-key?create=1",
		"POST /ping/the-key/fail?create=1", "POST /ping/the-key/fail?create=1")
}

// Some pages want a name and a password, which stand in the address.
func TestPingSignsIn(t *testing.T) {
	t.Parallel()
	var user, password string
	p := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		user, password, _ = r.BasicAuth()
	}))
	t.Cleanup(p.Close)
	address := strings.Replace(p.URL, "http://", "http://me:s%40y@", 1)
	if err := ping(t.Context(), secret.New(address), "", "", pingLimit); err != nil || user != "me" || password != "s@y" {
		t.Errorf("got %q, %q, %v", user, password, err)
	}
}

func TestPingSummary(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	e := event
	e.Result, e.Missing, e.Quarantined, e.Class = Partial, 2, 1, mail.ClassTimeout
	e.Error, e.Hint = "imap fetch \"INBOX\": nothing\r\ncame\xff", "wait"
	if failed := (Hooks{Ping: secret.New(p.URL)}).Done(t.Context(), e); failed != 0 {
		t.Fatal("it failed")
	}
	want := "account work: partial\n" +
		"3 new, 4711 bytes, 2 missing, 1 in quarantine, took 1.8s\n" +
		"timeout: imap fetch \"INBOX\": nothing  came\uFFFD\nhint: wait\n"
	if got := p.bodies[0]; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	e.Error, e.Hint = strings.Repeat("é", 50_000), strings.Repeat("x", 50_000)
	if got := summary(e); len(got) > 10_000 {
		t.Errorf("the summary has %d bytes", len(got))
	}
}

func TestPingTriesTwice(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		statuses []int
		asked    int
		says     string
	}{
		"once is enough":   {nil, 1, ""},
		"down for once":    {[]int{503}, 2, ""},
		"asked to wait":    {[]int{429}, 2, ""},
		"down":             {[]int{500, 502}, 2, "127.0.0.1: it answered 502 Bad Gateway"},
		"no such page":     {[]int{404}, 1, "127.0.0.1: it answered 404 Not Found"},
		"redirect nowhere": {[]int{302}, 1, "127.0.0.1: it answered 302 and no address to go to"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPage(t, c.statuses...)
			err := ping(t.Context(), secret.New(p.URL), "", "", pingLimit)
			if got := text(err); got != c.says {
				t.Errorf("got %q, want %q", got, c.says)
			}
			if len(p.asked) != c.asked {
				t.Errorf("asked %d times, want %d", len(p.asked), c.asked)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A page may send the request elsewhere on its own host, and no further.
func TestPingRedirects(t *testing.T) {
	t.Parallel()
	other := newPage(t)
	for name, c := range map[string]struct{ to, says string }{
		"same host":    {"/new", ""},
		"another host": {other.URL + "/KEY", "it redirects to another host"},
		"other scheme": {"https://HOST/new", "it redirects from https to http or back"},
		"round":        {"/old", "it redirects too often"},
		"no address":   {"http://[::1/KEY", "it answered 307 and no address to go to"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var last string
			p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/new" {
					body, _ := io.ReadAll(r.Body) // compared below
					last = r.Method + " " + string(body)
					return
				}
				w.Header().Set("Location", strings.ReplaceAll(c.to, "HOST", r.Host))
				w.WriteHeader(http.StatusTemporaryRedirect)
			}))
			t.Cleanup(p.Close)
			err := ping(t.Context(), secret.New(p.URL+"/old"), "", "body", pingLimit)
			if c.says == "" && (err != nil || last != "POST body") || c.says != "" && !strings.Contains(text(err), c.says) {
				t.Errorf("got %v, %q, want %q", err, last, c.says)
			}
			if strings.Contains(text(err), "KEY") {
				t.Errorf("it shows where to: %v", err)
			}
		})
	}
	t.Cleanup(func() { other.was(t) })
}

// A server that never answers costs two limits, and not a pass.
func TestPingSlow(t *testing.T) {
	t.Parallel()
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the server sees the client go
		<-r.Context().Done()
	}))
	t.Cleanup(slow.Close)
	if err := ping(t.Context(), secret.New(slow.URL), "", "", time.Millisecond); text(err) != "127.0.0.1: no answer within 1ms" {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ping(ctx, secret.New(slow.URL), "", "", pingLimit); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A server that takes the connection and does no handshake is hung up on: net/http
// leaves that to a limit of its own. The listener's cleanup waits for it.
func TestPingNoHandshake(t *testing.T) {
	t.Parallel()
	silent := listener(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	if err := ping(t.Context(), secret.New("https://"+silent), "", "", 10*time.Millisecond); text(err) != "127.0.0.1: no answer within 10ms" {
		t.Errorf("got %v", err)
	}
}

// The limits of dialling and of the handshake end as often before that of the
// request as behind it, and say the same.
func TestPingLimitsOfTheConnection(t *testing.T) {
	t.Parallel()
	silent := listener(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	address, err := url.Parse("https://" + silent)
	if err != nil {
		t.Fatal(err)
	}
	for name, transport := range map[string]*http.Transport{
		"dialling":  {DialContext: (&net.Dialer{Deadline: time.Unix(1, 0)}).DialContext},
		"handshake": {TLSHandshakeTimeout: time.Millisecond},
	} {
		again, err := post(t.Context(), transport, address, "", pingLimit)
		if !again || text(err) != "no answer within 10s" {
			t.Errorf("%s: got %v, %v", name, again, err)
		}
	}
}

// listener answers each connection with text and closes it.
func listener(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // ends when the listener is closed; the cleanup waits
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			answer(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

// Whatever goes wrong, the address is in no error and no line of the log.
func TestPingKeepsTheAddress(t *testing.T) {
	t.Parallel()
	echo := listener(t, func(conn net.Conn) { // sends back what it was sent
		buf := make([]byte, 512)
		n, _ := conn.Read(buf)
		_, _ = conn.Write(buf[:n])
		_, _ = io.Copy(io.Discard, conn) // until the client has had enough
	})
	greets := listener(t, func(conn net.Conn) { // as a mail server does
		_, _ = io.WriteString(conn, "220 mail.example ready\r\n")
		_, _ = io.Copy(io.Discard, conn)
	})
	plain := newPage(t)
	foreign := httptest.NewUnstartedServer(http.NotFoundHandler())
	foreign.Config.ErrorLog = log.New(io.Discard, "", 0)
	foreign.StartTLS()
	t.Cleanup(foreign.Close)
	hangUp := listener(t, func(net.Conn) {})
	const key = "a1b2c3d4-canary-key"
	canary := mailtest.NewCanary(key)
	_, closedPort, _ := net.SplitHostPort(closed(t))
	for name, c := range map[string]struct{ address, says string }{
		"refused":        {"http://user:KEY@127.0.0.1:" + closedPort + "/KEY?k=KEY#KEY", "connection refused"},
		"echo":           {"http://" + echo + "/KEY", "it does not speak HTTP"},
		"no TLS":         {"https://" + greets + "/KEY", "it does not speak TLS"},
		"plain page":     {strings.Replace(plain.URL, "http", "https", 1) + "/KEY", "it does not speak TLS"},
		"certificate":    {foreign.URL + "/KEY", "x509: "},
		"hangs up":       {"http://" + hangUp + "/KEY", ""},
		"plain":          {"http://example.com/KEY", "which is for this machine only; write https"},
		"no URL":         {"https://ex ample/KEY", "it is not an address such as"},
		"no host":        {"https:///KEY", "it is not an address such as"},
		"no scheme":      {"hc-ping.com/KEY", "it is not an address such as"},
		"another scheme": {"ftp://hc-ping.com/KEY", "it begins with neither https nor http"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lines strings.Builder
			h := Hooks{
				Ping: secret.New(strings.ReplaceAll(c.address, "KEY", key)),
				Log:  slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug})),
			}
			if failed := h.Start(t.Context(), "work") + h.Done(t.Context(), event); failed != 2 {
				t.Errorf("%d failed, want 2", failed)
			}
			if got := strings.Count(lines.String(), "\n"); got != 2 || !strings.Contains(lines.String(), c.says) {
				t.Errorf("got %d lines, want 2 with %q: %s", got, c.says, lines.String())
			}
			if found := canary.Found([]byte(lines.String() + fmt.Sprintf("%+v %#v", h, h))); found != "" {
				t.Errorf("the address is shown as %q: %s", found, lines.String())
			}
		})
	}
}

// closed returns the address of a port on which nobody listens.
func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestCheckPing(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"": true, "https://hc-ping.com/x": true, "http://localhost:8000/x": true, "http://[::1]/x": true,
		"http://hc-ping.com/x": false, "http://localhost.example/x": false, "hc-ping.com/x": false,
	} {
		if err := CheckPing(secret.New(address)); (err == nil) != ok {
			t.Errorf("%q: got %v", address, err)
		}
	}
}

// A name that claims to be this machine and leads elsewhere gets nothing in
// plain text.
func TestPingPlainOnlyHere(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{"127.0.0.1:80": true, "[::1]:80": true, "192.0.2.1:80": false, "[2001:db8::1]:80": false} {
		if err := onlyLoopback("tcp", address, nil); (err == nil) != ok {
			t.Errorf("%s: got %v", address, err)
		}
	}
}
