package pop3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

// playedConn plays a server that says something whatever it hears.
type playedConn struct {
	net.Conn // nil: nothing else is called
	in       io.Reader
}

func (c *playedConn) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *playedConn) Write(p []byte) (int, error)      { return len(p), nil }
func (c *playedConn) Close() error                     { return nil }
func (c *playedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *playedConn) SetWriteDeadline(time.Time) error { return nil }
func (c *playedConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 110}
}

// pieces gives each text to a Read of its own, so that no answer arrives
// before its command.
func pieces(texts [][]byte) io.Reader {
	readers := make([]io.Reader, len(texts))
	for i, text := range texts {
		readers[i] = bytes.NewReader(text)
	}
	return io.MultiReader(readers...)
}

// FuzzSession plays a whole session. Whatever the server says, nothing panics,
// every error is typed, and a message that is settled has its bytes in what
// the server said.
func FuzzSession(f *testing.F) {
	const opening = "+OK\x00+OK\r\nSASL PLAIN\r\nPIPELINING\r\n.\r\n\x00+ \r\n\x00+OK\r\n\x00"
	listing := "+OK 2 20\r\n+OK\r\n1 a\r\n2 b\r\n.\r\n+OK 1 a\r\n\x00"
	f.Add([]byte("+OK\r\n\x00" + opening[4:] + listing + "+OK\r\nx\r\n..y\r\n.\r\n+OK\r\nz\n.\n\r\n.\r\n+OK 2 b\r\n\x00+OK\r\n"))
	f.Add([]byte("+OK\r\n\x00" + opening[4:] + listing + "-ERR\r\n+OK\r\nx\r\n.\r\n-ERR [SYS/TEMP]\r\n+OK 2 b\r\n\x00-ERR\r\n"))
	f.Add([]byte("+OK\r\n\x00-ERR\r\n\x00+OK\r\n\x00+OK\r\n\x00+OK 0 0\r\n\x00+OK\r\n.\r\n\x00+OK\r\n.\r\n\x00+OK\r\n"))
	f.Add([]byte("-ERR [IN-USE]\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		texts := bytes.Split(data, []byte{0})
		source := (&maildrop{}).dialled(wire.Limits{Listing: 1 << 16}, func(context.Context, string, string) (net.Conn, error) {
			return &playedConn{in: pieces(texts)}, nil
		})
		r := newReceiver()
		err := whole(t.Context(), source, r)
		var e *mail.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%q: an untyped error: %v", data, err)
		}
		said := string(bytes.ReplaceAll(data, []byte{0}, nil))
		for uidl, got := range r.settled {
			if got.err == nil && !saidBody(said, got.body) {
				t.Errorf("%q: %q was settled with %q", data, uidl, got.body)
			}
		}
	})
}

// saidBody reports whether a body stands in what the server said, between a
// line's beginning and a strict end, with or without its added dots.
func saidBody(said, body string) bool {
	pattern := ""
	for _, line := range strings.SplitAfter(body, "\r\n") {
		if strings.HasPrefix(line, ".") {
			pattern += `\.?`
		}
		for i := range len(line) {
			pattern += fmt.Sprintf(`\x%02x`, line[i])
		}
	}
	latin1 := func(s string) string { // one rune for each byte
		var b strings.Builder
		for i := range len(s) {
			b.WriteRune(rune(s[i]))
		}
		return b.String()
	}
	return regexp.MustCompile(`\r\n` + pattern + `\.\r\n`).MatchString(latin1(said))
}

// FuzzColumn compares the parser with the rule as a pattern.
func FuzzColumn(f *testing.F) {
	f.Add([]byte("1 a\n2 b\n3 c"))
	f.Add([]byte("3 a\n2 b\n1 c"))
	f.Add([]byte("1 a\n1 b\n3 c"))
	f.Add([]byte(" 1  a \n2\tb\n3 \tc"))
	f.Add([]byte("01 a\n+2 b\n3  c"))
	rule := regexp.MustCompile(`^[ \t]*([0-9]+) [ \t]*[!-~]{1,512}[ \t]*$`)
	f.Fuzz(func(t *testing.T, data []byte) {
		l := newListing(3, wire.Text)
		c := &column{listing: l}
		right := true
		seen := map[int]bool{}
		for line := range bytes.SplitSeq(data, []byte("\n")) {
			c.add(line)
			match := rule.FindSubmatch(line)
			if match == nil {
				right = false
				continue
			}
			n, err := strconv.Atoi(string(match[1]))
			right = right && err == nil && n >= 1 && n <= 3 && !seen[n]
			seen[n] = true
		}
		right = right && len(seen) == 3
		if err := c.check(); (err == nil) != right {
			t.Errorf("%q: got %v, right: %t", data, err, right)
		}
		if right {
			for i, uidl := range l.uidls {
				if uidl == "" {
					t.Errorf("%q: message %d has no unique-id", data, i+1)
				}
			}
		}
	})
}
