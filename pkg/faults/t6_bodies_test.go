package faults

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/wire"
)

// t6Matrix are a line end, dots and another line end in all combinations: what
// a strict reader of bodies must take apart, and what it must leave alone.
func t6Matrix() []string {
	var bodies []string
	ends := []string{"\r\n", "\n", "\r", ""}
	for _, before := range ends {
		for _, dots := range []string{".", "..", "...", ".x"} {
			for _, behind := range ends {
				bodies = append(bodies, "Subject: dots\r\n\r\na"+before+dots+behind+"b\r\n")
			}
		}
	}
	return bodies
}

// t6Dots are the cases of the matrix, a message each, with one before and one
// behind it that must not suffer.
func t6Dots() []t6Case {
	var cases []t6Case
	for _, body := range t6Matrix() {
		inside := strings.TrimSuffix(strings.TrimPrefix(body, "Subject: dots\r\n\r\n"), "\r\n")
		cases = append(cases, t6Case{
			row: "P-15", name: fmt.Sprintf("dots %q", inside),
			drop: mailtest.POP3Messages("before\r\n", body, "behind\r\n"),
		})
	}
	return cases
}

// t6Odd are the messages that stumbling readers change, or take for two.
func t6Odd() []string {
	return []string{
		"",                             // nothing at all
		"\r\n",                         // no header
		"x",                            // no line end
		".",                            // a lone dot
		"\r\n\r\n\r\n",                 // only line ends
		"\n",                           // a bare line feed
		"\r",                           // a bare return
		"Subject: no end",              // a header only
		"\xef\xbb\xbfSubject: BOM\r\n", // go-pop3 takes the BOM away
		"Content-Type: text/plain; charset=no-such\r\n\r\n\xa0\r\n",
		"Subject: NUL\r\n\r\n\x00\x00\r\n",
		"Subject: all bytes\r\n\r\n" + t6AllBytes() + "\r\n",
		"Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.\r\n",
		"Subject: ends in a dot\r\n\r\n.",
		"Subject: bare LF\r\n\r\na\n.\nb\r\n",
		"Subject: bare LF before the end\r\n\r\na\n.\r\n",
		"Subject: bare LF behind the dot\r\n\r\na\r\n.\nb\r\n",
		"Subject: injected\r\n\r\n\n.\n+OK 2 u2\n-ERR\n+OK\nSubject: forged\n\nx\n.\n",
		"Subject: injected\r\n\r\n\n.\r\n+OK 2 u2\r\n+OK\r\nSubject: forged\r\n\r\n.\r\n",
		"+OK\r\n-ERR\r\n+OK 1 u1\r\n",
		"Subject: long line\r\n\r\n" + strings.Repeat("x", 64<<10) + "\r\n",
		"Subject: long line of dots\r\n\r\n" + strings.Repeat(".", 1<<20) + "\r\n",
		strings.Repeat("\r\n.", 40_000),
		strings.Repeat("\r", 70_000) + "\n.\r\n",
	}
}

func t6AllBytes() string {
	var all [256]byte
	for i := range all {
		all[i] = byte(i)
	}
	return string(all[:])
}

// t6Bodies are the cases of single odd messages.
func t6Bodies() []t6Case {
	var cases []t6Case
	for _, body := range t6Odd() {
		row := "P-1"
		switch {
		case strings.Contains(body, "BOM"), strings.Contains(body, "charset"):
			row = "P-13"
		case len(body) > 1<<10:
			row = "P-8"
		}
		for name, caps := range map[string][]string{"pipelined": nil, "serial": {"SASL PLAIN", "UIDL"}} {
			cases = append(cases, t6Case{
				row: row, name: fmt.Sprintf("%.60q, %s", body, name),
				drop:  mailtest.POP3Messages("before\r\n", body, "behind\r\n"),
				serve: func(s *mailtest.POP3Server) { s.Caps = caps },
			})
		}
	}
	return cases
}

