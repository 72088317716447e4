package faults

import (
	"fmt"
	"strings"

	"mailpull/pkg/mailtest"
)

// t5Names are names that a LIST answer gives to a mailbox that is there beside
// the honest ones; the server refuses to open it. What becomes of it is told by
// the outcome, and the honest ones must come in any case.
func t5Names() []t5Case {
	const (
		left   = "complete"       // the line is left out, or the mailbox is an honest one
		listed = "server mailbox" // it is listed, and cannot be opened
	)
	var cases []t5Case
	add := func(row, name, rest, want string) {
		cases = append(cases, t5Case{row: row, name: "LIST: " + name, want: want, lie: ahead("LIST", "* LIST "+rest)})
	}
	// I-12 and I-23: names that go-imap could not read, and ones that want out.
	for _, n := range []struct{ row, name, quoted, want string }{
		{"I-12", "a shift that never ends", `"R&D"`, listed},
		{"I-12", "Latin-1", "\"Entw\xfcrfe\"", listed},
		{"I-12", "UTF-8 in quotes", `"Straße"`, listed},
		{"I-12", "UTF-8 without quotes", `Straße`, listed},
		{"I-12", "a TAB", "\"a\tb\"", listed},
		{"I-12", "base64 of printable text", `"&AGEAYg-"`, listed},
		{"I-12", "base64 with a lone surrogate", `"&2AA-"`, listed},
		{"I-12", "odd base64", `"&A-"`, listed},
		{"I-23", "NUL, LF and ESC inside base64", `"a&AAAACgAb-b"`, listed},
		{"I-23", "the way out", `"../../etc/cron.d/x"`, listed},
		{"I-23", "an absolute path", `"/etc/passwd"`, listed},
		{"I-23", "two dots", `".."`, listed},
		{"I-23", "one dot", `"."`, listed},
		{"I-12", "nothing", `""`, left},
		{"I-12", "NIL", `NIL`, left},
		{"I-12", "a list", `(a b)`, left},
		{"I-12", "a literal", "{5}\r\na b/c", listed},
		{"I-12", "a literal of nothing", "{0}\r\n", left},
		{"I-12", "a literal with line ends", "{4}\r\na\r\nb", "protocol mailbox"},
		{"I-23", "a literal with NUL", "{3}\r\na\x00b", "protocol mailbox"},
		{"I-23", "the names of a Maildir", `"cur"`, listed},
		{"I-12", "the inbox again, in lower case", `"inbox"`, left},
		{"I-12", "an honest mailbox twice", `"Work"`, left},
		{"I-12", "a quote in quotes", `"a\"b"`, listed},
		{"I-12", "a backslash at the end", `"a\\"`, listed},
		{"I-22", "255 bytes", `"` + strings.Repeat("a", 255) + `"`, listed},
		{"I-22", "1,024 bytes", `"` + strings.Repeat("/b", 512) + `"`, listed},
		{"I-22", "1,025 bytes", `"` + strings.Repeat("a", 1025) + `"`, left},
		{"I-22", "400 levels", `"` + strings.Repeat("a/", 400) + `"`, listed},
		{"I-23", "the end of a command", `"x" NOOP`, listed},
		{"I-12", "no end of the quotes", `"x`, left},
		{"I-23", "format words", `"%s%n%d"`, listed},
	} {
		add(n.row, n.name, `() "/" `+n.quoted, n.want)
	}
	for _, d := range []struct{ name, quoted, want string }{
		{"no delimiter", `""`, listed},
		{"a long delimiter", `"//"`, listed},
		{"a dot", `"."`, listed},
		{"a NUL as a literal", "{1}\r\n\x00", listed},
		{"a list", `()`, listed},
		{"a quote", `"\""`, listed},
	} {
		add("I-12", "delimiter: "+d.name, `() `+d.quoted+` "odd"`, d.want)
	}
	for _, l := range []struct{ row, name, line, want string }{
		{"I-12", "no attributes", `NIL "/" "odd"`, left},
		{"I-12", "attributes in a string", `"\\Noselect" "/" "odd"`, left},
		{"I-12", "a list in the attributes", `((\Noselect)) "/" "odd"`, listed},
		{"I-12", "extended data", `() "/" "odd" ("CHILDINFO" ("SUBSCRIBED"))`, listed},
		{"I-12", "nothing", ``, left},
		{"I-12", "only attributes", `(\HasChildren)`, left},
		{"I-12", "an unbalanced parenthesis", `() "/" "odd")`, left},
		{"I-12", "an open parenthesis", `( "/" "odd"`, left},
		{"I-33", "stray spaces", `()  "/"   "odd"  `, listed},
		{"I-33", "lower case", `(\noselect) "/" "odd"`, left},
		{"I-22", "a thousand attributes", `(` + strings.Repeat(`\x `, 1000) + `) "/" "odd"`, listed},
	} {
		add(l.row, l.name, l.line, l.want)
	}
	return append(cases, t5Case{row: "V8", name: "LIST: a long name with which the session ends", want: "connect account",
		lie: t5Lies(ahead("LIST", `* LIST () "/" "`+strings.Repeat("\x1b\xff", 512)+`"`),
			instead("EXAMINE \"\x1b", "HANGUP"))})
}

