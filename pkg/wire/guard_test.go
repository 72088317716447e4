package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailpull/pkg/mail"
)

// fixed is a connection on which a server's bytes lie ready.
type fixed struct {
	net.Conn
	in io.Reader
}

func (f *fixed) Read(p []byte) (int, error)       { return f.in.Read(p) }
func (f *fixed) Write(p []byte) (int, error)      { return len(p), nil }
func (f *fixed) Close() error                     { return nil }
func (f *fixed) SetReadDeadline(time.Time) error  { return nil }
func (f *fixed) SetWriteDeadline(time.Time) error { return nil }

// guardOver returns a Guard that reads in, with commands T1 to T3 in flight.
func guardOver(in io.Reader, limits Limits) *Guard {
	conn := newConn(&fixed{in: in}, limits.WithDefaults(), nil)
	g := newGuard(newIMAPStream(conn, &said{}), "")
	_, _ = g.Write([]byte("T1 NOOP\r\nT2 NOOP\r\nT3 NOOP\r\n"))
	return g
}

func TestGuardRewrites(t *testing.T) {
	t.Parallel()
	same := "the same"
	cases := []struct{ name, in, out string }{
		{"tagged", "T1 OK done\r\n", same},
		{"lone LF, no text, lower case", "T2 ok\n", "T2 OK -\r\n"},
		{"code without arguments", "T1 NO [SERVERBUG] oops\r\n", same},
		{"code with arguments", "T1 NO [BADCHARSET (UTF-8)] oops\r\n", "T1 NO [BADCHARSET] oops\r\n"},
		{"numbers", "* OK [UIDVALIDITY 7] ok\r\n* OK [HIGHESTMODSEQ 99999999999] ok\r\n", same},
		{"code in lower case", "* OK [uidnext 7] ok\r\n", "* OK [UIDNEXT 7] ok\r\n"},
		{"bad numbers", "* OK [UIDVALIDITY 99999999999] a\r\n* OK [UIDNEXT] b\r\n", "* OK a\r\n* OK b\r\n"},
		{"capabilities", "* OK [CAPABILITY (] a\r\n", "* OK a\r\n"},
		{"code behind a code", "* OK [APPENDUID 1] [CAPABILITY (\r\n", "* OK -[CAPABILITY (\r\n"},
		{"code without end", "* OK [CAPABILITY (\r\n", "* OK -[CAPABILITY (\r\n"},
		{"flags in brackets", "* OK [PERMANENTFLAGS (a]b \\*)] x\r\n", "* OK x\r\n"},
		{"control characters", "* NO \x1b[31m\x00\xff\r\n", "* NO \\x1b[31m\\x00\\xff\r\n"},
		{"second greeting", "* PREAUTH again\r\n", "* OK again\r\n"},
		{"numbers of messages", "* 3 EXISTS\r\n* 0 RECENT\r\n* 2 expunge\r\n", "* 3 EXISTS\r\n* 0 RECENT\r\n* 2 EXPUNGE\r\n"},
		{"flags", "* FLAGS (\\Seen a]b \\* ü $x)\r\n", "* FLAGS (\\Seen \\* $x)\r\n"},
		{"dropped", "* CAPABILITY (\r\n* VANISHED (EARLIER) 1:2\r\n* X-FOO {5}\r\n\r\n * (\r\n* LIST () \"/\" a\r\n" +
			"* SEARCH 1 2\r\n* ID NIL\r\n* 99999999999 EXISTS\r\n* 1 EXISTS\r\n", "* 1 EXISTS\r\n"},
		{"fetch", "* 1 FETCH (UID 5 FLAGS (\\Seen) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 3 MODSEQ (9) BODY[] {3}\r\n)\r\n)\r\n", same},
		{"fetch, lower case and tight", "* 1 fetch(uid 5  flags() body[]<0>{0}\r\n)\r\n", "* 1 FETCH (UID 5 FLAGS () BODY[]<0> {0}\r\n)\r\n"},
		{"fetch, odd values", "* 1 FETCH (UID 4294967296 RFC822.SIZE -1 INTERNALDATE NIL INTERNALDATE \"31-Feb-2020 00:00:00 +0000\" FLAGS (a]b c) UID 6 BODY[] NIL)\r\n",
			"* 1 FETCH (FLAGS (c) UID 6 BODY[] NIL)\r\n"},
		{"fetch, no body", "* 1 FETCH (UID 6 FLAGS (c))\r\n* 1 FETCH (UID 6 X {3}\r\nabc FLAGS (c))\r\n* 1 EXISTS\r\n", "* 1 EXISTS\r\n"},
		{"fetch, the body behind what is left out", "* 1 FETCH (UID 6 X {3}\r\nabc BODY[] {1}\r\nx FLAGS ())\r\n",
			"* 1 FETCH (UID 6 BODY[] {1}\r\nx FLAGS ())\r\n"},
		{"fetch, unknown items", "* 1 FETCH (UID 5 X-GM-LABELS (\"a\" {2}\r\n)) \"b\") EMAILID (M1) BODYSTRUCTURE (((({1}\r\nx)))) RFC822 {3}\r\nabc BODY[] \"x\")\r\n",
			"* 1 FETCH (UID 5 BODY[] \"x\")\r\n"},
		{"fetch, body NIL", "* 1 FETCH (BODY[HEADER.FIELDS (MESSAGE-ID)] nil)\r\n", "* 1 FETCH (BODY[HEADER.FIELDS (MESSAGE-ID)] NIL)\r\n"},
		{"fetch, nothing left", "* 1 FETCH (ENVELOPE NIL)\r\n* 2 FETCH ()\r\n* 1 EXISTS\r\n", "* 1 EXISTS\r\n"},
		{"fetch, uid behind the body", "* 1 FETCH (BODY[] {2}\r\nab UID 5)\r\n", same},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			want := tc.out
			if want == same {
				want = tc.in
			}
			g := guardOver(strings.NewReader(tc.in), Limits{})
			if tc.name == "tagged" {
				g.tags.open = append(g.tags.open, "T9") // one more stays in flight
			}
			got, err := io.ReadAll(g)
			if err != nil || string(got) != want {
				t.Errorf("got %q, %v\nwant %q", got, err, want)
			}
			g = guardOver(&oneByte{in: strings.NewReader(tc.in)}, Limits{})
			if got, _ := io.ReadAll(g); string(got) != want {
				t.Errorf("byte by byte: got %q\nwant %q", got, want)
			}
		})
	}
}

