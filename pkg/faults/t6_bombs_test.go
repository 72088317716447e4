package faults

import (
	"fmt"
	"net"
	"strings"
	"testing/synctest"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/wire"
)

const (
	// t6Room is how much memory a server may cost.
	t6Room = 16 << 20

	// t6Endless is how much an endless server says at most: more than every
	// limit allows.
	t6Endless = 160 << 20
)

// t6Scale is the server's side of a connection on which memory is weighed:
// behind each of the first writes, and behind each 4 MiB, when everybody waits
// for more.
type t6Scale struct {
	net.Conn
	run     *t6Run
	writes  int
	unheard int // bytes since memory was last looked at
}

// Write implements net.Conn.
func (s *t6Scale) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	s.writes++
	if s.unheard += n; s.unheard < 4<<20 && s.writes > 8 {
		return n, err
	}
	s.unheard = 0
	if s.run.weighing.TryLock() { // the server of an earlier session may be about it
		defer s.run.weighing.Unlock()
		synctest.Wait()
		s.run.peak = max(s.run.peak, t6Heap())
	}
	return n, err
}

// t6Flood says head, then text without end.
func t6Flood(command, head, text string) func(c *mailtest.POP3Talk, line string) bool {
	const atOnce = 64 << 10
	return t6On(command, func(c *mailtest.POP3Talk) {
		c.Raw(head)
		chunk := strings.Repeat(text, atOnce/len(text))
		for said := 0; said < t6Endless && c.Alive(); said += len(chunk) {
			c.Raw(chunk)
		}
	})
}

// t6Bombs are the cases of servers that say more than memory holds.
func t6Bombs() []t6Case {
	bomb := func(row, name, command, head, text string) t6Case {
		return t6Case{
			row: row, name: name, heap: t6Room, on: t6Flood(command, head, text),
			client: func(o *wire.Options) { o.Limits.Listing = 4 << 20 },
			want:   t6Want{class: mail.ClassProtocol, scope: mail.ScopeAccount, text: "more than"},
		}
	}
	cases := []t6Case{
		bomb("V14", "a greeting without end", "", "+OK ", "x"),
		bomb("V14", "a status line without end", "STAT", "+OK 3 ", "7"),
		bomb("V14", "a line of UIDL without end", "UIDL", "+OK\r\n1 ", "x"),
		bomb("V14", "CAPA without end", "CAPA", "+OK\r\n", "SASL PLAIN\r\n"),
		bomb("V15", "UIDL without end", "UIDL", "+OK\r\n", "1 u1\r\n"),
		bomb("V15", "empty lines without end", "UIDL", "+OK\r\n", "\r\n"),
		bomb("V15", "answers that nobody asked for", "STAT", "+OK 0 0\r\n", "+OK\r\n.\r\n"),
		bomb("P-8", "a challenge without end", "AUTH PLAIN", "+ ", "A"),
	}
	cases = append(cases, t6StatLie())
	full := bomb("V15", "UIDL without end, by the limit of the program", "UIDL", "+OK\r\n", "4 unique-id-of-a-message\r\n")
	full.client = nil
	cases = append(cases, full)
	for i := range cases {
		if cases[i].name == "answers that nobody asked for" {
			cases[i].want.text = ""
		}
	}
	return append(cases, t6BodyBombs()...)
}

// t6StatLie is a server that counts a million messages and lists a few. It
// waits in the middle of the list, where memory is looked at.
func t6StatLie() t6Case {
	c := t6Case{
		row: "V15", name: "STAT counts a million", heap: t6Room,
		want: t6Want{class: mail.ClassProtocol, scope: mail.ScopeMailbox, text: "STAT counts 1000000"},
	}
	c.on = func(c *mailtest.POP3Talk, line string) bool {
		switch line {
		case "STAT":
			c.Raw("+OK 1000000 71\r\n")
		case "UIDL":
			c.Raw("+OK\r\n1 u1\r\n")
			c.Flush()
		case "UIDL 1":
			c.Raw(".\r\n")
			c.Answer(line)
		default:
			return false
		}
		return true
	}
	return c
}

// t6BodyBombs are the cases of messages without end.
func t6BodyBombs() []t6Case {
	var cases []t6Case
	for name, text := range map[string]string{
		"lines": "x\r\n", "no line end": "x", "dots": "..\r\n", "bare LF": "\n.\n", "returns": "\r", "NUL": "\x00", "half an end": "\r\n.\r",
	} {
		cases = append(cases, t6Case{
			row: "P-8", name: "a message without end: " + name, heap: t6Room,
			on:     t6Flood("RETR 2", "+OK\r\n", text),
			client: func(o *wire.Options) { o.Limits.Literal = 4 << 20 },
			want:   t6Want{class: mail.ClassProtocol, scope: mail.ScopeMessage, text: fmt.Sprint("more than ", 4<<20, " bytes")}, kept: []int{1, 3},
		})
	}
	return cases
}
