package main

import (
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mailpull/pkg/demo"
	"mailpull/pkg/mailtest"
)

// goOn is the hint of every run that a lost connection ended.
const goOn = "what had arrived is kept, and the next run goes on from there; if it stays so, ask whoever runs the server"

// cutCases are connections that end too early.
func cutCases() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"connection cut anywhere over imap": func(t *testing.T) {
			tr := newTrial(t)
			cutAnywhere(t, tr, tr.server.IMAPAddr(), "imap")
			tr.mustRetry(t)
			tr.mustRecover(t)
		},
		"connection cut anywhere over pop3": func(t *testing.T) {
			tr := newTrial(t)
			cutAnywhere(t, tr, tr.server.POP3Addr(), "pop3")
			tr.pointAt(t, tr.sourceOverPOP3())
			tr.mustRetry(t)
			tr.mustArrive(t, tr.inboxOverPOP3())
		},
		"server gone in the middle": func(t *testing.T) {
			d := mailtest.StartDovecot(t, mailtest.DovecotOptions{})
			// More than what sockets on the way can hold: what they hold arrives
			// also when the server is gone.
			large := mailtest.CRLF([]byte("Subject: large\n\n" + strings.Repeat("sixty-three bytes of text and a line end, many times over, yes\n", 16<<10)))
			d.Deliver(user, "INBOX", slices.Repeat([]demo.Message{{Body: large, Date: time.Unix(1_700_000_000, 0)}}, 40))
			const at = 1 << 20
			gone := make(chan struct{})
			proxy := mailtest.NewProxy(t, d.IMAPSAddr, at, func() {
				d.Stop()
				close(gone)
			})
			s := configure(t, "imap: "+login(t, proxy.Addr, "tls", d.CAFile), "")
			s.mustEndEarly(t, "imap")
			if proxy.Sent() < at {
				t.Fatal("the run ended before the server was stopped")
			}
			<-gone
			d.Start()
			mustRun(t, s.config)
			mustEqual(t, d, "INBOX", readArchive(t, s, "maildir++")["INBOX"], true)
		},
	}
}

// cutAnywhere makes runs over connections that are cut after ever more bytes
// of the server's, until one of them gets through. It may have left a message in
// quarantine that is longer than what an earlier connection let through.
func cutAnywhere(t *testing.T, tr *trial, addr, protocol string) {
	t.Helper()
	cut := &cutter{target: addr}
	e := listen(t, cut.relay)
	tr.pointAt(t, protocol+": "+tr.account(e.addr, "none", "password: "+demo.Password))
	for at := int64(1); at < 16<<20; at += at/2 + 1 {
		cut.at.Store(at)
		code, stdout, stderr := program(t, "run", "--config", tr.config)
		if code == exitOK {
			return
		}
		if stdout != "" || !endsEarly(stderr, protocol) || code != exitTemporary {
			t.Errorf("cut at %d: exit code %d, it said\n%s%s", at, code, stdout, stderr)
		}
		mustHoldPrefix(t, tr.setup)
	}
	t.Error("no run got through")
}

// mustEndEarly makes a run whose connection is lost. What exactly the network
// says then is its own choice.
func (s setup) mustEndEarly(t *testing.T, protocol string) {
	t.Helper()
	code, _, stderr := program(t, "run", "--config", s.config)
	if code != exitTemporary || !endsEarly(stderr, protocol) {
		t.Errorf("exit code %d; it said\n%s", code, stderr)
	}
}

func endsEarly(stderr, protocol string) bool {
	line, hint, _ := strings.Cut(stderr, "\n")
	hint = strings.TrimPrefix(hint, "mailpull: hint: ")
	return strings.HasPrefix(line, "mailpull: work: "+protocol+" ") && (hint == goOn+"\n" || hint == heldBack+"\n")
}

// inboxOverPOP3 is what POP3 has of the honest server.
func (tr *trial) inboxOverPOP3() map[string][]string {
	var bodies []string
	for _, m := range tr.messages {
		if m.Mailbox == "INBOX" {
			bodies = append(bodies, string(demo.POP3Body(m.Body)))
		}
	}
	return map[string][]string{"INBOX": bodies}
}

// cutter is a relay that cuts each connection after so many bytes of the
// server's.
type cutter struct {
	target string
	at     atomic.Int64
}

func (c *cutter) relay(client net.Conn) {
	server, err := net.Dial("tcp", c.target)
	if err != nil {
		return
	}
	up := make(chan struct{})
	go func() { // it ends when both connections are closed, below
		defer close(up)
		_, _ = io.Copy(server, client) // an end is an end, however it comes
		_ = server.Close()
	}()
	_, _ = io.CopyN(client, server, c.at.Load())
	_ = client.Close()
	_ = server.Close()
	<-up
}