// oneByte gives one byte at a time.
type oneByte struct{ in io.Reader }

func (o *oneByte) Read(p []byte) (int, error) { return o.in.Read(p[:min(1, len(p))]) }

func TestGuardRefuses(t *testing.T) {
	t.Parallel()
	limits := Limits{Line: 1000, Listing: 5000, Literal: 100_000}
	cases := []struct {
		name, in string
		want     error
	}{
		{"continuation", "+ go on\r\n", ErrProtocol},
		{"answer nobody asked for", "T4 OK\r\n", ErrProtocol},
		{"answered twice", "T1 OK\r\nT1 OK\r\n", ErrProtocol},
		{"tagged BYE", "T1 BYE\r\n", ErrProtocol},
		{"no response", "Received: from x\r\n", ErrProtocol},
		{"empty line", "\r\n", ErrProtocol},
		{"status with a literal", "* OK {3}\r\nabc\r\n", ErrProtocol},
		{"tagged with a literal", "T1 NO [X] {3}\r\nabc\r\n", ErrProtocol},
		{"signed literal", "* 1 FETCH (BODY[] {-1}\r\n", ErrProtocol},
		{"plus literal", "* 1 FETCH (BODY[] {+1}\r\n", ErrProtocol},
		{"literal of 2^63-1", "* 1 FETCH (BODY[] {9223372036854775807}\r\n", ErrTooMuch},
		{"literal of 2^64", "* 1 FETCH (BODY[] {18446744073709551616}\r\n", ErrTooMuch},
		{"body over the limit", "* 1 FETCH (BODY[] {100001}\r\n", ErrTooMuch},
		{"other literal over its limit", "* X {65537}\r\n", ErrTooMuch},
		{"literal of an unknown item", "* 1 FETCH (X {65537}\r\n", ErrTooMuch},
		{"many small literals", "* X " + strings.Repeat("{9}\r\n123456789", 100) + "\r\n", ErrTooMuch},
		{"long line", "* X " + strings.Repeat("a", 1000), ErrTooMuch},
		{"long listing", "* SEARCH " + strings.Repeat("1 ", 3000), ErrTooMuch},
		{"line end in quotes", "* X \"a\r\nb\"\r\n", ErrProtocol},
		{"CR in a line", "* X a\rb\r\n", ErrProtocol},
		{"NUL in a line", "* 1 FETCH (UID 1\x00)\r\n", ErrProtocol},
		{"deep", "* X " + strings.Repeat("(", 65) + "\r\n", ErrTooMuch},
		{"deep in FETCH", "* 1 FETCH (X " + strings.Repeat("(", 64) + "\r\n", ErrTooMuch},
		{"FETCH without end", "* 1 FETCH (UID 1\r\n", ErrProtocol},
		{"FETCH with too much end", "* 1 FETCH (UID 1))\r\n", ErrProtocol},
		{"FETCH of nothing", "* 1 FETCH\r\n", ErrProtocol},
		{"FETCH without a value", "* 1 FETCH (UID)\r\n", ErrProtocol},
		{"cut in a line", "* 1 EXI", io.ErrUnexpectedEOF},
		{"cut in a body", "* 1 FETCH (BODY[] {10}\r\n12345", io.ErrUnexpectedEOF},
		{"cut in a dropped literal", "* X {10}\r\n12345", io.EOF},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			g := guardOver(strings.NewReader(tc.in), limits)
			_, err := io.Copy(io.Discard, g)
			if tc.want == io.EOF {
				err = g.conn.Err()
			}
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if g.conn.Err() == nil {
				t.Error("the connection is still open")
			}
		})
	}
}

