package faults

import (
	"fmt"
	"slices"
	"strings"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// t6UIDLs are unique-ids that must survive every file of the account: each
// becomes a message of one maildrop.
func t6UIDLs() map[string][]string {
	var printable []string
	for c := byte('!'); c <= '~'; c++ {
		printable = append(printable, string([]byte{c}))
	}
	var lengths []string
	for n := 1; n <= 512; n += 7 {
		lengths = append(lengths, strings.Repeat("u", n))
	}
	return map[string][]string{
		"one character each": printable,
		"1 to 512 bytes":     append(lengths, strings.Repeat("v", 512), strings.Repeat(`\`, 512), strings.Repeat(`"`, 512)),
		"numbers":            {"1", "2", "3", "01", "+1", "-1", "0x1", "18446744073709551616"},
		"not in order":       {"z", "a", "m", "B", "A"},
		"looks like a path":  {"/", "..", "../../etc/passwd", "a/b", "a\\b", "C:", ".", "~", "%2e%2e%2f", "cur", "new", "tmp"},
		"looks like a record": {
			"#comment", "#", `"quoted"`, `\x00`, "a,b", "a:2,S", "a=b", "key=value", "u1..u9", "-", "--", "checkpoint", "complete", "INBOX",
		},
		"looks like an answer": {"+OK", "-ERR", ".", "..", "...", "RETR", "*", "{3}", "[AUTH]"},
		"differ in case only":  {"abc", "ABC", "Abc"},
	}
}

// t6Identities are the cases of unique-ids that must be taken as they are. The
// second pass must find nothing new.
func t6Identities() []t6Case {
	var cases []t6Case
	for name, uidls := range t6UIDLs() {
		c := t6Case{row: "V17", name: name, passes: 2}
		if name == "looks like a path" {
			c.row = "V2"
		}
		for i, uidl := range uidls {
			c.drop = append(c.drop, mailtest.POP3Message{UIDL: uidl, Body: fmt.Sprintf("Subject: %d\r\n\r\n", i)})
		}
		c.heard = func(s *mailtest.POP3Server) error {
			if n := len(s.Heard("RETR")); n != len(uidls) {
				return fmt.Errorf("%d messages were asked for, want %d", n, len(uidls))
			}
			return nil
		}
		cases = append(cases, c)
	}
	slices.SortFunc(cases, func(a, b t6Case) int { return strings.Compare(a.name, b.name) })
	return cases
}

// t6Listings are the cases of UIDL and STAT that do not agree or make no sense: nothing is fetched, because nobody knows which message is which.
func t6Listings() []t6Case {
	mailbox := t6Want{class: mail.ClassProtocol, scope: mail.ScopeMailbox}
	var cases []t6Case
	add := func(row, command string, want t6Want, lines ...string) {
		cases = append(cases, t6Case{
			row: row, name: fmt.Sprintf("%s says %.50q", command, lines), want: want,
			says: map[string]string{command: "+OK\r\n" + strings.Join(append(lines, "."), "\r\n") + "\r\n"},
		})
	}
	for _, lines := range [][]string{
		{}, {"1 u1", "2 u2"}, {"1 u1", "2 u2", "3 u3", "4 u4"}, // too few, too many
		{"1 u1", "2", "3 u3"}, {"1 u1", "", "3 u3"}, {"1 u1", "2 ", "3 u3"}, // no id: go-pop3 ends the list here
		{"1 u1", "u2", "3 u3"}, {"1 u1", "x u2", "3 u3"}, {"1 u1", "2\tu2", "3 u3"}, // no number
		{"1 u1", "1 u2", "3 u3"}, {"1 u1", "2 u2", "4 u3"}, {"0 u1", "1 u2", "2 u3"}, // twice, a gap, from 0
		{"1 u1", "-2 u2", "3 u3"}, {"1 u1", "+2 u2", "3 u3"}, {"1 u1", "2.0 u2", "3 u3"},
		{"1 u1", "18446744073709551618 u2", "3 u3"}, {"1 u1", "4294967298 u2", "3 u3"},
		{"1 u1", "2 u 2", "3 u3"}, {"1 u1", "2 u2 x", "3 u3"}, // a blank inside
		{"1 u1", "2 u\x002", "3 u3"}, {"1 u1", "2 \x1b[2Ju2", "3 u3"}, {"1 u1", "2 u\x7f", "3 u3"}, // controls
		{"1 u1", "2 u\xff", "3 u3"}, {"1 u1", "2 ü", "3 u3"}, {"1 u1", "2 u\r", "3 u3"},
		{"1 u1", "2 " + strings.Repeat("u", 513), "3 u3"}, // too long
	} {
		add("P-3", "UIDL", mailbox, lines...)
	}
	for _, line := range []string{"1 u1\n2 u2\n3 u3", "1 u1\r\n2 u2\n.\r\n"} {
		add("P-1", "UIDL", t6Want{class: mail.ClassProtocol, scope: mail.ScopeAccount, text: "CRLF"}, line)
	}
	long := strings.Repeat("u", 64<<10)
	tooLong := t6Want{class: mail.ClassProtocol, scope: mail.ScopeAccount, text: "a line of more than"}
	add("P-8", "UIDL", tooLong, "1 "+long)
	add("P-8", "CAPA", tooLong, long)
	return cases
}

// t6SizeLies are the cases of sizes that are wrong: nothing depends on them.
func t6SizeLies() []t6Case {
	var cases []t6Case
	for _, size := range []string{"0", "1", "00000000000000000000028", "2147483647", "2147483648", "4294967295", "4294967296", "9223372036854775807", "71 more words"} {
		cases = append(cases, t6Case{row: "V3", name: "STAT says " + size, says: map[string]string{"STAT": "+OK 3 " + size + "\r\n"}})
	}
	return cases
}

// t6Stats are the cases of STAT that make no sense, or not the same as the
// list.
func t6Stats() []t6Case {
	var cases []t6Case
	for _, text := range []string{
		"", " ", " 3", " x 71", " 3 x", " -3 71", " 3 -71", " 99999999999999999999 71", " 3 99999999999999999999",
		" 1000001 71", " 2147483648 71", " 3.0 71", " 3 71 \x1b[2J\x00",
	} {
		c := t6Case{
			row: "P-3", name: fmt.Sprintf("STAT says %q", "+OK"+text), says: map[string]string{"STAT": "+OK" + text + "\r\n"},
			want: t6Want{class: mail.ClassProtocol, scope: mail.ScopeAccount},
		}
		cases = append(cases, c)
	}
	cases[len(cases)-1].want = t6Want{} // what stands behind the two numbers is the server's affair
	for _, count := range []string{"0", "2", "4", "1000000"} {
		cases = append(cases, t6Case{
			row: "P-3", name: "STAT counts " + count, says: map[string]string{"STAT": "+OK " + count + " 71\r\n"},
			want: t6Want{class: mail.ClassProtocol, scope: mail.ScopeMailbox},
		})
	}
	return cases
}

// t6LongIdentities are the cases of errors that name a long unique-id.
func t6LongIdentities() []t6Case {
	var cases []t6Case
	for _, piece := range []string{"u", `\`, `"`} {
		uidl := strings.Repeat(piece, 512)
		cases = append(cases, t6Case{
			row: "V17", name: "a failure of a message named 512 times " + piece,
			drop: []mailtest.POP3Message{{UIDL: uidl, Body: "1\r\n"}},
			says: map[string]string{"RETR 1": "-ERR " + strings.Repeat(piece, 500) + "\r\n"},
			want: t6Want{class: mail.ClassServer, scope: mail.ScopeMessage},
		})
	}
	return cases
}

// t6Again are the cases of lists that are odd and yet tell which message is
// which.
func t6Again() []t6Case {
	list := func(name string, lines ...string) t6Case {
		return t6Case{row: "P-3", name: name, says: map[string]string{"UIDL": "+OK\r\n" + strings.Join(lines, "\r\n") + "\r\n.\r\n"}}
	}
	cases := []t6Case{
		list("UIDL out of order", "3 u3", "1 u1", "2 u2"),
		list("UIDL padded", " 1  u1 ", "2 \tu2", "0003 u3"),
	}
	double := t6Case{
		row: "P-3", name: "two messages with one unique-id",
		drop: []mailtest.POP3Message{{UIDL: "same", Body: "1\r\n"}, {UIDL: "other", Body: "2\r\n"}, {UIDL: "same", Body: "3\r\n"}},
		want: t6Want{class: mail.ClassProtocol, scope: mail.ScopeMessage, text: "have the same unique-id"}, kept: []int{1, 2},
	}
	// The next pass has the message that cannot be had in quarantine.
	quiet := double
	quiet.name, quiet.passes, quiet.want = "two messages with one unique-id, once more", 2, t6Want{}
	quiet.heard = func(s *mailtest.POP3Server) error {
		if heard := s.Heard("RETR"); len(heard) != 2 {
			return fmt.Errorf("heard %q", heard)
		}
		return nil
	}
	return append(cases, double, quiet)
}
