package faults

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/wire"
)

// Limits that tell from each other which of them ended a wait.
const (
	t8Open = 45 * time.Second
	t8Idle = 50 * time.Second
)

// t8Server is a server behind one kind of connection.
type t8Server struct {
	name     string
	security wire.Security
	caFile   string

	fresh func(on func(command string)) *rig
	tls   *tls.Config

	late time.Duration // what a self-test adds to the limits
}

// t8Servers are both protocols over each kind of connection.
func t8Servers(t *testing.T) []t8Server {
	t.Helper()
	ca := mailtest.NewCA(t)
	config := ca.Good(t).ServerConfig()
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	bodies := []string{"a\r\n", "b\r\n" + bulk(3000), "c\r\n"}
	imap := func(caps string) func(on func(string)) *rig {
		return func(on func(string)) *rig {
			return imapRig(&mailtest.IMAPServer{
				Caps: caps + " ESEARCH ID", TLS: config,
				Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", bodies...), mailtest.NewIMAPBox("Work", "d\r\n")},
				On:    func(_ *mailtest.IMAPTalk, _, command string) bool { on(command); return false },
			})
		}
	}
	pop3 := func(on func(string)) *rig {
		return pop3Rig(&mailtest.POP3Server{
			TLS: config, Messages: mailtest.POP3Messages(bodies...),
			On: func(_ *mailtest.POP3Talk, command string) bool { on(command); return false },
		})
	}
	var servers []t8Server
	for _, security := range []wire.Security{wire.None, wire.StartTLS, wire.TLS} {
		caps := "SASL-IR AUTH=PLAIN"
		if security == wire.None {
			caps = "" // LOGIN
		}
		servers = append(servers,
			t8Server{name: "imap " + string(security), security: security, caFile: caFile, fresh: imap(caps), tls: config},
			t8Server{name: "pop3 " + string(security), security: security, caFile: caFile, fresh: pop3, tls: config})
	}
	return servers
}

// rig returns an account with a new server that calls on with each command, and
// say before each piece that it sends, with the piece's number in its connection
// and its length.
func (s t8Server) rig(on func(command string), say func(piece, n int, link *mailtest.Link)) *rig {
	r := s.fresh(on)
	r.security, r.caFile = s.security, s.caFile
	r.limits = wire.Limits{Open: t8Open + s.late, Idle: t8Idle + s.late}
	link, serve := r.link, r.link.Serve
	r.link.Serve = func(conn net.Conn) {
		piece := -1
		conn = &t8Talker{conn, func(n int) { piece++; say(piece, n, link) }}
		if s.security == wire.TLS {
			conn = tls.Server(conn, s.tls)
		}
		serve(conn)
	}
	return r
}

// t8Step is a place in a session at which the server falls silent: in front of
// a piece that it sends, or in the middle of it. Places are counted in pieces
// and not in bytes, because what TLS sends differs in length from run to run.
type t8Step struct {
	piece  int
	middle bool
	open   bool // before the sign-in is over
	last   bool // nothing is due any more but a goodbye
}

// steps returns every place of a whole session.
func (s t8Server) steps(t *testing.T) []t8Step {
	t.Helper()
	sent, signedIn, goodbye := 0, 0, 0
	r := s.rig(func(command string) {
		switch {
		case signedIn == 0 && t8IsFirst(command):
			signedIn = sent
		case t8IsGoodbye(command):
			goodbye = sent
		}
	}, func(int, int, *mailtest.Link) { sent++ })
	if _, err := r.pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.security != wire.None {
		sent-- // close_notify, which nobody waits for
	}
	if strings.HasPrefix(s.name, "imap") { // nobody waits for the answer to LOGOUT
		sent = min(sent, goodbye)
	}
	var steps []t8Step
	for piece := range sent {
		step := t8Step{piece: piece, open: piece < signedIn, last: piece >= goodbye}
		steps = append(steps, step)
		step.middle = true
		steps = append(steps, step)
	}
	return steps
}

// t8IsFirst reports whether a command is the first one behind sign-in.
func t8IsFirst(command string) bool {
	return strings.HasPrefix(command, "ID ") || command == "STAT"
}

// t8IsGoodbye reports whether a command ends the session.
func t8IsGoodbye(command string) bool { return command == "LOGOUT" || command == "QUIT" }