// go-imap reads on after an error. What stood before the broken response
// reaches it, and nothing of what stands behind: the text of a message that is
// too large would pass for answers.
func TestGuardForgetsWhatIsBehindAnError(t *testing.T) {
	t.Parallel()
	const behind = "* 2 FETCH (UID 2 BODY[] {3}\r\nbad)\r\nT2 OK done\r\n"
	for name, broken := range map[string]string{
		"a message over the limit": "* 1 FETCH (UID 1 BODY[] {100001}\r\n",
		"a literal over the limit": "* X {65537}\r\n",
		"a NUL":                    "* X \x00\r\n",
		"a foreign tag":            "T9 OK\r\n",
		"an empty line":            "\r\n",
		"a long line":              "* X " + strings.Repeat("a", 2000) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const before = "T1 OK done\r\n"
			g := guardOver(strings.NewReader(before+broken+behind), Limits{Line: 1000, Literal: 100_000})
			var got bytes.Buffer
			for range 5 {
				if _, err := io.Copy(&got, g); err == nil {
					t.Error("a read gave no error")
				}
			}
			if got.String() != before {
				t.Errorf("go-imap read %q, want %q", got.String(), before)
			}
		})
	}
}

func TestGuardListingMayBeLong(t *testing.T) {
	t.Parallel()
	in := "* SEARCH " + strings.Repeat("1 ", 2000) + "\r\n* ESEARCH (TAG \"x\") " + strings.Repeat("1,", 2000) + "\r\n* 1 EXISTS\r\n"
	g := guardOver(strings.NewReader(in), Limits{Line: 1000, Listing: 5000})
	if got, err := io.ReadAll(g); err != nil || string(got) != "* 1 EXISTS\r\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestGuardDropsFetchThatNobodyWaitsFor(t *testing.T) {
	t.Parallel()
	g := guardOver(strings.NewReader("* 1 FETCH (UID 1 BODY[] {1}\r\nx)\r\n* 1 EXISTS\r\n"), Limits{})
	g.tags.open = nil
	if got, err := io.ReadAll(g); err != nil || string(got) != "* 1 EXISTS\r\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

// library opens a connection to a server that plays after sign-in, with
// go-imap on top.
func library(t *testing.T, limits Limits, play func(s *script)) (*IMAP, *imapclient.Client) {
	t.Helper()
	o, _ := serve(t, func(s *script) {
		signedIn(s, "IMAP4rev1 IMAP4rev2 LITERAL+ UIDPLUS")
		play(s)
	})
	o.Limits = limits
	c, err := OpenIMAP(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	client := imapclient.New(c.Conn(), nil)
	t.Cleanup(func() { _ = client.Close() })
	if err := client.WaitGreeting(); err != nil {
		t.Fatal(err)
	}
	return c, client
}

func TestGuardHandsOver(t *testing.T) {
	t.Parallel()
	c, client := library(t, Limits{}, func(s *script) { s.stall() })
	caps := client.Caps()
	if client.State() != imap.ConnStateAuthenticated || !caps.Has(imap.CapUIDPlus) ||
		caps.Has(imap.CapIMAP4rev2) || caps.Has(imap.CapLiteralPlus) {
		t.Errorf("state %v, capabilities %v", client.State(), caps)
	}
	if !c.Has("IMAP4rev2") {
		t.Error("our own list lacks what was announced")
	}
}

// TestGuardPipelinedFetch has two UID FETCH of go-imap's in flight.
func TestGuardPipelinedFetch(t *testing.T) {
	t.Parallel()
	bodies := map[imap.UID]string{
		1: "From: a\r\n\r\n* BYE not really\r\n", 2: strings.Repeat("0123456789abcdef", 20_000), 3: "", 4: "T1 OK\r\n",
	}
	_, client := library(t, Limits{}, func(s *script) {
		first, _, _ := strings.Cut(s.line(), " ")
		second, _, _ := strings.Cut(s.line(), " ")
		send := func(uid imap.UID) {
			s.raw(fmt.Sprintf("* %d FETCH (UID %d X-NEW (1) FLAGS (\\Seen) BODY[] {%d}\r\n%s)\r\n", uid, uid, len(bodies[uid]), bodies[uid]))
		}
		send(1)
		send(2)
		s.raw("* VANISHED 9\r\n" + first + " OK [CAPABILITY (] done\r\n")
		send(3)
		send(4)
		s.raw(second + " OK done\r\n")
		s.stall()
	})
	section := &imap.FetchItemBodySection{Peek: true}
	options := &imap.FetchOptions{UID: true, Flags: true, BodySection: []*imap.FetchItemBodySection{section}}
	one := client.Fetch(imap.UIDSetNum(1, 2), options)
	two := client.Fetch(imap.UIDSetNum(3, 4), options)
	for _, cmd := range []*imapclient.FetchCommand{one, two} {
		messages, err := cmd.Collect()
		if err != nil || len(messages) != 2 {
			t.Fatalf("got %d messages, %v", len(messages), err)
		}
		for _, m := range messages {
			if got := string(m.FindBodySection(section)); got != bodies[m.UID] {
				t.Errorf("uid %d: got %d bytes, want %d", m.UID, len(got), len(bodies[m.UID]))
			}
		}
	}
}

// TestGuardStalls lets the server fall silent, or nearly so, while go-imap
// waits for an answer.
func TestGuardStalls(t *testing.T) {
	t.Parallel()
	limits := Limits{Idle: 20 * time.Second, Response: 90 * time.Second}
	trickle := func(begin string) func(s *script) {
		return func(s *script) {
			s.raw(begin)
			for range 1000 {
				time.Sleep(15 * time.Second)
				s.raw("a")
			}
		}
	}
	repeat := func(line string) func(s *script) {
		return func(s *script) {
			for range 1000 {
				time.Sleep(15 * time.Second)
				s.raw(line)
			}
		}
	}
	cases := []struct {
		name string
		play func(s *script)
		want time.Duration
	}{
		{"chatter", repeat("* OK still here\r\n"), 90 * time.Second},
		{"changes", repeat("* 7 EXISTS\r\n"), 90 * time.Second},
		{"new words", repeat("* X-NEW 7\r\n"), 90 * time.Second},
		{"flags of messages", repeat("* 7 FETCH (UID 5 FLAGS ())\r\n"), 90 * time.Second},
		{"a dropped literal that comes slowly", trickle("* X {100}\r\n"), 90 * time.Second},
		{"silence", func(*script) {}, 20 * time.Second},
		{"in a line", func(s *script) { s.raw("* 1 EXI") }, 20 * time.Second},
		{"in a body", func(s *script) { s.raw("* 1 FETCH (UID 1 BODY[] {10}\r\n123") }, 20 * time.Second},
		{"in a dropped literal", func(s *script) { s.raw("* X {10}\r\n123") }, 20 * time.Second},
		{"after a body", func(s *script) { s.raw("* 1 FETCH (UID 1 BODY[] {3}\r\n123") }, 20 * time.Second},
		{"a line that never ends", trickle("* X "), 90 * time.Second},
		{"a body that comes slowly is fine", trickle("* 1 FETCH (UID 1 BODY[] {40}\r\n"), (40*15 + 90) * time.Second},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, client := library(t, limits, func(s *script) {
					_ = s.line()
					tc.play(s)
					s.stall()
				})
				time.Sleep(time.Hour) // nothing is due: nothing happens
				begin := time.Now()
				if err := client.Noop().Wait(); err == nil {
					t.Error("the command succeeded")
				}
				if took := time.Since(begin); took != tc.want {
					t.Errorf("it took %v, want %v", took, tc.want)
				}
				wantError(t, c.Err(), mail.ClassTimeout, mail.RetryLater)
				_ = client.Close()
			})
		})
	}
}

