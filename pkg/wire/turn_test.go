package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	gopop3 "github.com/knadh/go-pop3"
)

// recordedConn plays back what a server said and keeps what it was told.
type recordedConn struct {
	net.Conn // nil: nothing else is called
	in       io.Reader
	out      bytes.Buffer
	closed   bool
}

func (c *recordedConn) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *recordedConn) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *recordedConn) Close() error                     { c.closed = true; return nil }
func (c *recordedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *recordedConn) SetWriteDeadline(time.Time) error { return nil }

// playBack returns a Turn on a connection on which the server says text.
func playBack(text string) *Turn { return playBackFrom(strings.NewReader(text), Limits{}) }

func playBackFrom(in io.Reader, limits Limits) *Turn {
	conn := newConn(&recordedConn{in: in}, limits.WithDefaults(), nil)
	return newTurn(conn, func(s string) string { return s })
}

// sent returns the commands that were written to a Turn of playBack.
func sent(t *Turn) string { return t.Conn.Conn.(*recordedConn).out.String() }

func TestReplyIsStrict(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		line string
		want POP3Reply
	}{
		{"+OK", POP3Reply{OK: true}},
		{"+OK ", POP3Reply{OK: true}},
		{"+OK 2 320", POP3Reply{OK: true, Text: "2 320"}},
		{"-ERR", POP3Reply{}},
		{"-ERR no", POP3Reply{Text: "no"}},
		{"-ERR [IN-USE] locked", POP3Reply{Code: POP3InUse, Text: "[IN-USE] locked"}},
		{"-ERR [login-delay] wait", POP3Reply{Code: POP3LoginDelay, Text: "[login-delay] wait"}},
		{"-ERR [SYS/TEMP] x", POP3Reply{Code: POP3SysTemp, Text: "[SYS/TEMP] x"}},
		{"-ERR [SYS/PERM/DISK] x", POP3Reply{Code: POP3SysPerm, Text: "[SYS/PERM/DISK] x"}},
		{"-ERR [AUTH]", POP3Reply{Code: POP3Auth, Text: "[AUTH]"}},
		{"-ERR [AUTHOR] x", POP3Reply{Text: "[AUTHOR] x"}},
		{"-ERR [SYS/TEMP x", POP3Reply{Text: "[SYS/TEMP x"}},
		{"-ERR x [AUTH]", POP3Reply{Text: "x [AUTH]"}},
	} {
		if got, err := parsePOP3Reply([]byte(test.line)); err != nil || got != test.want {
			t.Errorf("%q: got %+v, %v, want %+v", test.line, got, err, test.want)
		}
	}
	for _, line := range []string{"", " +OK", "+ok", "+Ok x", "+OK\tx", "+OKx", "+O", "+", "-err", "-ERRx", "-ERR\x00", "* OK", "220 smtp"} {
		if got, err := parsePOP3Reply([]byte(line)); !errors.Is(err, ErrProtocol) {
			t.Errorf("%q: got %+v, %v, want a protocol error", line, got, err)
		}
	}
}

// The library's own buffer must be empty whenever it has its answer: it asks,
// and the two listings that came in the same packet are read by us.
func TestLibraryTakesOneLine(t *testing.T) {
	t.Parallel()
	turn := playBackFrom(io.MultiReader(
		strings.NewReader("+OK 2 30\r\n+OK\r\n1 a\r\n2 b\r\n.\r\n+OK 2 messages\r\n1 10\r\n2 20\r\n.\r\n"),
		strings.NewReader("+OK bye\r\n"),
	), Limits{})
	library, err := gopop3.New(gopop3.Opt{Dialer: turn}).NewConn()
	if err != nil {
		t.Fatal(err)
	}
	turn.Queue("UIDL", "LIST")
	count, size, err := library.Stat()
	if count != 2 || size != 30 || err != nil {
		t.Fatalf("STAT: got %d, %d, %v", count, size, err)
	}
	if got, want := sent(turn), "STAT\r\nUIDL\r\nLIST\r\n"; got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
	for _, want := range []string{"1 a|2 b|", "1 10|2 20|"} {
		var got strings.Builder
		reply, err := turn.Listing(func(line []byte) { fmt.Fprintf(&got, "%s|", line) })
		if got.String() != want || !reply.OK || err != nil {
			t.Errorf("got %q, %+v, %v, want %q", got.String(), reply, err, want)
		}
	}
	if err := library.Quit(); err != nil {
		t.Error(err)
	}
	if got := turn.Reply(); got.Text != "bye" {
		t.Errorf("got %+v", got)
	}
	if !turn.Conn.Conn.(*recordedConn).closed {
		t.Error("the connection is open after QUIT")
	}
}

