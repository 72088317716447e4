package pop3

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/secret"
	"mailpull/pkg/signin"
	"mailpull/pkg/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// maildrop is a server. Its zero value is an empty maildrop that pipelines.
type maildrop struct {
	bodies []string
	uidls  []string // default: u1, u2, ...

	serial  bool                    // PIPELINING is not announced
	answers map[string]string       // raw answers that replace the right ones
	silent  string                  // the server says no more after this command's answer
	hangsUp []string                // behind the answers to these commands
	wrap    func(net.Conn) net.Conn // the server's side of the connection

	built  sync.Once
	server mailtest.POP3Server
}

// signInResponse is the line behind AUTH PLAIN.
const signInResponse = "AGlzcABjb3JyZWN0IGhvcnNl"

// source returns a source that reads the maildrop over pipes. The test waits
// for the servers.
func (m *maildrop) source(t testing.TB, limits wire.Limits) *Source {
	t.Helper()
	var servers sync.WaitGroup
	t.Cleanup(servers.Wait)
	return m.dialled(limits, func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		if m.wrap != nil {
			far = m.wrap(far)
		}
		servers.Go(func() { m.serve(far) })
		return near, nil
	})
}

func (m *maildrop) dialled(limits wire.Limits, dial func(context.Context, string, string) (net.Conn, error)) *Source {
	return New(Options{Wire: wire.Options{
		Host: "pop.example.com", Security: wire.None, AllowPlaintext: true,
		Login: signin.Login{Username: "isp", Password: func(context.Context) (secret.String, error) {
			return secret.New("correct horse"), nil
		}},
		Limits: limits,
		Dial:   dial,
	}})
}

// serve speaks with one client.
func (m *maildrop) serve(conn net.Conn) {
	m.built.Do(m.build)
	m.server.Serve(conn)
}

func (m *maildrop) build() {
	m.server.Caps = []string{"SASL PLAIN", "PIPELINING"}
	if m.serial {
		m.server.Caps = []string{"SASL PLAIN", "UIDL"}
	}
	for i, body := range m.bodies {
		m.server.Messages = append(m.server.Messages, mailtest.POP3Message{UIDL: string(m.uidl(i)), Body: body})
	}
	m.server.On = func(c *mailtest.POP3Talk, command string) bool {
		if answer, ok := m.answers[command]; ok {
			c.Raw(answer)
		} else {
			c.Answer(command)
		}
		switch {
		case command != "" && command == m.silent:
			c.Stall()
		case command == "QUIT" || slices.Contains(m.hangsUp, command):
			c.HangUp()
		}
		return true
	}
}

// commands returns what the server heard behind sign-in.
func (m *maildrop) commands() []string {
	heard := m.server.Heard("")
	return heard[slices.Index(heard, signInResponse)+1:]
}

func (m *maildrop) uidl(i int) mail.UIDL {
	if m.uidls != nil {
		return mail.UIDL(m.uidls[i])
	}
	return mail.UIDL(fmt.Sprintf("u%d", i+1))
}

// fourMessages are what stumbling blocks there are, in four messages.
func fourMessages() []string {
	return []string{
		"Subject: a\r\n\r\nhello\r\n",
		"Subject: b\r\n\r\n.\r\n..\r\n.x\r\nbare\n.\nlf\r\n",
		"",
		"Subject: d\r\n\r\n+OK\r\n-ERR\r\n\r\n",
	}
}

// outcome is what became of one message.
type outcome struct {
	body string // as the receiver got it
	err  error
}

// receiver keeps what it is given and knows the order of the calls.
type receiver struct {
	events  []string
	settled map[mail.UIDL]outcome
	whole   map[mail.UIDL]string

	onBody func(ref mail.Ref, body io.Reader) error // instead of reading it
	onEnd  func() error                             // of a group
}

func newReceiver() *receiver {
	return &receiver{settled: make(map[mail.UIDL]outcome), whole: make(map[mail.UIDL]string)}
}

func (r *receiver) Body(ref mail.Ref, size int64, body io.Reader) error {
	r.events = append(r.events, "body "+string(ref.UIDL))
	if size != -1 {
		return fmt.Errorf("size is %d", size)
	}
	if r.onBody != nil {
		return r.onBody(ref, body)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	r.whole[ref.UIDL] = string(data)
	return nil
}

func (r *receiver) Settle(item mail.Item, err error) error {
	word := "ok "
	if err != nil {
		word = "failed "
	}
	r.events = append(r.events, word+string(item.Ref.UIDL))
	r.settled[item.Ref.UIDL] = outcome{r.whole[item.Ref.UIDL], err}
	return nil
}

func (r *receiver) Settled() error {
	r.events = append(r.events, "group")
	if r.onEnd != nil {
		return r.onEnd()
	}
	return nil
}

// open opens a session and selects INBOX.
func open(t testing.TB, source *Source) (*Session, mail.Refs, mail.Status) {
	t.Helper()
	s, err := source.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Abort)
	refs, status, err := s.Select(t.Context(), mail.Mailbox{Name: mail.Inbox})
	if err != nil {
		t.Fatal(err)
	}
	return s, refs, status
}

// wantError checks an error's classification.
func wantError(t testing.TB, err error, scope mail.Scope, class mail.Class, retry mail.Retry) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	if s, c, r := mail.ErrorScope(err), mail.ErrorClass(err), mail.ErrorRetry(err); s != scope || c != class || r != retry {
		t.Errorf("got scope %d, class %s, retry %d (%v); want %d, %s, %d", s, c, r, err, scope, class, retry)
	}
}

// loopback returns a listener on a port that is free.
func loopback(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}