// TestGuardSlowReader has a consumer that is slower than every limit.
func TestGuardSlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, client := library(t, Limits{}, func(s *script) {
			s.tag, _, _ = strings.Cut(s.line(), " ")
			s.raw("* 1 FETCH (UID 1 BODY[] {3}\r\nabc)\r\n* 2 FETCH (UID 2 BODY[] {3}\r\nabc)\r\n" + s.tag + " OK done\r\n")
			s.stall()
		})
		var set imap.UIDSet
		set.AddRange(1, 2)
		cmd := client.Fetch(set, &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}})
		n := 0
		for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
			n++
			time.Sleep(time.Hour)
			if _, err := msg.Collect(); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Hour)
		}
		if err := cmd.Close(); err != nil || n != 2 {
			t.Errorf("got %d messages, %v", n, err)
		}
		_ = client.Close()
	})
}

func TestErrGivesTheFarewell(t *testing.T) {
	t.Parallel()
	c, client := library(t, Limits{}, func(s *script) {
		s.want("NOOP")
		s.say("* NO [ALERT] look out", "* BYE Session expired, please login again")
	})
	if err := client.Noop().Wait(); err == nil {
		t.Error("the command succeeded")
	}
	_ = client.Close()
	wantError(t, c.Err(), mail.ClassServer, mail.RetryLater)
	if got := c.LastText(); got != "Session expired, please login again" {
		t.Errorf("the last text is %q", got)
	}
}