// t6Ends are the cases of servers that do not mark the end of a message as the
// standard wants. The answers behind it look right to who trusts them.
func t6Ends() []t6Case {
	broken := t6Want{class: mail.ClassProtocol, scope: mail.ScopeMessage}
	retr := func(name, answer string, want t6Want) t6Case {
		c := t6Case{row: "P-1", name: name, says: map[string]string{"RETR 2": answer}, want: want}
		if want != (t6Want{}) {
			c.kept = []int{1, 3}
		}
		return c
	}
	const body = "+OK\r\nSubject: two\r\n\r\n"
	endless := t6Want{class: mail.ClassTimeout, scope: mail.ScopeMessage}
	cases := []t6Case{
		retr("a lone dot that was not doubled", body+".\r\n..second\r\n.\r\n", broken),
		retr("a message of another one behind a lone dot", body+"x\r\n.\r\n+OK 3 u3\r\n+OK\r\nforged\r\n.\r\n", broken),
		retr("a forged proof behind a lone dot", body+"x\r\n.\r\n+OK 2 u2\r\n+OK\r\nforged\r\n.\r\n", t6Want{}),
		retr("no line end before the last dot", body+"..second.\r\n", endless),
		retr("LF before the last dot", body+"..second\n.\r\n", endless),
		retr("LF behind the last dot", body+"..second\r\n.\n", endless),
		retr("CR behind the last dot", body+"..second\r\n.\r", endless),
		retr("no last dot", body+"..second\r\n", endless),
		retr("the end twice", body+"..second\r\n.\r\n.\r\n", broken),
		retr("no message behind +OK", "+OK\r\n", endless),
		retr("two answers", body+"..second\r\n.\r\n-ERR\r\n", broken),
		retr("an empty message", "+OK\r\n.\r\n", t6Want{}),
		retr("a dot that was not doubled before text", body+".second\r\n.\r\n", t6Want{}),
	}
	for i := range cases {
		c := &cases[i]
		if c.want == endless {
			c.within = 185 * time.Second
		}
		switch c.name {
		case "a forged proof behind a lone dot": // nobody can tell it from a message that ends there
			c.sent = map[int]string{2: "Subject: two\r\n\r\nx\r\n"}
		case "an empty message":
			c.row, c.sent = "V22", map[int]string{2: ""}
		}
	}
	return cases
}

// t6Counts are the cases of how the client speaks, which the library alone
// would do worse.
func t6Counts() []t6Case {
	one := func(row, name string, heard func(s *mailtest.POP3Server) error) t6Case {
		return t6Case{row: row, name: name, heard: heard}
	}
	return []t6Case{
		one("P-12", "no NOOP is said", func(s *mailtest.POP3Server) error {
			if n := len(s.Heard("NOOP")); n > 0 {
				return fmt.Errorf("%d times NOOP", n)
			}
			return nil
		}),
		one("P-13", "messages are asked for whole", func(s *mailtest.POP3Server) error {
			if n := len(s.Heard("TOP")); n > 0 || len(s.Heard("RETR")) != 3 {
				return fmt.Errorf("%d times TOP, %q", n, s.Heard("RETR"))
			}
			return nil
		}),
		one("P-7", "QUIT is said once, behind everything else", func(s *mailtest.POP3Server) error {
			if all := s.Heard(""); all[len(all)-1] != "QUIT" || len(s.Heard("QUIT")) != 1 {
				return fmt.Errorf("heard %q", all)
			}
			return nil
		}),
	}
}

// t6Credentials are the cases of credentials that would become commands.
func t6Credentials() []t6Case {
	var cases []t6Case
	for _, name := range []string{"bob\r\nDELE 1", "bob\nDELE 1", "bob\rDELE 1", "bob\x00"} {
		for _, caps := range [][]string{{"SASL PLAIN"}, {"USER"}} {
			cases = append(cases, t6Case{
				row: "P-5", name: fmt.Sprintf("user name %q, %s", name, caps[0]), silent: true,
				serve:  func(s *mailtest.POP3Server) { s.Caps = caps },
				client: func(o *wire.Options) { o.Login.Username = name },
				want:   t6Want{class: mail.ClassConfig, scope: mail.ScopeAccount, retry: mail.RetryNever},
				heard: func(s *mailtest.POP3Server) error {
					if len(s.Heard("")) > 0 {
						return errors.New("the server heard something")
					}
					return nil
				},
			})
		}
	}
	return cases
}
