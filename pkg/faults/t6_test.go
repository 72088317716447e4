package faults

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"mailpull/pkg/mailtest"
)

// T6: whatever a POP3 server says, the pass over it ends in bounded time and
// memory, says in one printable line what is wrong, stores no byte that is not
// the message's, and keeps every message that can be had.

// t6Cases returns all cases in an order that stays.
func t6Cases(t *testing.T) []t6Case {
	cases := slices.Concat(
		t6Status(), t6LineEnds(), t6Refusals(), t6Codes(), t6GoodCodes(), t6HangUps(), t6Stalls(),
		t6Dots(), t6Bodies(), t6Ends(), t6Counts(), t6Credentials(),
		t6Identities(), t6LongIdentities(), t6Listings(), t6SizeLies(), t6Stats(), t6Again(),
		newT6TLS(t).t6STLS(), t6Texts(), t6Signs(), t6Bombs(),
	)
	slices.SortFunc(cases, func(a, b t6Case) int {
		return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.name, b.name))
	})
	return cases
}

func TestT6HostilePOP3(t *testing.T) {
	n := 0
	cases := t6Cases(t)
	for i := 0; i < len(cases); i += mailtest.Every(7) {
		n++
		t.Run(cases[i].row+"/"+cases[i].name, cases[i].test)
	}
	mailtest.Figure(t, "T6", "hostile POP3 cases", n, 140)
}

// Every row of what go-pop3 does wrong, and every row of the mistakes of others
// that a POP3 client can make, has a case.
func TestT6HasEveryRow(t *testing.T) {
	t.Parallel()
	rows := []string{"V2", "V3", "V5", "V10", "V14", "V15", "V17", "V22", "EAST greeting", "EAST capa", "EAST stls", "EAST auth"}
	for n := 1; n <= 15; n++ {
		rows = append(rows, fmt.Sprint("P-", n))
	}
	cases := t6Cases(t)
	for _, row := range rows {
		if !slices.ContainsFunc(cases, func(c t6Case) bool { return c.row == row }) {
			t.Errorf("no case for row %s", row)
		}
	}
	names := make(map[string]bool)
	for _, c := range cases {
		if name := c.row + "/" + c.name; names[name] {
			t.Errorf("two cases with the name %s", name)
		} else {
			names[name] = true
		}
	}
}

// t6Crumbs sends every byte by itself.
type t6Crumbs struct{ net.Conn }

func (c t6Crumbs) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// The matrix and the odd messages in one maildrop, whose bytes come one by one:
// what a reader takes for an end must not depend on where a packet ends.
func TestT6ByteByByte(t *testing.T) {
	bodies := slices.DeleteFunc(append(t6Matrix(), t6Odd()...), func(body string) bool { return len(body) > 1<<10 })
	for _, caps := range [][]string{{"SASL PLAIN", "PIPELINING"}, {"SASL PLAIN"}} {
		t6Case{
			row: "P-1", name: strings.Join(caps, " "), drop: mailtest.POP3Messages(bodies...),
			serve: func(s *mailtest.POP3Server) { s.Caps = caps },
			wrap:  func(conn net.Conn) net.Conn { return t6Crumbs{conn} },
		}.test(t)
	}
}
