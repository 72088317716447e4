package faults

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
	"mailpull/pkg/secret"
	"mailpull/pkg/signin"
	"mailpull/pkg/wire"
)

// The account of T9, long enough to be looked for.
const (
	t9User     = "canary-user@example.com"
	t9Password = "canary correct horse"
)

// t9Way is one of the four ways to a server.
type t9Way struct {
	name     string
	imap     bool
	security wire.Security
}

var t9Ways = []t9Way{
	{"IMAPS", true, wire.TLS},
	{"IMAP STARTTLS", true, wire.StartTLS},
	{"POP3S", false, wire.TLS},
	{"POP3 STLS", false, wire.StartTLS},
}

// source returns a source of the way's protocol.
func (w t9Way) source(o wire.Options) pull.Source {
	if w.imap {
		return imapSource(o)
	}
	return pop3Source(o)
}

// t9Cell is one server and what must come of it.
type t9Cell struct {
	name   string
	host   string // 127.0.0.1 when it is empty
	caFile string

	// serve plays the server. heard are the commands that it understood.
	serve func(conn net.Conn)
	heard func() []string

	class mail.Class // of the refusal; empty: it signs in
	hint  string     // a part of it; the server's reason, and a lost connection, need none
}

// t9Harmless are the commands that a server may hear which is not trusted.
var t9Harmless = []string{"CAPABILITY", "STARTTLS", "LOGOUT", "CAPA", "STLS", "QUIT"}

// t9Problems opens a session and returns what is wrong with how it ended.
// open is what opens it: the real source, or what a self-test breaks.
func t9Problems(way t9Way, cell t9Cell, open func(wire.Options) pull.Source) (problems []string) {
	link := &mailtest.Link{Serve: cell.serve, Record: true}
	o := wire.Options{
		Host: cell.host, Security: way.security, CAFile: cell.caFile, Dial: link.Dial,
		Login: signin.Login{Username: t9User, Password: func(context.Context) (secret.String, error) {
			return secret.New(t9Password), nil
		}},
	}
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	session, err := open(o).Open(context.Background())
	if err == nil {
		_ = session.Close(context.Background()) // only whether it opened counts
	}
	link.Wait()
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }

	if found := mailtest.NewCanary(t9User, t9Password).Found(link.Heard()); found != "" {
		bad("credentials on the wire in the clear, %s", found)
	}
	if cell.class == "" {
		if err != nil {
			bad("refused: %v (%s)", err, mail.ErrorHint(err))
		}
		return problems
	}
	for _, command := range cell.heard() {
		if !slices.Contains(t9Harmless, command) {
			bad("it heard %q", command)
		}
	}
	if err == nil {
		bad("it signed in")
		return problems
	}
	if class := mail.ErrorClass(err); class != cell.class {
		bad("class %s, want %s: %v", class, cell.class, err)
	}
	hint := mail.ErrorHint(err)
	own := cell.class == mail.ClassServer || cell.class == mail.ClassConnect
	if hint == "" && !own || !strings.Contains(hint, cell.hint) {
		bad("hint %q does not say %q: %v", hint, cell.hint, err)
	}
	for _, text := range []string{err.Error(), hint} {
		if len(text) > 1000 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			bad("not one clear line: %q", text)
		}
	}
	return problems
}

// t9Run opens a session by a fake clock, which begins in the year 2000, and
// gives it the minute that opening may take.
func t9Run(t *testing.T, way t9Way, cell t9Cell) {
	t.Helper()
	var problems []string
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		problems = t9Problems(way, cell, way.source)
		if took := time.Since(begin); took > time.Minute {
			problems = append(problems, fmt.Sprintf("it took %v", took))
		}
	})
	for _, problem := range problems {
		t.Errorf("%s, %s: %s", way.name, cell.name, problem)
	}
}

