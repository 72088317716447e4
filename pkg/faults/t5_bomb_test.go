package faults

import (
	"fmt"
	"strconv"
	"strings"

	"mailpull/pkg/mailtest"
	"mailpull/pkg/wire"
)

// flood says head, n times each, and tail before the true answer to a command.
func flood(prefix, head, each, tail string, n int) lie {
	return on(prefix, func(c *mailtest.IMAPTalk, tag, command string) {
		c.Raw(head)
		for range n {
			c.Raw(each)
		}
		c.Raw(tail)
		c.Answer(tag, command)
	})
}

// t5Depths are parentheses in each other.
func t5Depths() []t5Case {
	var cases []t5Case
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000, 10_000_000} {
		for _, p := range []struct{ row, prefix, head, want string }{
			{"I-5", "CAPABILITY", "* CAPABILITY ", t5Protocol},
			{"V16", "LIST", "* LIST ", t5Protocol},
			{"V16", "EXAMINE", "* FLAGS ", t5Protocol},
			{"V16", "STATUS", "* WHATEVER ", t5Protocol},
			{"I-6", "UID FETCH", "* 2 FETCH (UID 2 BODYSTRUCTURE ", "protocol message; nothing is stored"},
			{"I-7", "UID FETCH", "* 2 FETCH (UID 2 ENVELOPE (x ", "protocol message; nothing is stored"},
		} {
			cases = append(cases, t5Case{row: p.row, name: fmt.Sprintf("%s: depth %d in %s", p.prefix, n, p.head), want: p.want,
				heap: true, lie: flood(p.prefix, p.head, strings.Repeat("(", 1000), "x\r\n", n/1000)})
		}
	}
	return cases
}

// numbers says head, f(0) to f(n-1) with a blank before each, and answers.
func numbers(head, blank string, n int, f func(i int) int) lie {
	return on("UID SEARCH", func(c *mailtest.IMAPTalk, tag, _ string) {
		c.Raw(head)
		for i := range n {
			if i > 0 {
				c.Raw(blank)
			}
			c.Raw(strconv.Itoa(f(i)))
		}
		c.Raw("\r\n")
		c.Printf("%s OK done", tag)
	})
}

// t5ListBombs are answers that cost more than they look like.
func t5ListBombs() []t5Case {
	const million = 1 << 20
	tooMany := "protocol mailbox; nothing is stored"
	cases := []t5Case{
		{row: "I-8", name: "a million even numbers, falling", listing: true, want: "complete",
			lie: numbers("* SEARCH ", " ", million, func(i int) int { return 2 * (million - i) })},
		{row: "I-8", name: "a million even numbers, rising", listing: true, want: "complete",
			lie: numbers("* SEARCH ", " ", million, func(i int) int { return 2 + 2*i })},
		{row: "I-8", name: "numbers without an end", listing: true, want: t5Protocol, limits: wire.Limits{Messages: million},
			lie: numbers("* SEARCH ", " ", 2*million, func(i int) int { return 1_000_000_000 + 2*i })},
		{row: "I-8", name: "a million ranges", listing: true, want: "complete",
			lie: numbers("* ESEARCH UID ALL ", ",", million, func(i int) int { return 2 + 2*i })},
		{row: "V14", name: "a set of all numbers, and as many messages", want: tooMany, says: "4294967295 messages in one mailbox",
			lie: t5Lies(instead("EXAMINE", "* 4294967295 EXISTS", "* OK [UIDVALIDITY 7] x", "$ OK"),
				instead("UID SEARCH", "* ESEARCH UID ALL 1:4294967295", "$ OK"))},
		{row: "V14", name: "a set of all numbers, and no word of how many", want: "complete",
			lie: instead("UID SEARCH", "* ESEARCH UID ALL 1:4294967295,1:4294967295,1:4294967295", "$ OK")},
		{row: "V14", name: "SEARCH and FETCH list what there is not", want: tooMany,
			lie: t5Lies(instead("EXAMINE", "* OK [UIDVALIDITY 7] x", "$ OK"),
				instead("UID SEARCH", "* ESEARCH UID ALL 1:4294967295", "$ OK"),
				instead("UID FETCH 1:*", "* 1 FETCH (UID 4294967295)", "$ NO"))},
		{row: "V14", name: "mailboxes without an end", want: t5Protocol, limits: wire.Limits{Mailboxes: 10_000},
			lie: on("LIST", func(c *mailtest.IMAPTalk, tag, _ string) {
				for i := range 12_000 {
					c.Printf(`* LIST () "/" m%d`, i)
				}
				c.Printf("%s OK done", tag)
			})},
		{row: "V14", name: "long names without an end", listing: true, want: t5Protocol,
			lie: on("LIST", func(c *mailtest.IMAPTalk, tag, _ string) {
				for i := range 20_000 {
					c.Printf(`* LIST () "/" "%d%s"`, i, strings.Repeat("n", 1000))
				}
				c.Printf("%s OK done", tag)
			})},
		{row: "V14", name: "broken LIST answers without an end", want: t5Protocol,
			lie: flood("LIST", "", "* LIST x\r\n", "", 100_000)},
		{row: "V14", name: "statuses that nobody asked for", want: "complete",
			lie: on("STATUS", func(c *mailtest.IMAPTalk, tag, _ string) {
				for i := range 50_000 {
					c.Printf(`* STATUS m%d (MESSAGES 1 UIDVALIDITY 1)`, i)
				}
				c.Printf("%s OK done", tag)
			})},
		{row: "I-22", name: "100,000 capabilities", want: "complete",
			lie: on("CAPABILITY", func(c *mailtest.IMAPTalk, tag, _ string) {
				c.Raw("* CAPABILITY IMAP4rev1")
				for i := range 60_000 {
					c.Raw(fmt.Sprintf(" X%d", i))
				}
				c.Printf("\r\n%s OK done", tag)
			})},
	}
	for i := range cases {
		cases[i].heap = true
	}
	return cases
}