// FuzzGuard feeds anything to go-imap through the Guard: it must end, and the
// Guard may let out nothing but what it promises.
func FuzzGuard(f *testing.F) {
	for _, seed := range []string{
		"* 1 FETCH (UID 5 FLAGS (\\Seen) BODY[] {3}\r\nabc)\r\nT1 OK done\r\n",
		"* CAPABILITY (\r\n* OK [CAPABILITY (] x\r\n* 1 FETCH (BODY " + strings.Repeat("(", 70),
		"* 1 FETCH (BODY[1.2.HEADER.FIELDS (A B)]<3> \"x\\\"y\" X {2}\r\n)) UID 7)\r\n",
		"* OK [COPYUID 1 1:4294967295 1:4294967295] x\r\nT1 NO [APPENDUID (] y\r\n",
		"* 1 EXISTS\n* FLAGS (a]b)\n* BYE [X (] z\n", "* 1 FETCH (BODY[1..] {1}\r\nx)\r\n", "* SEARCH 1:4294967295\r\n",
	} {
		f.Add([]byte(seed))
	}
	limits := Limits{Line: 4096, Listing: 8192, Literal: 4096}
	f.Fuzz(func(t *testing.T, data []byte) {
		out, _ := io.ReadAll(guardOver(bytes.NewReader(data), limits))
		checkGuarded(t, out)

		gate := make(chan struct{})
		conn := newConn(&fixed{in: &gated{in: bytes.NewReader(data), gate: gate}}, limits.WithDefaults(), nil)
		client := imapclient.New(newGuard(newIMAPStream(conn, &said{}), "* PREAUTH [CAPABILITY IMAP4rev1] x\r\n"), nil)
		var set imap.UIDSet
		set.AddRange(1, 100)
		fetch := client.Fetch(set, &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}})
		close(gate)
		_, _ = fetch.Collect()
		select {
		case <-client.Closed():
		case <-time.After(10 * time.Second):
			t.Fatal("go-imap hangs")
		}
		if err := client.Close(); err != nil && strings.Contains(err.Error(), "panic") {
			t.Fatal(err)
		}
	})
}