func TestLongAnswerReachesLibraryInPieces(t *testing.T) {
	t.Parallel()
	turn := playBack("+OK " + strings.Repeat("x", 7000) + "\r\n")
	if err := turn.Send("NOOP"); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for len(got) < 7006 {
		p := make([]byte, 4096)
		n, err := turn.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p[:n]...)
	}
	if !bytes.HasSuffix(got, []byte("xx\r\n")) {
		t.Errorf("it ends in %q", got[len(got)-4:])
	}
}

func TestCommandsCannotCarryOthers(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"RETR 1\r\nDELE 1", "RETR 1\n", "RETR\r1", "RETR \x00"} {
		turn := playBack("+OK\r\n+OK\r\n")
		if err := turn.Send(command); err == nil || sent(turn) != "" {
			t.Errorf("%q: got %v, sent %q", command, err, sent(turn))
		}
		turn = playBack("+OK\r\n+OK\r\n")
		if _, err := turn.Write([]byte(command + "\r\n")); err == nil || sent(turn) != "" {
			t.Errorf("%q by the library: got %v, sent %q", command, err, sent(turn))
		}
	}
	if _, err := playBack("").Write([]byte("NOOP")); err == nil {
		t.Error("half a command of the library was taken")
	}
}

// What stands behind the last answer would be taken for the answer to the
// next command.
func TestNobodyAskedForMore(t *testing.T) {
	t.Parallel()
	const more = "+OK nobody asked\r\n"
	for name, read := range map[string]func(*Turn) error{
		"answer":  func(turn *Turn) error { _, err := turn.Answer(); return err },
		"library": func(turn *Turn) error { _, err := turn.Read(make([]byte, 100)); return err },
		"listing": func(turn *Turn) error { _, err := turn.Listing(func([]byte) {}); return err },
		"message": func(turn *Turn) error {
			_, body, err := turn.Message()
			if err == nil {
				_, err = io.ReadAll(body)
			}
			return err
		},
	} {
		text := "+OK\r\n"
		if name == "listing" || name == "message" {
			text += "1 x\r\n.\r\n"
		}
		for _, test := range []struct {
			text string
			want error
		}{{text, nil}, {text + more, ErrProtocol}, {text + "\x00", ErrProtocol}} {
			turn := playBack(test.text)
			if err := turn.Send("X"); err != nil {
				t.Fatal(err)
			}
			if err := read(turn); !errors.Is(err, test.want) {
				t.Errorf("%s: %q: got %v, want %v", name, test.text, err, test.want)
			}
			if closed := turn.Conn.Conn.(*recordedConn).closed; closed != (test.want != nil) {
				t.Errorf("%s: %q: closed: %t", name, test.text, closed)
			}
		}
	}
}

// A comparison sees what came, and a person what is safe to see.
func TestAnswerIs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		answer  string
		matched bool
	}{{"+OK 1 hunter2", true}, {"-ERR 1 hunter2", false}, {"+OK 2 hunter2", false}} {
		turn := playBack(test.answer + "\r\n")
		turn.redact = func(s string) string { return strings.ReplaceAll(s, "hunter2", "***") }
		_ = turn.Send("UIDL 1") // it is only recorded
		matched, reply, err := turn.AnswerIs(func(text []byte) bool { return string(text) == "1 hunter2" })
		if matched != test.matched || err != nil || !matched && !strings.HasSuffix(reply.Text, " ***") {
			t.Errorf("%q: got %t, %+v, %v", test.answer, matched, reply, err)
		}
	}
	turn := playBack("+OK 1\r\nmore")
	_ = turn.Send("UIDL 1") // it is only recorded
	if _, _, err := turn.AnswerIs(func([]byte) bool { return true }); !errors.Is(err, ErrProtocol) {
		t.Errorf("more than the answer: got %v", err)
	}
}

