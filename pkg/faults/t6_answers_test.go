package faults

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/wire"
)

// t6Commands are the lines of a client in one session over t6Drop, in their
// order, the greeting first.
func t6Commands() []string {
	return []string{
		"", "CAPA", "AUTH PLAIN", t6Response, "STAT", "UIDL", "UIDL 1",
		"RETR 1", "RETR 2", "UIDL 2", "RETR 3", "UIDL 3", "QUIT",
	}
}

// t6Name names a line of the client.
func t6Name(command string) string {
	switch command {
	case "":
		return "greeting"
	case t6Response:
		return "the response"
	}
	return command
}

// t6NoSASL makes a server that knows USER and PASS only.
func t6NoSASL(s *mailtest.POP3Server) { s.Caps = []string{"USER", "UIDL", "PIPELINING"} }

// t6Status are the cases of lines that are no status line, above all the empty
// one, which go-pop3 takes for success.
func t6Status() []t6Case {
	var cases []t6Case
	account := t6Want{class: mail.ClassProtocol, scope: mail.ScopeAccount, text: "neither +OK nor -ERR"}
	add := func(line, command string) {
		c := t6Case{
			row: "P-4", name: fmt.Sprintf("%q to %s", line, t6Name(command)),
			says: map[string]string{command: line + "\r\n"}, want: account,
		}
		if command == "RETR 2" {
			c.want.scope, c.kept = mail.ScopeMessage, []int{1, 3}
		}
		if command == "USER "+username || command == "PASS "+password {
			c.name = fmt.Sprintf("%q to %.4s", line, command)
			c.serve = t6NoSASL
		}
		cases = append(cases, c)
	}
	for _, command := range []string{"", "CAPA", "AUTH PLAIN", t6Response, "USER " + username, "PASS " + password, "STAT", "UIDL", "RETR 2"} {
		for _, line := range []string{"", "+ok", "+OKtext"} {
			add(line, command)
		}
	}
	for _, line := range []string{"+OK\tin", " +OK", "OK", "* OK", "-err", "-ERRtext", "+", "+OK\x00", "A1 OK"} {
		add(line, t6Response)
	}
	return cases
}

// t6LineEnds are the cases of status lines that do not end in CRLF.
func t6LineEnds() []t6Case {
	var cases []t6Case
	for _, command := range []string{"", "CAPA", t6Response, "STAT", "UIDL"} {
		c := t6Case{
			row: "P-1", name: "a bare LF behind the status of " + t6Name(command),
			says: map[string]string{command: "+OK 3 71\n"},
			want: t6Want{class: mail.ClassProtocol, scope: mail.ScopeAccount, text: "does not end in CRLF"},
		}
		cases = append(cases, c)
	}
	return cases
}

// t6Refusals are the cases of -ERR to each command.
func t6Refusals() []t6Case {
	refused := func(command string, want t6Want, kept ...int) t6Case {
		want.text = "not today"
		return t6Case{
			row: "EAST -ERR", name: "-ERR to " + t6Name(command), want: want, kept: kept,
			says: map[string]string{command: "-ERR not today\r\n"},
		}
	}
	complete := func(command string) t6Case {
		c := refused(command, t6Want{})
		c.want.text = ""
		return c
	}
	account := func(class mail.Class, retry mail.Retry) t6Want {
		return t6Want{class: class, scope: mail.ScopeAccount, retry: retry}
	}
	user, pass := "USER "+username, "PASS "+password
	cases := []t6Case{
		refused("", account(mail.ClassServer, mail.RetryLater)),
		complete("CAPA"),
		refused("AUTH PLAIN", account(mail.ClassAuth, mail.RetryNever)),
		refused(t6Response, account(mail.ClassAuth, mail.RetryNever)),
		refused(user, account(mail.ClassAuth, mail.RetryNever)),
		refused(pass, account(mail.ClassAuth, mail.RetryNever)),
		refused("STAT", account(mail.ClassServer, mail.RetryLater)),
		refused("UIDL", t6Want{class: mail.ClassServer, scope: mail.ScopeMailbox, retry: mail.RetryNever}),
		complete("UIDL 1"),
		refused("RETR 1", t6Want{class: mail.ClassServer, scope: mail.ScopeMessage}, 2, 3),
		refused("RETR 2", t6Want{class: mail.ClassServer, scope: mail.ScopeMessage}, 1, 3),
		complete("QUIT"),
	}
	for i := range cases {
		if cases[i].says[user] != "" || cases[i].says[pass] != "" {
			cases[i].name = cases[i].name[:len("-ERR to USER")]
			cases[i].serve = t6NoSASL
		}
	}
	// The proof behind a message is refused: the answers cannot be trusted, and
	// the message that is read by itself is the one to blame.
	proof := refused("UIDL 2", t6Want{class: mail.ClassProtocol, scope: mail.ScopeMessage}, 1, 3)
	all := refused("every RETR", t6Want{class: mail.ClassServer, scope: mail.ScopeMessage})
	all.says = map[string]string{"RETR 1": "-ERR not today\r\n", "RETR 2": "-ERR not today\r\n", "RETR 3": "-ERR not today\r\n"}
	return append(cases, proof, all)
}

