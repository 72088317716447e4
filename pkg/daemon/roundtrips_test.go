package daemon_test

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"mailpull/pkg/config"
	"mailpull/pkg/daemon"
	"mailpull/pkg/mailtest"
)

// waits counts for how many answers a client has waited, as the server's end of
// the bare connection sees it: it speaks, and then the client does. To connect is
// one as well. What the server says last nobody has waited for. It counts those of
// the connection that was made last: what an earlier one says at its end may come
// at any time.
type waits struct{ atomic.Pointer[atomic.Int64] }

// took returns how many there were since it was called before.
func (w *waits) took() int { return int(w.Load().Swap(0)) }

// counted is a connection of the server's. Its methods belong to one goroutine.
type counted struct {
	net.Conn
	waits *atomic.Int64
	spoke bool // the server, since the client did
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.spoke {
		c.spoke = false
		c.waits.Add(1)
	}
	return n, err
}

func (c *counted) Write(p []byte) (int, error) {
	c.spoke = true
	return c.Conn.Write(p)
}

// seen begins to count a connection.
func (w *waits) seen(conn net.Conn) net.Conn {
	mine := new(atomic.Int64)
	mine.Add(1)
	w.Store(mine)
	return &counted{Conn: conn, waits: mine}
}

// hundred is a server with a hundred mailboxes, all but one of them empty. told means that it tells what it
// can do without being asked.
func hundred(caps string, told bool) *mailtest.IMAPServer {
	s := &mailtest.IMAPServer{Caps: caps, Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", "x\r\n")}}
	for i := range 99 {
		s.Boxes = append(s.Boxes, mailtest.NewIMAPBox(fmt.Sprintf("Box%d", i)))
	}
	if !told {
		return s
	}
	s.Greeting = "* OK [CAPABILITY IMAP4rev1 STARTTLS " + caps + "] ready"
	s.On = func(c *mailtest.IMAPTalk, tag, command string) bool {
		if !strings.HasPrefix(command, "AUTHENTICATE PLAIN") {
			return false
		}
		c.SignedIn = true
		c.Printf("%s OK [CAPABILITY IMAP4rev1 %s] in", tag, caps)
		return true
	}
	return s
}

// TestRoundTripsOfAPass counts the round trips of a pass without news over a
// hundred mailboxes, from the first packet to the goodbye, for which nobody
// waits. The table of docs/performance.md has the same numbers.
func TestRoundTripsOfAPass(t *testing.T) {
	t.Parallel()
	const all = "SASL-IR AUTH=PLAIN ID LIST-STATUS ESEARCH UNSELECT"
	for name, tc := range map[string]struct {
		security config.Security
		caps     string
		told     bool
		want     int
	}{
		"tls":                    {config.TLS, all, true, 5},
		"tls, asked":             {config.TLS, all, false, 7},
		"tls, no LIST-STATUS":    {config.TLS, "SASL-IR AUTH=PLAIN ID", true, 7},
		"tls, asked, no SASL-IR": {config.TLS, "AUTH=PLAIN ID LIST-STATUS", false, 8},
		"starttls":               {config.StartTLS, all, true, 7},
		"starttls, asked":        {config.StartTLS, all, false, 9},
		"starttls, no ID":        {config.StartTLS, "SASL-IR AUTH=PLAIN LIST-STATUS", true, 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var w waits
			goodbye := make(chan int, 2)
			server := hundred(tc.caps, tc.told)
			on := server.On
			server.On = func(c *mailtest.IMAPTalk, tag, command string) bool {
				if command == "LOGOUT" {
					goodbye <- w.took()
				}
				return on != nil && on(c, tag, command)
			}
			a := reached(t, server, tc.security, w.seen)
			c := &config.Config{Archive: filepath.Join(t.TempDir(), "a"), State: filepath.Join(t.TempDir(), "s"), Accounts: []config.Account{a}}
			for pass, messages := range []int{1, 0} {
				out := daemon.Once(t.Context(), daemon.Options{Config: c})[0]
				if out.Err != nil || out.Result.New != messages || len(out.Result.Mailboxes) != 100 {
					t.Fatalf("%d new of %d mailboxes, %v", out.Result.New, len(out.Result.Mailboxes), out.Err)
				}
				if n := <-goodbye; pass == 1 && n != tc.want {
					t.Errorf("%d round trips, want %d", n, tc.want)
				}
			}
		})
	}
}

// With a session that was kept the pass is one round trip.
func TestRoundTripsOfAKeptSession(t *testing.T) {
	t.Parallel()
	var w waits
	server := hundred("SASL-IR AUTH=PLAIN ID LIST-STATUS UNSELECT", true)
	a := reached(t, server, config.TLS, w.seen)
	l := start(t, a)
	l.mustPull(t, "work")
	w.took()
	before := len(server.Heard("LIST"))
	for range 3 {
		l.mustPull(t, "work")
	}
	// The pass that comes by itself can be among them.
	passes := len(server.Heard("LIST")) - before
	if n := w.took(); n != passes || passes < 3 {
		t.Errorf("%d round trips for %d passes, want one for each", n, passes)
	}
}