func TestLinesAreBounded(t *testing.T) {
	t.Parallel()
	limits := Limits{Listing: 1000}
	for _, test := range []struct {
		name, text string
		want       error
	}{
		{"long status", "+OK " + strings.Repeat("x", maxStatusLine) + "\r\n", ErrTooMuch},
		{"endless status", "+OK " + strings.Repeat("x", 1<<20), ErrTooMuch},
		{"long line", "+OK\r\n" + strings.Repeat("x", maxListingLine) + "\r\n.\r\n", ErrTooMuch},
		{"many lines", "+OK\r\n" + strings.Repeat("1 x\r\n", 201) + ".\r\n", ErrTooMuch},
		{"as many as fit", "+OK\r\n" + strings.Repeat("1 x\r\n", 200) + ".\r\n", nil},
		{"status ends in LF", "+OK\n", ErrProtocol},
		{"line ends in LF", "+OK\r\n1 x\n.\r\n", ErrProtocol},
		{"end ends in LF", "+OK\r\n1 x\r\n.\n", ErrProtocol},
		{"cut", "+OK\r\n1 x\r\n.\r", io.ErrUnexpectedEOF},
		{"empty", "\r\n", ErrProtocol},
		{"refused", "-ERR\r\n", nil},
	} {
		turn := playBackFrom(strings.NewReader(test.text), limits)
		if err := turn.Send("UIDL"); err != nil {
			t.Fatal(err)
		}
		if _, err := turn.Listing(func([]byte) {}); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
		if err := turn.Err(); !errors.Is(err, test.want) {
			t.Errorf("%s: kept %v, want %v", test.name, err, test.want)
		}
	}
}

func TestListingLosesAddedDots(t *testing.T) {
	t.Parallel()
	turn := playBack("+OK\r\n..x\r\n.y\r\n\r\n.\r\n")
	if err := turn.Send("CAPA"); err != nil {
		t.Fatal(err)
	}
	var got []string
	if _, err := turn.Listing(func(line []byte) { got = append(got, string(line)) }); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%q", got) != `[".x" ".y" ""]` {
		t.Errorf("got %q", got)
	}
}