// t9Server plays an honest server whose TLS has this configuration.
func t9Server(way t9Way, config *tls.Config) (serve func(net.Conn), heard func() []string) {
	inside := func(serve func(net.Conn)) func(net.Conn) {
		if way.security != wire.TLS {
			return serve
		}
		return func(conn net.Conn) { serve(tls.Server(conn, config)) }
	}
	if way.imap {
		s := &mailtest.IMAPServer{
			Caps: "SASL-IR AUTH=PLAIN", TLS: config, Username: t9User, Password: t9Password,
			Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX")},
		}
		return inside(s.Serve), func() []string { return s.Heard("") }
	}
	s := &mailtest.POP3Server{TLS: config, Username: t9User, Password: t9Password}
	return inside(s.Serve), func() []string { return s.Heard("") }
}

// t9Cells are the certificates and versions, and what happens in place of a
// handshake, for one way.
func t9Cells(t testing.TB, way t9Way, makings *t9Makings) (cells []t9Cell) {
	for _, row := range t9Certificates(t, makings) {
		cell := row.cell
		if cell.caFile == "" {
			cell.caFile = makings.file
		}
		serve, heard := t9Server(way, row.config)
		cell.serve, cell.heard = serve, heard
		if row.config.ClientAuth != tls.NoClientCert {
			cell.serve = func(conn net.Conn) { serve(t9Lingering{conn}) }
		}
		cells = append(cells, cell)
	}
	for _, row := range t9Handshakes {
		cells = append(cells, t9Cell{
			name: row.name, caFile: makings.file, class: row.class, hint: row.hint,
			serve: func(conn net.Conn) { t9Plain(conn, way, row) },
			heard: func() []string { return nil }, // it was all in the clear
		})
	}
	return cells
}

// t9Lingering closes when the client has gone. In TLS 1.3 a server refuses a
// client's certificate when the client is through the handshake; one that also
// hangs up makes it a race whether the client reads why.
type t9Lingering struct{ net.Conn }

// Close implements net.Conn.
func (c t9Lingering) Close() error {
	_, _ = io.Copy(io.Discard, c.Conn)
	return c.Conn.Close()
}

// TestT9TLSMatrix opens a session to every server, good and bad, in each of
// the four ways.
func TestT9TLSMatrix(t *testing.T) {
	t.Parallel()
	makings := newT9Makings(t)
	n := 0
	for _, way := range t9Ways {
		for i, cell := range t9Cells(t, way, makings) {
			if i%mailtest.Every(2) == 0 {
				t9Run(t, way, cell)
				n++
			}
		}
		for _, row := range t9Strippings[way.name] {
			t9Run(t, way, t9Cell{
				name: row.name, caFile: makings.file, class: row.class, hint: row.hint,
				serve: func(conn net.Conn) { t9Strip(conn, way, row) },
				heard: func() []string { return nil },
			})
			n++
		}
	}
	mailtest.Figure(t, "T9", "TLS cells", n, 120)
}

// TestT9SelfTest opens the same sessions with a client that verifies nothing,
// and with one that goes on in plain text: the suite has to notice.
func TestT9SelfTest(t *testing.T) {
	t.Parallel()
	makings := newT9Makings(t)
	for _, way := range t9Ways {
		for _, cell := range t9Cells(t, way, makings) {
			if cell.name != "expired" && cell.name != "unknown authority" && cell.name != "wrong host" {
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				if way.security == wire.TLS && len(t9Problems(way, cell, unverified(way))) == 0 {
					t.Errorf("%s, %s: a client that verifies nothing was not noticed", way.name, cell.name)
				}
				if way.security == wire.StartTLS && len(t9Problems(way, cell, inTheClear(way))) == 0 {
					t.Errorf("%s, %s: a client that sends the password in the clear was not noticed", way.name, cell.name)
				}
			})
		}
	}
}

// unverified makes the sources of a client that takes every certificate.
func unverified(way t9Way) func(wire.Options) pull.Source {
	return func(o wire.Options) pull.Source {
		dial := o.Dial
		o.Security, o.AllowPlaintext = wire.None, true
		o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return tls.Client(conn, &tls.Config{InsecureSkipVerify: true}), nil
		}
		return way.source(o)
	}
}

// inTheClear makes the sources of a client that does without STARTTLS.
func inTheClear(way t9Way) func(wire.Options) pull.Source {
	return func(o wire.Options) pull.Source {
		o.Security, o.AllowPlaintext = wire.None, true
		return way.source(o)
	}
}
