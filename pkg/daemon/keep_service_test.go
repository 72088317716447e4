package daemon_test

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"mailpull/pkg/config"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/secret"
)

// farewells is a server that tells of each LOGOUT.
type farewells struct {
	*mailtest.IMAPServer
	t    *testing.T
	said chan struct{}
}

// shortly returns an account that is pulled each five minutes, and its server on
// loopback.
func shortly(t *testing.T) (config.Account, *farewells) {
	t.Helper()
	said := make(chan struct{}, 10)
	server := &mailtest.IMAPServer{
		Caps: "LIST-STATUS UNSELECT", Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", "x\r\n")},
		On: func(_ *mailtest.IMAPTalk, _, command string) bool {
			if command == "LOGOUT" {
				said <- struct{}{}
			}
			return false
		},
	}
	return reached(t, server, config.TLS, func(conn net.Conn) net.Conn { return conn }), &farewells{server, t, said}
}

// reached returns an account on a server on loopback that is pulled each five
// minutes. seen gets each connection before TLS.
func reached(t *testing.T, server *mailtest.IMAPServer, security config.Security, seen func(net.Conn) net.Conn) config.Account {
	t.Helper()
	ca := mailtest.NewCA(t)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	secured := ca.Good(t).ServerConfig()
	secured.SessionTicketsDisabled = true // they come when the server likes, which disturbs who counts turns
	server.TLS = secured
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close() // it ends the loop below
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn = seen(conn)
			if security == config.TLS {
				conn = tls.Server(conn, secured)
			}
			serving.Go(func() { server.Serve(conn) }) // the client has hung up by then
		}
	})
	return config.Account{
		Name: "work", Protocol: config.IMAP, Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Security: security, CAFile: file,
		Username: "me", Password: secret.Source{Plain: secret.New("word")}, Layout: config.MaildirPP, Connections: 1,
		Mailboxes: config.Selection{Include: []string{"*"}}, Every: 5 * time.Minute,
	}
}

// wait waits for a LOGOUT.
func (f *farewells) wait() {
	f.t.Helper()
	select {
	case <-f.said:
	case <-time.After(20 * time.Second):
		f.t.Fatal("no LOGOUT came")
	}
}

// wantSignIns compares how often somebody signed in.
func (f *farewells) wantSignIns(want int) {
	f.t.Helper()
	if got := len(f.Heard("LOGIN")); got != want {
		f.t.Errorf("%d sign-ins, want %d", got, want)
	}
}

// connections is what the gauge shows.
func (l *live) connections(t *testing.T) int {
	t.Helper()
	families, err := l.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "mailpull_connections" {
			return int(family.GetMetric()[0].GetGauge().GetValue())
		}
	}
	t.Fatal("there is no gauge of connections")
	return 0
}

// A daemon keeps the session of an account that is pulled often, and ends it when
// the account is paused, changed or removed, and when it ends itself.
func TestDaemonKeepsASession(t *testing.T) {
	t.Parallel()
	a, server := shortly(t)
	l := start(t, a)
	for range 4 {
		l.mustPull(t, "work")
	}
	server.wantSignIns(1)
	if n := l.connections(t); n != 1 {
		t.Errorf("the gauge shows %d connections", n)
	}

	if err := l.Client.Pause(t.Context(), []string{"work"}); err != nil {
		t.Fatal(err)
	}
	server.wait()
	if n := l.connections(t); n != 0 {
		t.Errorf("the gauge shows %d connections", n)
	}
	if err := l.Client.Resume(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	l.mustPull(t, "work")
	l.mustPull(t, "work")
	server.wantSignIns(2)

	a.Every = 4 * time.Minute
	l.change(nil, a)
	if err := l.Client.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.wait()
	l.mustPull(t, "work")
	server.wantSignIns(3)

	l.change(nil, hourly(t, config.IMAP, "other", 1))
	if err := l.Client.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.wait()
	l.change(nil, a)
	if err := l.Client.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.mustPull(t, "work")
	server.wantSignIns(4)
	l.end(t)
	server.wait()
}

// An account whose next pass is far away signs in for each.
func TestDaemonKeepsNoSession(t *testing.T) {
	t.Parallel()
	a, server := shortly(t)
	a.Every = 400 * 24 * time.Hour
	l := start(t, a)
	l.mustPull(t, "work")
	server.wait()
	before := len(server.Heard("LOGIN"))
	l.mustPull(t, "work")
	server.wait()
	server.wantSignIns(before + 1)
}
