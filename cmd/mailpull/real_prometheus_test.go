package main

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"mailpull/pkg/demo"
	"mailpull/pkg/mailtest"
)

// A real Prometheus scrapes the real daemon. A password changes at the server: the
// timetable signs in twice and no more, the alert fires for whoever is on call,
// who corrects the file; nobody restarts anything, and the alert clears.
func TestRealDaemonPrometheus(t *testing.T) {
	t.Parallel()
	mailtest.RealProgram(t, "prometheus")
	tr := newDaemonTrial(t)
	server := &mailtest.IMAPServer{
		Username: demo.Username, Password: "first", Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", "Subject: 1\r\n\r\nx\r\n")},
	}
	var mu sync.Mutex // guards sessions
	var sessions []net.Conn
	e := listen(t, func(conn net.Conn) {
		mu.Lock()
		sessions = append(sessions, conn)
		mu.Unlock()
		server.Serve(conn)
	})
	file := tr.write(t, "password", "first\n")
	changing := "imap: " + tr.account(e.addr, "none", fmt.Sprintf("password: { file: %q }", file)) + "\n    jitter: 0%"
	tr.place(t, tr.source(), changing)
	tr.mustReplace(t, "every: 24h", "every: 1m")
	s := serve(t, tr.setup)
	s.mustPull(t, 0, "")
	p := mailtest.StartPrometheus(t, "../../deploy/prometheus", tr.listen)
	fires := func(want bool) func([]string) bool {
		return func(firing []string) bool { return slices.Contains(firing, "MailpullAuthPaused") == want }
	}
	p.Wait(time.Minute, fires(false))

	server.Change(func() { server.Password = "second" })
	mu.Lock()
	for _, conn := range sessions { // the one that is kept would be good for an hour
		_ = conn.Close()
	}
	mu.Unlock()
	p.Wait(5*time.Minute, fires(true)) // two passes, at least a minute apart
	if n := server.Refused(); n != 2 {
		t.Errorf("the server refused %d sign-ins, want 2", n)
	}
	tr.mustBe(t, "work", "ok")

	tr.write(t, "password", "second\n")
	p.Wait(5*time.Minute, fires(false))
	within(t, "the pass ends", func() bool { return tr.status(t).account(t, "other1").State != "running" })
	tr.mustBe(t, "other1", "ok")
	if n := server.Refused(); n != 2 {
		t.Errorf("the server refused %d sign-ins, want 2", n)
	}
	s.mustDrain(t)
}
