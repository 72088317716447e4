package bench

import (
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// million pulls a mailbox of a million messages, once, and then looks for news
// in it. The server makes the messages as they are asked for: Dovecot would
// need a million files of its own and minutes for its index.
func (r *rig) million() Scenario {
	const messages = 1_000_000
	t, stop := manyServer(r.b, r.dir, mail.UIDSet{{Lo: 1, Hi: messages}})
	defer stop()
	home := filepath.Join(r.dir, "million")
	cmd := mailpull(r.b, r.binary, home, t)
	pass := process{args: cmd.args, env: []string{"HOME=" + cmd.home}, limit: fastLimit}

	first := Row{Who: Ours + ", first pass", Runs: []Run{pass.run(r.b)}}
	progress(first.Who, first.Runs[0])
	mustCount(r.b, cmd.mail, messages)
	idle := Row{Who: Ours}
	for round := range rounds + 1 {
		run := pass.run(r.b)
		progress(idle.Who, run)
		if round > 0 {
			idle.Runs = append(idle.Runs, run)
		}
	}
	s := Scenario{
		Name: "Million", Title: "A mailbox of a million messages",
		Task: "1,000,000 messages of 90 bytes in one mailbox, over loopback, from a server that keeps none of them; first all of them, and then passes without news.",
		Rows: []Row{idle, first},
	}
	s.Targets = append(s.Targets, Target{What: Ours + ", no news of a million", Value: idle.Median(), Limit: 1, Unit: " s"})
	s.targetMemory()
	return s
}

// manyServer starts a server with one mailbox of small messages, and returns what
// ends it. dir takes its certificate.
func manyServer(b *testing.B, dir string, uids mail.UIDSet) (task, func()) {
	b.Helper()
	ca := mailtest.NewCA(b)
	file := write(b, filepath.Join(dir, "million.pem"), "%s", ca.PEM)
	box := mailtest.NewIMAPBox("INBOX")
	box.Many = mailtest.NewIMAPMany(uids, func(uid mail.UID) string {
		return fmt.Sprintf("From: a@example.com\r\nSubject: %d\r\nMessage-ID: <%[1]d@many.example.com>\r\n\r\n%[1]d\r\n", uid)
	})
	server := &mailtest.IMAPServer{Caps: "ESEARCH LIST-STATUS SASL-IR AUTH=PLAIN", Boxes: []*mailtest.IMAPBox{box}}
	l, err := tls.Listen("tcp", "127.0.0.1:0", ca.Good(b).ServerConfig())
	if err != nil {
		b.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() { // stop waits for it, and for the connections, which end with their clients
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { serve(server, conn) })
		}
	})
	t := task{protocol: "imap", user: "million", ca: file}
	return t.at(l.Addr().String()), func() {
		_ = l.Close() // it ends the loop above
		all.Wait()
	}
}

func serve(server *mailtest.IMAPServer, conn net.Conn) {
	defer conn.Close()
	server.Serve(conn)
}