func TestMessageMustBeReadToItsEnd(t *testing.T) {
	t.Parallel()
	turn := playBack("+OK\r\n+OK I am no answer\r\n.\r\n+OK\r\n")
	if err := turn.Send("RETR 1", "NOOP"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := turn.Message(); err != nil {
		t.Fatal(err)
	}
	if reply, err := turn.Answer(); err == nil {
		t.Errorf("a body was taken for an answer: %+v", reply)
	}
}

// The first error is the last word, whatever is still buffered.
func TestNothingFollowsAnError(t *testing.T) {
	t.Parallel()
	turn := playBack("+OK 1\r\n+OK 2\r\n")
	if err := turn.Send("NOOP", "NOOP"); err != nil {
		t.Fatal(err)
	}
	if _, err := turn.Answer(); err != nil {
		t.Fatal(err)
	}
	cause := errors.New("the pass was cancelled")
	turn.Fail(cause)
	if reply, err := turn.Answer(); err != cause {
		t.Errorf("got %+v, %v, want %v", reply, err, cause)
	}
}

// The server's texts are foreign: they forge no log line and fill no screen.
func TestServerTextIsCleaned(t *testing.T) {
	t.Parallel()
	turn := playBack("-ERR \x1b[2Jgone\nx" + strings.Repeat("y", 1000) + "\r\n")
	_ = turn.Send("NOOP") // it is only recorded
	if _, err := turn.Answer(); err == nil || strings.ContainsAny(err.Error(), "\x1b\n") {
		t.Errorf("got %q", err)
	}
	turn = playBack("-ERR \x1b[2Jgone" + strings.Repeat("y", 1000) + "\r\n")
	_ = turn.Send("NOOP") // it is only recorded
	reply, err := turn.Answer()
	if err != nil || strings.Contains(reply.Text, "\x1b") || len(reply.Text) > 200 {
		t.Errorf("got %+v, %v", reply, err)
	}
}

// Every wait ends: a server that falls silent before or within each kind of
// answer costs one idle time-out, and one that sends a byte now and then costs
// the limit for one response.
func TestTurnNeverWaitsForEver(t *testing.T) {
	t.Parallel()
	limits := Limits{Idle: time.Minute, Response: 10 * time.Minute}
	for _, test := range []struct {
		text  string
		every time.Duration // a byte more
		want  time.Duration
	}{
		{"", 0, time.Minute},
		{"+O", 0, time.Minute},
		{"+OK\r\n1 a\r", 0, time.Minute},
		{"+OK ", 50 * time.Second, 10 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			turn := newTurn(newConn(client, limits.WithDefaults(), nil), func(s string) string { return s })
			var talking sync.WaitGroup
			talking.Go(func() { trickle(server, test.text, test.every) })
			start := time.Now()
			if err := turn.Send("UIDL"); err != nil {
				t.Fatal(err)
			}
			_, err := turn.Listing(func([]byte) {})
			if took := time.Since(start); !errors.Is(err, ErrTimeout) || took != test.want {
				t.Errorf("%q every %v: got %v after %v, want a time-out after %v", test.text, test.every, err, took, test.want)
			}
			_ = server.Close() // ends trickle
			talking.Wait()
		})
	}
}

// trickle takes one command and sends text, and then a byte now and then, until
// the connection is closed.
func trickle(conn net.Conn, text string, every time.Duration) {
	buf := make([]byte, 100)
	_, _ = conn.Read(buf)           // the command
	_, _ = conn.Write([]byte(text)) // an error ends the loops below
	for every > 0 {
		time.Sleep(every)
		if _, err := conn.Write([]byte("x")); err != nil {
			return
		}
	}
	_, _ = conn.Read(buf) // until the other side closes
}

func FuzzPOP3Reply(f *testing.F) {
	for _, seed := range []string{"+OK", "-ERR [SYS/TEMP] x", "", "+OKx", "-ERR [", "-ERR []", "+OK  [AUTH]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		reply, err := parsePOP3Reply(line)
		ok := bytes.Equal(line, []byte("+OK")) || bytes.HasPrefix(line, []byte("+OK "))
		no := bytes.Equal(line, []byte("-ERR")) || bytes.HasPrefix(line, []byte("-ERR "))
		if (err == nil) != (ok || no) || reply.OK != ok {
			t.Errorf("%q: got %+v, %v", line, reply, err)
		}
	})
}

func FuzzListing(f *testing.F) {
	f.Add([]byte("+OK\r\n1 a\r\n2 b\r\n.\r\n"))
	f.Add([]byte("+OK\r\n..\r\n.\n.\r\n"))
	f.Add([]byte("-ERR\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var whole, bytewise []string
		turn := playBackFrom(bytes.NewReader(text), Limits{})
		_ = turn.Send("UIDL") // it is only recorded
		reply, err := turn.Listing(func(line []byte) { whole = append(whole, string(line)) })
		if err == nil && reply.OK && !bytes.HasSuffix(text, []byte("\r\n.\r\n")) {
			t.Errorf("%q ends without its end", text)
		}
		// The lines do not depend on how the network cuts them.
		turn = playBackFrom(iotest.OneByteReader(bytes.NewReader(text)), Limits{})
		_ = turn.Send("UIDL") // it is only recorded
		if _, err := turn.Listing(func(line []byte) { bytewise = append(bytewise, string(line)) }); err != nil {
			return
		}
		if err == nil && fmt.Sprint(whole) != fmt.Sprint(bytewise) {
			t.Errorf("got %q and bytewise %q", whole, bytewise)
		}
	})
}