// t6Codes are the cases of response codes, where they belong and where nobody
// asked for them.
func t6Codes() []t6Case {
	var cases []t6Case
	for _, command := range []string{"", t6Response, "STAT", "UIDL", "RETR 2"} {
		for _, code := range []string{"IN-USE", "SYS/TEMP", "SYS/PERM", "AUTH", "LOGIN-DELAY", "X-OTHER"} {
			c := t6Case{
				row: "V5", name: fmt.Sprintf("[%s] to %s", code, t6Name(command)),
				says: map[string]string{command: "-ERR [" + code + "] what\r\n"},
				want: t6CodeWant(code, command),
			}
			if command == "RETR 2" {
				c.kept = []int{1, 3}
			}
			cases = append(cases, c)
		}
	}
	return cases
}

// t6GoodCodes are the cases of codes of failure in answers that say +OK.
func t6GoodCodes() []t6Case {
	var cases []t6Case
	for command, answer := range map[string]string{
		"": "+OK [AUTH] hello", t6Response: "+OK [SYS/PERM] in", "STAT": "+OK 3 71 [IN-USE]", "QUIT": "+OK [SYS/TEMP]",
		"RETR 2": "+OK [IN-USE]\r\nSubject: two\r\n\r\n..second\r\n.",
	} {
		cases = append(cases, t6Case{
			row: "V5", name: "a code of failure in the +OK to " + t6Name(command),
			on: func(c *mailtest.POP3Talk, line string) bool {
				if line != command {
					return false
				}
				if line == t6Response {
					c.SignIn()
				}
				c.Raw(answer + "\r\n")
				return true
			},
		})
	}
	return cases
}

// t6CodeWant is what a code means as the answer to a command. What it says
// counts more than where it stands.
func t6CodeWant(code, command string) t6Want {
	want := t6Want{class: mail.ClassServer, scope: mail.ScopeAccount, text: "[" + code + "] what"}
	switch command {
	case "UIDL":
		want.scope = mail.ScopeMailbox
	case "RETR 2":
		want.scope = mail.ScopeMessage
	}
	switch code {
	case "SYS/PERM":
		want.retry = mail.RetryNever
	case "AUTH":
		want.class, want.retry = mail.ClassAuth, mail.RetryNever
	case "LOGIN-DELAY":
		want.class = mail.ClassThrottled
	case "X-OTHER":
		if command == t6Response {
			want.class, want.retry = mail.ClassAuth, mail.RetryNever
		}
		if command == "UIDL" {
			want.retry = mail.RetryNever
		}
	}
	return want
}

// t6HangUps are the cases of servers that close the connection behind a
// command. One that does so once costs no more than one pass. One that does so
// each time keeps what it hangs up on, and no message that can be had.
func t6HangUps() []t6Case {
	commands := t6Commands()
	response, listed := slices.Index(commands, t6Response), slices.Index(commands, "UIDL 1")
	var cases []t6Case
	for i, command := range commands {
		hang := func(first bool) func(c *mailtest.POP3Talk, line string) bool {
			return func(c *mailtest.POP3Talk, line string) bool {
				if line != command || first && c.Session > 1 {
					return false
				}
				c.Answer(line)
				c.HangUp()
				return true
			}
		}
		once := t6Case{row: "P-7", name: "hangs up once behind " + t6Name(command), on: hang(true)}
		if i < listed {
			once.passes = 2
		}
		always := t6Case{row: "P-7", name: "hangs up each time behind " + t6Name(command), on: hang(false)}
		connect := t6Want{class: mail.ClassConnect, scope: mail.ScopeAccount}
		if i >= response {
			connect.retry = mail.RetryNow
		}
		switch number, isRetr := strings.CutPrefix(command, "RETR "); {
		case i < listed:
			always.want = connect
		case command == "UIDL 1": // it comes in each session before any message
			connect.scope = mail.ScopeMessage
			always.want = connect
		case isRetr:
			connect.scope = mail.ScopeMessage
			always.want = connect
			always.kept = slices.DeleteFunc([]int{1, 2, 3}, func(n int) bool { return strconv.Itoa(n) == number })
		}
		cases = append(cases, once, always)
	}
	return cases
}

// t6Stalls are the cases of servers that say nothing more. T8 has the exact
// times of many more.
func t6Stalls() []t6Case {
	stall := func(command string, within time.Duration, kept ...int) t6Case {
		return t6Case{
			row: "P-2", name: "silent at " + t6Name(command), within: within, kept: kept,
			want: t6Want{class: mail.ClassTimeout, scope: mail.ScopeAccount},
			on: func(c *mailtest.POP3Talk, line string) bool {
				if line == command {
					c.Stall()
				}
				return line == command
			},
		}
	}
	body := func(command string, kept ...int) t6Case {
		c := stall(command, 185*time.Second, kept...)
		c.want.scope = mail.ScopeMessage
		return c
	}
	handshake := stall("STLS", 61*time.Second)
	handshake.name, handshake.silent = "silent in the handshake", true
	handshake.client = func(o *wire.Options) { o.Security = wire.StartTLS }
	handshake.serve = func(s *mailtest.POP3Server) { s.Caps = []string{"STLS"} }
	handshake.on = func(c *mailtest.POP3Talk, line string) bool {
		if line == "STLS" {
			c.Raw("+OK\r\n")
			c.Stall()
		}
		return line == "STLS"
	}
	return []t6Case{
		stall("", 61*time.Second), stall("CAPA", 61*time.Second), stall(t6Response, 61*time.Second), handshake,
		stall("STAT", 125*time.Second), stall("UIDL", 125*time.Second),
		body("RETR 1", 2, 3), body("RETR 2", 1, 3), body("RETR 3", 1, 2),
		{row: "P-7", name: "silent at QUIT", within: 61 * time.Second, on: stall("QUIT", 0).on},
	}
}