// t5Statuses are answers to STATUS. Whatever they say, the mailboxes are
// opened as long as it does not look as if nothing had happened.
func t5Statuses() []t5Case {
	var cases []t5Case
	for _, s := range []struct{ row, name, line string }{
		{"I-13", "no numbers", `"INBOX" (MESSAGES x UIDNEXT y UIDVALIDITY z)`},
		{"I-13", "negative numbers", `"INBOX" (MESSAGES -1 UIDNEXT -1 UIDVALIDITY -7)`},
		{"I-13", "numbers beyond 64 bits", `"INBOX" (MESSAGES 18446744073709551616 UIDNEXT 18446744073709551616 UIDVALIDITY 7)`},
		{"I-13", "numbers beyond 32 bits", `"INBOX" (MESSAGES 4294967297 UIDNEXT 4294967297 UIDVALIDITY 4294967303)`},
		{"I-13", "a billion messages", `"INBOX" (MESSAGES 1000000000 UIDNEXT 4 UIDVALIDITY 7)`},
		{"I-13", "an odd number of words", `"INBOX" (MESSAGES 3 UIDNEXT)`},
		{"I-13", "the same twice", `"INBOX" (MESSAGES 3 MESSAGES 0 UIDNEXT 4 UIDVALIDITY 7)`},
		{"I-13", "no list", `"INBOX" NIL`},
		{"I-13", "nothing", ``},
		{"I-13", "lists in the list", `"INBOX" ((MESSAGES 3) (UIDNEXT 4))`},
		{"I-17", "UIDVALIDITY 0", `"INBOX" (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 0)`},
		{"I-17", "no UIDVALIDITY", `"INBOX" (MESSAGES 3 UIDNEXT 4)`},
		{"I-17", "another UIDVALIDITY", `"INBOX" (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 99)`},
		{"I-17", "words in lower case", `inbox (messages 3 uidnext 4 uidvalidity 7)`},
		{"I-32", "words that nobody asked for", `"INBOX" (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7 HIGHESTMODSEQ 1 X-GM 5 MAILBOXID (x))`},
		{"I-12", "a mailbox that is not there", `"elsewhere" (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7)`},
		{"I-12", "a name as a literal", "{5}\r\nINBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7)"},
		{"V1", "an empty mailbox", `"INBOX" (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 7)`},
	} {
		cases = append(cases, t5Case{row: s.row, name: "STATUS: " + s.name, want: "complete",
			lie: instead("STATUS", "* STATUS "+s.line, "$ OK done")})
	}
	return cases
}

// t5Examines are answers to EXAMINE, without the tagged one.
func t5Examines() []t5Case {
	const unstable = "server mailbox; nothing is stored"
	var cases []t5Case
	for _, e := range []struct {
		row, name, want string
		lines           []string
	}{
		{"I-17", "no UIDVALIDITY", unstable, []string{"* 3 EXISTS", "* OK [UIDNEXT 4] x"}},
		{"I-17", "UIDVALIDITY 0", unstable, []string{"* 3 EXISTS", "* OK [UIDVALIDITY 0] x"}},
		{"I-17", "UIDVALIDITY in lower case", "complete", []string{"* 3 EXISTS", "* OK [uidvalidity 7] x"}},
		{"I-17", "UIDVALIDITY with NO", "complete", []string{"* 3 EXISTS", "* NO [UIDVALIDITY 7] x"}},
		{"I-17", "UIDVALIDITY of 33 bits", unstable, []string{"* 3 EXISTS", "* OK [UIDVALIDITY 4294967303] x"}},
		{"I-17", "a negative UIDVALIDITY", unstable, []string{"* 3 EXISTS", "* OK [UIDVALIDITY -7] x"}},
		{"I-17", "UIDVALIDITY with spaces", "complete", []string{"* 3 EXISTS", "* OK [UIDVALIDITY   7 ] x"}},
		{"I-17", "two UIDVALIDITYs", "complete", []string{"* 3 EXISTS", "* OK [UIDVALIDITY 99] x", "* OK [UIDVALIDITY 7] x"}},
		{"I-17", "UIDNOTSTICKY", unstable, []string{"* 3 EXISTS", "* OK [UIDVALIDITY 7] x", "* NO [UIDNOTSTICKY] x"}},
		{"I-17", "NOMODSEQ", "complete", []string{"* 3 EXISTS", "* OK [UIDVALIDITY 7] x", "* OK [NOMODSEQ] x"}},
		{"I-17", "no code at all", unstable, []string{"* 3 EXISTS", "* OK UIDVALIDITY 7"}},
		{"I-13", "no EXISTS", "complete", []string{"* OK [UIDVALIDITY 7] x"}},
		{"I-13", "EXISTS without a number", "complete", []string{"* EXISTS", "* OK [UIDVALIDITY 7] x"}},
		{"I-13", "EXISTS too small", "complete", []string{"* 1 EXISTS", "* OK [UIDVALIDITY 7] x"}},
		{"I-13", "EXISTS too large", "complete", []string{"* 99 EXISTS", "* OK [UIDVALIDITY 7] x"}},
		{"I-13", "EXISTS 0, and STATUS says otherwise", "complete", []string{"* 0 EXISTS", "* OK [UIDVALIDITY 7] x"}},
		{"I-8", "EXISTS 4294967295", "protocol mailbox; nothing is stored", []string{"* 4294967295 EXISTS", "* OK [UIDVALIDITY 7] x"}},
		{"I-13", "EXISTS 4294967296", "complete", []string{"* 4294967296 EXISTS", "* OK [UIDVALIDITY 7] x"}},
		{"I-13", "EXISTS -1", "complete", []string{"* -1 EXISTS", "* OK [UIDVALIDITY 7] x"}},
		{"I-13", "EXPUNGE of what is not there", "complete", []string{"* 3 EXISTS", "* 9 EXPUNGE", "* 0 EXPUNGE", "* OK [UIDVALIDITY 7] x"}},
		{"I-13", "flags that are none", "complete", []string{`* FLAGS (\ ] [ %% {x} "a")`, `* OK [PERMANENTFLAGS (\* ] a)] x`, "* 3 EXISTS", "* OK [UIDVALIDITY 7] x"}},
		{"V5", "the mailbox is said to be another", "complete", []string{"* OK [CLOSED] x", "* 3 EXISTS", "* OK [UIDVALIDITY 7] x"}},
		{"V5", "CLOSED behind everything", unstable, []string{"* 3 EXISTS", "* OK [UIDVALIDITY 7] x", "* OK [CLOSED] x"}},
	} {
		cases = append(cases, t5Case{row: e.row, name: "EXAMINE: " + e.name, want: e.want,
			lie: on("EXAMINE", func(c *mailtest.IMAPTalk, tag, command string) {
				c.Quietly(func() { c.Answer(tag, command) })
				say(c, tag, append(e.lines, "$ OK done"))
			})})
	}
	return cases
}