// t8Talker calls say before each piece that the server sends.
type t8Talker struct {
	net.Conn
	say func(n int)
}

func (c *t8Talker) Write(p []byte) (int, error) {
	c.say(len(p))
	return c.Conn.Write(p)
}

// A server that falls silent costs one time-out, exact to the second, wherever
// it happens, the handshake of TLS included; and the next pass has everything.
func TestT8StallAtEveryStep(t *testing.T) {
	t.Parallel()
	total := 0
	for _, s := range t8Servers(t) {
		t.Run(s.name, func(t *testing.T) {
			for _, step := range s.steps(t) {
				synctest.Test(t, func(t *testing.T) {
					if err := s.stall(t, step); err != nil {
						t.Errorf("silent at piece %d, middle %v: %v", step.piece, step.middle, err)
					}
				})
				total++
			}
		})
	}
	mailtest.Figure(t, "T8", "steps of a session at which the server falls silent", total, 60)
}

// falls returns what has a server fall silent at the step, once or on every
// connection.
func (step t8Step) falls(always bool) func(piece, n int, link *mailtest.Link) {
	done := false
	return func(piece, n int, link *mailtest.Link) {
		if piece != step.piece || done && !always {
			return
		}
		done = true
		if !step.middle {
			n = 0
		}
		link.Cut(int64(n/2), mailtest.EndStall)
	}
}

// limit returns how long the server may be silent at the step.
func (step t8Step) limit() time.Duration {
	switch {
	case step.open:
		return t8Open
	}
	return t8Idle
}

// stall lets the server fall silent once, and checks how long that took.
func (s t8Server) stall(t *testing.T, step t8Step) error {
	r := s.rig(func(string) {}, step.falls(false))
	begin := time.Now()
	_, err := r.pass(t.Context())
	if took := time.Since(begin); took != step.limit() {
		return fmt.Errorf("it took %v, want %v; %w", took, step.limit(), err)
	}
	if err := step.told(err); err != nil {
		return err
	}
	if _, err := r.pass(t.Context()); err != nil {
		return fmt.Errorf("the next pass: %w", err)
	}
	breaches, err := r.judge(true)
	if err == nil && len(breaches) > 0 {
		err = errors.New(breaches[0].String())
	}
	return err
}

// told checks the error of a pass whose server fell silent at the step.
func (step t8Step) told(err error) error {
	switch {
	case step.last && err != nil:
		return fmt.Errorf("all was there: %w", err)
	case step.open && err == nil:
		return errors.New("it got in")
	case err != nil && mail.ErrorClass(err) != mail.ClassTimeout:
		return fmt.Errorf("class %q: %w", mail.ErrorClass(err), err)
	}
	return nil
}

// t8Patience is the most that a server which is always silent at the same place
// costs a pass over its two mailboxes: a time-out for each session that the pass
// opens again, until it sees that they bring nothing.
const t8Patience = 5 * t8Idle

// A server that falls silent on every connection costs minutes and not hours,
// and what came in front of its silence is kept.
func TestT8AlwaysSilent(t *testing.T) {
	t.Parallel()
	total := 0
	for _, s := range t8Servers(t) {
		t.Run(s.name, func(t *testing.T) {
			for _, step := range s.steps(t) {
				synctest.Test(t, func(t *testing.T) {
					r := s.rig(func(string) {}, step.falls(true))
					begin := time.Now()
					_, err := r.pass(t.Context())
					took := time.Since(begin)
					if step.open && took != t8Open || took > t8Patience || took%t8Idle != 0 && !step.open {
						t.Errorf("piece %d, middle %v: it took %v; %v", step.piece, step.middle, took, err)
					}
					if err := step.told(err); err != nil {
						t.Errorf("piece %d, middle %v: %v", step.piece, step.middle, err)
					}
					r.check(t, false)
				})
				total++
			}
		})
	}
	mailtest.Figure(t, "T8", "steps at which every connection falls silent", total, 60)
}

// The suite notices a time-out that comes a second late, at any step.
func TestT8NoticesASecond(t *testing.T) {
	t.Parallel()
	s := t8Servers(t)[0]
	steps := s.steps(t)
	s.late = time.Second
	for _, step := range steps {
		synctest.Test(t, func(t *testing.T) {
			if s.stall(t, step) == nil {
				t.Errorf("piece %d, middle %v: nothing was noticed", step.piece, step.middle)
			}
		})
	}
}
