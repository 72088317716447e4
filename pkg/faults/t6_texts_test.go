package faults

import (
	"fmt"
	"strings"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// t6On is a hook that answers one line.
func t6On(command string, answer func(c *mailtest.POP3Talk)) func(c *mailtest.POP3Talk, line string) bool {
	return func(c *mailtest.POP3Talk, line string) bool {
		if line == command {
			answer(c)
		}
		return line == command
	}
}

// t6Never says that the server heard a command that is never to be said.
func t6Never(s *mailtest.POP3Server, command string) error {
	if heard := s.Heard(command); len(heard) > 0 {
		return fmt.Errorf("heard %q", heard)
	}
	return nil
}

// t6Texts are the cases of texts that would drive a terminal, forge a line of
// the log, or fill a disk. Every check looks at every text; here they are.
func t6Texts() []t6Case {
	var cases []t6Case
	for name, text := range map[string]string{
		"an escape":       "\x1b[2J\x1b]0;owned\x07",
		"NUL":             "\x00\x00",
		"bare returns":    "a\rlevel=ERROR msg=forged\r",
		"not UTF-8":       "\xff\xfe\xc0\x80",
		"backwards":       "\u202etxt.exe\u2066",
		"wide":            strings.Repeat("\u3000", 3000/3),
		"8 KB":            strings.Repeat("x", 8<<10-20),
		"quotes":          strings.Repeat(`"`, 4<<10),
		"back slashes":    strings.Repeat(`\`, 4<<10),
		"the password":    "PASS " + password + " is wrong",
		"the response":    "AUTH PLAIN " + t6Response + " is wrong",
		"codes in a row":  "[AUTH] [IN-USE] [SYS/TEMP] x",
		"an open bracket": "[AUTH " + strings.Repeat("x", 2000),
	} {
		for _, command := range []string{"", t6Response, "STAT", "RETR 2"} {
			cases = append(cases, t6Case{
				row: "P-14", name: name + " to " + t6Name(command),
				says: map[string]string{command: "-ERR " + text + "\r\n"},
				want: t6TextWant(name, command), kept: map[string][]int{"RETR 2": {1, 3}}[command],
			})
		}
	}
	return append(cases, t6LongLines()...)
}

// t6TextWant is what a refusal means whose text is odd.
func t6TextWant(name, command string) t6Want {
	want := t6Want{class: mail.ClassServer, scope: mail.ScopeAccount}
	if command == "RETR 2" {
		want.scope = mail.ScopeMessage
	}
	if command == t6Response || name == "codes in a row" {
		want.class, want.retry = mail.ClassAuth, mail.RetryNever
	}
	return want
}

// t6LongLines are the cases of status lines that are too long.
func t6LongLines() []t6Case {
	var cases []t6Case
	for name, n := range map[string]int{"8 KB and more": 9 << 10, "64 KiB": 64 << 10, "1 MB": 1 << 20} {
		for _, command := range []string{"", "CAPA", t6Response, "STAT", "UIDL 1", "RETR 2"} {
			c := t6Case{
				row: "P-8", name: "a status line of " + name + " to " + t6Name(command),
				says: map[string]string{command: "+OK " + strings.Repeat("x", n) + "\r\n"},
				want: t6Want{class: mail.ClassProtocol, scope: mail.ScopeAccount, text: "a line of more than"},
			}
			if command == "RETR 2" {
				c.want.scope, c.kept = mail.ScopeMessage, []int{1, 3}
			}
			cases = append(cases, c)
		}
	}
	return cases
}

// t6Signs are the cases of servers that know little, or much that nobody uses.
func t6Signs() []t6Case {
	capable := func(row, name string, caps ...string) t6Case {
		return t6Case{row: row, name: name, serve: func(s *mailtest.POP3Server) { s.Caps = caps }}
	}
	apop := capable("V10", "APOP is offered", "USER")
	apop.says = map[string]string{"": "+OK ready <1896.697170952@pop.example.com>\r\n"}
	old := capable("P-10", "no CAPA")
	old.says = map[string]string{"CAPA": "-ERR what?\r\n"}
	batches := t6Case{row: "P-11", name: "commands travel together", writes: 8}
	twice := t6Case{row: "EAST auth", name: "signed in before it was told who we are", silent: true,
		says: map[string]string{"AUTH PLAIN": "+OK in\r\n"}, want: t6Want{class: mail.ClassProtocol, scope: mail.ScopeAccount}}
	more := twice
	more.name, more.silent = "a challenge more", false
	more.says = map[string]string{t6Response: "+ bW9yZQ==\r\n"}
	long := more
	long.name, long.silent = "a challenge of 1 MB", true
	long.says = map[string]string{"AUTH PLAIN": "+ " + strings.Repeat("A", 1<<20) + "\r\n"}
	early := more
	early.name, early.silent = "the answer with the challenge", true
	early.says = map[string]string{"AUTH PLAIN": "+ \r\n+OK in\r\n"}
	leak := t6Case{
		row: "P-6", name: "a greeting that refuses closes the connection, 20 times", passes: 20, silent: true,
		says: map[string]string{"": "-ERR closed\r\n"}, want: t6Want{class: mail.ClassServer, scope: mail.ScopeAccount},
		heard: func(s *mailtest.POP3Server) error { // each pass waits until its server's connection has ended
			if s.Sessions() != 20 {
				return fmt.Errorf("%d connections", s.Sessions())
			}
			return t6Never(s, "")
		},
	}
	return []t6Case{
		leak, apop, old, batches, twice, more, long, early,
		capable("P-10", "USER only", "USER"),
		capable("P-10", "mechanisms that nobody should use", "SASL CRAM-MD5 DIGEST-MD5 NTLM GSSAPI", "USER"),
		capable("P-10", "UTF8 and LANG", "UTF8 USER", "LANG", "SASL PLAIN", "UIDL"),
		capable("P-10", "nothing"),
		capable("P-10", "odd lines", "", " ", "\t", "SASL", "PIPELINING PIPELINING", "\x00", "\xff", "SASL plain", "IMPLEMENTATION \x1b[2J"),
	}
}