// t5Floods say something without an end.
func t5Floods() []t5Case {
	const many = 300_000
	message := "protocol message; nothing is stored"
	cases := []t5Case{
		{row: "I-27", name: "flags of messages, unasked", lie: flood("UID FETCH", "", "* 2 FETCH (FLAGS ())\r\n", "", many), want: "complete"},
		{row: "I-27", name: "UIDs of messages, unasked", lie: flood("EXAMINE", "", "* 2 FETCH (UID 2)\r\n", "", many), want: t5Protocol},
		{row: "I-27", name: "messages that nobody asked for", lie: flood("UID FETCH", "", "* 9 FETCH (UID 9 BODY[] {1}\r\nx)\r\n", "", 20_000), want: "complete"},
		{row: "I-22", name: "a line without an end: CAPABILITY", lie: flood("CAPABILITY", "* X ", strings.Repeat("x", 1000), "\r\n", 50_000), want: t5Protocol},
		{row: "I-22", name: "a line without an end: LIST", lie: flood("LIST", "* LIST ", strings.Repeat("x", 1000), "\r\n", 50_000), want: t5Protocol},
		{row: "I-22", name: "a line without an end: SEARCH", listing: true, lie: flood("UID SEARCH", "* SEARCH ", strings.Repeat("1", 1000), "\r\n", 50_000), want: t5Protocol},
		{row: "I-22", name: "a line without an end: UID FETCH", lie: flood("UID FETCH", "* 2 FETCH (X ", strings.Repeat("x", 1000), ")\r\n", 50_000), want: message},
		{row: "I-22", name: "a tag without an end", lie: flood("EXAMINE", "", strings.Repeat("M", 1000), " OK\r\n", 50_000), want: t5Protocol},
		{row: "I-22", name: "small literals without an end", lie: flood("LIST", "* LIST (", "{9}\r\n123456789 ", ")\r\n", 200_000), want: t5Protocol},
		{row: "I-22", name: "small literals in a FETCH", lie: flood("UID FETCH", "* 2 FETCH (", "X {9}\r\n123456789 ", "UID 2)\r\n", 200_000), want: message},
		{row: "I-22", name: "a literal of 64 MiB as a name", lie: flood("LIST", "* LIST () \"/\" {67108864}\r\n", strings.Repeat("x", 1<<20), "\r\n", 64), want: t5Protocol},
		{row: "I-22", name: "flags without an end", lie: flood("UID FETCH", "* 2 FETCH (FLAGS (", "flag ", ") UID 2)\r\n", 500_000), want: message},
		{row: "I-22", name: "values without an end", lie: flood("LIST", "* LIST (", "a ", ") NIL x\r\n", 400_000), want: t5Protocol},
		{row: "I-22", name: "lists without an end", lie: flood("LIST", "* LIST (", "()", ") NIL x\r\n", 400_000), want: t5Protocol},
		{row: "I-24", name: "ALERTs without an end: sign-in", lie: flood("LOGIN", "", "* OK [ALERT] pay \x1b[31mnow\r\n", "", many), want: t5Protocol},
		{row: "I-24", name: "ALERTs without an end: EXAMINE", lie: flood("EXAMINE", "", "* OK [ALERT] pay \x1b[31mnow\r\n", "", many), want: t5Protocol},
		{row: "I-24", name: "ALERTs without an end: UID FETCH", lie: flood("UID FETCH", "", "* OK [ALERT] pay \x1b[31mnow\r\n", "", many), want: "complete"},
		{row: "I-11", name: "responses that nobody knows", lie: flood("STATUS", "", "* X y\r\n", "", many), want: t5Protocol},
		{row: "V9", name: "continuations without an end", lie: flood("LOGIN", "", "+ \r\n", "", many), want: t5Protocol},
		{row: "V15", name: "EXISTS and EXPUNGE without an end", lie: flood("UID SEARCH", "", "* 9 EXISTS\r\n* 9 EXPUNGE\r\n", "", many), want: t5Protocol},
	}
	for i := range cases {
		cases[i].heap = true
	}
	return cases
}