// gated gives nothing before its gate is open.
type gated struct {
	in   io.Reader
	gate chan struct{}
}

func (g *gated) Read(p []byte) (int, error) {
	<-g.gate
	return g.in.Read(p)
}

// checkGuarded reads what a Guard let out, strictly.
func checkGuarded(t *testing.T, out []byte) {
	t.Helper()
	for len(out) > 0 {
		line, rest, ok := bytes.Cut(out, []byte("\r\n"))
		if !ok {
			if bytes.Contains(out, []byte("\n")) {
				t.Fatalf("no line: %q", out)
			}
			return // cut inside a body
		}
		out = rest
		words := strings.Fields(string(line))
		if len(line) > 3*4096 || bytes.Count(line, []byte("(")) > 64 && bytes.Count(line, []byte(`"`)) == 0 {
			t.Fatalf("a line of %d bytes", len(line))
		}
		switch {
		case len(words) >= 2 && strings.HasPrefix(words[0], "T") && isStatus(words[1]):
		case len(words) >= 2 && words[0] == "*" && (isStatus(words[1]) || words[1] == "FLAGS"):
		case len(words) == 3 && words[0] == "*" && (words[2] == "EXISTS" || words[2] == "RECENT" || words[2] == "EXPUNGE"):
		case len(words) >= 4 && words[0] == "*" && words[2] == "FETCH":
			out = skipFetch(t, line, out)
		default:
			t.Fatalf("the Guard let out %q", line)
		}
	}
}

// skipFetch moves behind the literals of a FETCH response.
func skipFetch(t *testing.T, line, rest []byte) []byte {
	t.Helper()
	for {
		at, size, err := literalAt(line)
		if err != nil {
			t.Fatal(err)
		}
		if at < 0 || bytes.HasSuffix(line, []byte(`"`)) {
			return rest
		}
		if size >= int64(len(rest)) {
			return nil
		}
		line, rest, _ = bytes.Cut(rest[size:], []byte("\r\n"))
	}
}

// BenchmarkGuard streams a mailbox of 26 KB messages, once from the bare
// connection and once through the Guard.
func BenchmarkGuard(b *testing.B) {
	const messages = 200
	var stream bytes.Buffer
	for i := range messages {
		fmt.Fprintf(&stream, "* %d FETCH (UID %d FLAGS (\\Seen) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 26000 BODY[] {26000}\r\n", i+1, i+1)
		stream.Write(bytes.Repeat([]byte("0123456789abcdefghijklmno\n"), 1000))
		stream.WriteString(")\r\n")
	}
	data := stream.Bytes()
	p := make([]byte, 32<<10)
	run := func(name string, open func(in io.Reader) io.Reader) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				in := open(bytes.NewReader(data))
				for {
					if _, err := in.Read(p); err != nil {
						break
					}
				}
			}
		})
	}
	run("bare", func(in io.Reader) io.Reader { return &fixed{in: in} })
	run("guard", func(in io.Reader) io.Reader { return guardOver(in, Limits{}) })
}

// A server may say much while nothing is due, but not without end.
func TestGuardBoundsWhatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	c, client := library(t, Limits{}, func(s *script) {
		for range 2 {
			s.raw(strings.Repeat("* 1 FETCH (FLAGS ())\r\n", maxAside))
			s.want("NOOP")
			s.say("$ OK")
		}
		s.raw(strings.Repeat("* X {1}\r\n.\r\n", maxAside+1))
		s.stall()
	})
	for range 2 {
		if _, err := c.Aside(t.Context(), []string{"NOOP"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	<-client.Closed()
	if err := c.Err(); !errors.Is(err, ErrTooMuch) {
		t.Errorf("got %v", err)
	}
}