// t5Searches are answers to UID SEARCH. They are answers for INBOX and for
// Work alike, because no list of UIDs is believed that FETCH does not confirm.
func t5Searches() []t5Case {
	var cases []t5Case
	for _, s := range []struct{ row, name, want, line string }{
		{"I-8", "nothing", "complete", "* SEARCH"},
		{"I-8", "zero", "complete", "* SEARCH 0"},
		{"I-8", "no numbers", "complete", "* SEARCH a b"},
		{"I-8", "negative numbers", "complete", "* SEARCH -1 -2"},
		{"I-8", "numbers beyond 32 bits", "complete", "* SEARCH 4294967296 4294967297"},
		{"I-8", "the largest number", "complete", "* SEARCH 1 2 3 4294967295"},
		{"I-8", "the same number often", "complete", "* SEARCH 1 1 1 1 1"},
		{"I-8", "in the wrong order", "complete", "* SEARCH 3 2 1"},
		{"I-8", "with MODSEQ", "complete", "* SEARCH 1 2 3 (MODSEQ 917)"},
		{"I-8", "too few", "complete", "* SEARCH 2"},
		{"I-8", "ESEARCH of all that there can be", "complete", "* ESEARCH UID ALL 1:4294967295"},
		{"I-8", "ESEARCH with a star", "complete", "* ESEARCH UID ALL 1:*"},
		{"I-8", "ESEARCH the wrong way round", "complete", "* ESEARCH UID ALL 3:1"},
		{"I-8", "ESEARCH with zero", "complete", "* ESEARCH UID ALL 0:3"},
		{"I-8", "ESEARCH with empty parts", "complete", "* ESEARCH UID ALL 1,,2,,3"},
		{"I-8", "ESEARCH with a tag of another", "complete", `* ESEARCH (TAG "X1") UID ALL 1:3`},
		{"I-8", "ESEARCH with a tag without an end", "complete", `* ESEARCH (TAG "X1" UID ALL 1:3`},
		{"I-8", "ESEARCH with other items", "complete", "* ESEARCH UID MIN 1 MAX 3 COUNT 3 ALL 1:3"},
		{"I-8", "ESEARCH without ALL", "complete", "* ESEARCH UID COUNT 3"},
		{"I-8", "ESEARCH twice", "complete", "* ESEARCH UID ALL 1\r\n* ESEARCH UID ALL 2:3"},
		{"I-8", "ESEARCH that overlaps", "complete", "* ESEARCH UID ALL 1:3,2:3,1:2"},
		{"I-22", "a literal", t5Protocol, "* SEARCH {3}\r\n1 2"},
		{"I-29", "the answer to another command", "complete", `* LIST () "/" x`},
	} {
		cases = append(cases, t5Case{row: s.row, name: "SEARCH: " + s.name, want: s.want,
			lie: instead("UID SEARCH", s.line, "$ OK done")})
	}
	for _, n := range []int{1, 2, 4} {
		cases = append(cases, t5Case{row: "I-8", name: fmt.Sprintf("SEARCH: EXISTS %d comes with it", n), want: "complete",
			lie: ahead("UID SEARCH", fmt.Sprintf("* %d EXISTS", n))})
	}
	return cases
}
