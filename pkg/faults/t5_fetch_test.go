package faults

import (
	"fmt"
	"strings"
)

// t5Body is the true body of the message that is lied about, and t5Literal how
// it stands on the wire.
const t5Body = "Subject: 2\r\n\r\nthe message that is lied about\r\n"

var t5Literal = fmt.Sprintf("{%d}\r\n%s", len(t5Body), t5Body)

// t5Fetches are answers in place of the one for message 2 of INBOX; "@" stands for
// its true body as a literal. Where the server lies only when it is asked for a
// set, everything must come.
func t5Fetches() []t5Case {
	const (
		all     = "complete"
		refused = "server message; without INBOX/2"
		spoilt  = "protocol message; without INBOX/2"
		odd     = "protocol message; without INBOX/2"
	)
	var cases []t5Case
	for _, f := range []struct{ row, name, line, want string }{
		{"I-2", "the UID behind the body", `* 2 FETCH (BODY[] @ UID 2)`, all},
		{"I-2", "no UID", `* 2 FETCH (BODY[] @)`, spoilt},
		{"I-2", "UID 0", `* 2 FETCH (UID 0 BODY[] @)`, spoilt},
		{"I-2", "UID of 33 bits", `* 2 FETCH (UID 4294967298 BODY[] @)`, spoilt},
		{"I-2", "a negative UID", `* 2 FETCH (UID -2 BODY[] @)`, spoilt},
		{"I-2", "the UID as a string", `* 2 FETCH (UID "2" BODY[] @)`, spoilt},
		{"I-2", "the UID of another message behind the body", `* 2 FETCH (BODY[] @ UID 1)`, spoilt},
		{"I-2", "two UIDs", `* 2 FETCH (UID 2 BODY[] @ UID 1)`, spoilt},
		{"I-2", "the UID twice", `* 2 FETCH (UID 2 BODY[] @ UID 2)`, all},
		{"I-2", "sequence number 0", `* 0 FETCH (UID 2 BODY[] @)`, all},
		{"I-2", "no sequence number", `* FETCH (UID 2 BODY[] @)`, all},
		{"I-2", "a sequence number of 33 bits", `* 4294967298 FETCH (UID 2 BODY[] @)`, refused},

		{"I-3", "flags first, and the body later", "* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n* 2 FETCH (UID 2 BODY[] @)", all},
		{"I-3", "only flags", `* 2 FETCH (UID 2 FLAGS (\Seen))`, refused},
		{"I-3", "the answer twice", "* 2 FETCH (UID 2 BODY[] @)\r\n* 2 FETCH (UID 2 BODY[] @)", all},
		{"I-3", "a second body for it behind the true one", "* 2 FETCH (UID 2 BODY[] @)\r\n* 2 FETCH (UID 2 BODY[] {3}\r\nbad)", all},
		{"I-3", "two bodies in one answer", "* 2 FETCH (UID 2 BODY[] @ BODY[] {3}\r\nbad)", all},
		{"I-3", "a message that nobody asked for", "* 2 FETCH (UID 2 BODY[] @)\r\n* 9 FETCH (UID 9 BODY[] {3}\r\nbad)", all},
		{"I-3", "a message of the other mailbox", "* 2 FETCH (UID 2 BODY[] @)\r\n* 1 FETCH (UID 101 BODY[] {3}\r\nbad)", all},

		{"I-4", "NIL", `* 2 FETCH (UID 2 RFC822.SIZE 44 BODY[] NIL)`, refused},
		{"I-4", "NIL and size 0", `* 2 FETCH (UID 2 RFC822.SIZE 0 BODY[] NIL)`, refused},
		{"V22", "an empty literal", "* 2 FETCH (UID 2 RFC822.SIZE 44 BODY[] {0}\r\n)", refused},
		{"V22", "an empty literal without a size", "* 2 FETCH (UID 2 BODY[] {0}\r\n)", refused},
		{"V22", "an empty string", `* 2 FETCH (UID 2 RFC822.SIZE 44 BODY[] "")`, refused},
		{"V22", "no body", `* 2 FETCH (UID 2 RFC822.SIZE 44)`, refused},
		{"V22", "no body, another item", "* 2 FETCH (UID 2 RFC822 @)", refused},
		{"V22", "the header", "* 2 FETCH (UID 2 BODY[HEADER] {4}\r\nA: b)", refused},
		{"V22", "the text", "* 2 FETCH (UID 2 BODY[TEXT] {4}\r\nA: b)", refused},
		{"V22", "a part", "* 2 FETCH (UID 2 BODY[1] {4}\r\nA: b)", refused},
		{"V22", "the first bytes", "* 2 FETCH (UID 2 BODY[]<0> {4}\r\nA: b)", refused},
		{"V22", "nothing", `* OK nothing`, refused},
		{"V22", "another message in its place", `* 3 FETCH (UID 3 FLAGS ())`, refused},
		{"V22", "an empty FETCH", `* 2 FETCH ()`, refused},
		{"V22", "a body without quotes", `* 2 FETCH (UID 2 BODY[] abc)`, refused},
		{"V22", "a list for a body", `* 2 FETCH (UID 2 BODY[] (a b))`, refused},

		{"I-11", "an item that nobody knows", `* 2 FETCH (UID 2 X-NEW (a "b" ()) BODY[] @)`, all},
		{"I-11", "an item with a literal that nobody knows", "* 2 FETCH (UID 2 X-NEW {3}\r\nabc BODY[] @)", all},
		{"I-11", "the items of Gmail", `* 2 FETCH (X-GM-MSGID 1278455344230334865 X-GM-LABELS ("a" \Inbox) UID 2 BODY[] @)`, all},
		{"I-11", "EMAILID, PREVIEW and SAVEDATE", `* 2 FETCH (EMAILID (M1) PREVIEW NIL SAVEDATE NIL UID 2 BODY[] @)`, all},
		{"I-11", "MODSEQ beyond 63 bits", `* 2 FETCH (UID 2 MODSEQ (18446744073709551615) BODY[] @)`, all},
		{"I-11", "an item without a value", `* 2 FETCH (UID)`, odd},
		{"I-11", "an item without a name", `* 2 FETCH ("x" 2)`, odd},
		{"I-11", "no list", `* 2 FETCH UID 2`, odd},
		{"I-11", "behind the list", `* 2 FETCH (UID 2) x`, odd},
		{"I-11", "an open list", `* 2 FETCH (UID 2`, odd},

		{"I-13", "INTERNALDATE NIL", `* 2 FETCH (UID 2 INTERNALDATE NIL BODY[] @)`, all},
		{"I-13", "31 February", `* 2 FETCH (UID 2 INTERNALDATE "31-Feb-2024 00:00:00 +0000" BODY[] @)`, all},
		{"I-13", "the year 0", `* 2 FETCH (UID 2 INTERNALDATE "01-Jan-0000 00:00:00 +0000" BODY[] @)`, all},
		{"I-13", "the year 1", `* 2 FETCH (UID 2 INTERNALDATE "01-Jan-0001 00:00:00 +0000" BODY[] @)`, all},
		{"I-13", "the year 9999", `* 2 FETCH (UID 2 INTERNALDATE "31-Dec-9999 23:59:59 -2359" BODY[] @)`, all},
		{"I-13", "a date before 1970", `* 2 FETCH (UID 2 INTERNALDATE "01-Jan-1901 00:00:00 +0000" BODY[] @)`, all},
		{"I-13", "a zone beyond a day", `* 2 FETCH (UID 2 INTERNALDATE "01-Jan-2024 00:00:00 +9999" BODY[] @)`, all},
		{"V2", "a date of 10 KB", `* 2 FETCH (UID 2 INTERNALDATE "` + strings.Repeat("1", 10_000) + `" BODY[] @)`, all},
		{"I-13", "a date in a list", `* 2 FETCH (UID 2 INTERNALDATE ("x") BODY[] @)`, all},
		{"I-13", "a negative size", `* 2 FETCH (UID 2 RFC822.SIZE -1 BODY[] @)`, all},
		{"I-13", "a size of 65 bits", `* 2 FETCH (UID 2 RFC822.SIZE 18446744073709551616 BODY[] @)`, all},
		{"I-13", "a wrong size", `* 2 FETCH (UID 2 RFC822.SIZE 9999999 BODY[] @)`, all},
		{"I-13", "a size of nothing", `* 2 FETCH (UID 2 RFC822.SIZE 0 BODY[] @)`, all},
		{"I-13", "a flag with a bracket", `* 2 FETCH (UID 2 FLAGS (a]b \Seen) BODY[] @)`, all},
		{"I-13", "flags beyond ASCII", "* 2 FETCH (UID 2 FLAGS (gelöscht \xff) BODY[] @)", all},
		{"I-13", "flags NIL", `* 2 FETCH (UID 2 FLAGS NIL BODY[] @)`, all},
		{"I-13", "flags in a string", `* 2 FETCH (UID 2 FLAGS "\\Seen" BODY[] @)`, all},
		{"I-13", "lists in the flags", `* 2 FETCH (UID 2 FLAGS ((\Seen) (())) BODY[] @)`, all},
		{"I-13", "a flag as a literal", "* 2 FETCH (UID 2 FLAGS ({5}\r\n\\Seen) BODY[] @)", all},
		{"I-22", "10,000 flags", `* 2 FETCH (UID 2 FLAGS (` + strings.Repeat("f ", 10_000) + `) BODY[] @)`, all},
		{"I-22", "a flag of 100 KB", `* 2 FETCH (UID 2 FLAGS (` + strings.Repeat("f", 100_000) + `) BODY[] @)`, all},
		{"I-24", "flags that want out of the file's name", `* 2 FETCH (UID 2 FLAGS (../../x :2,S a/b) BODY[] @)`, all},

		{"I-7", "parentheses and garbage in an envelope", `* 2 FETCH (UID 2 ENVELOPE (` + strings.Repeat("(", 50) + `x` + strings.Repeat(")", 50) + `) BODY[] @)`, all},
		{"I-6", "a BODYSTRUCTURE 60 deep", `* 2 FETCH (UID 2 BODYSTRUCTURE ` + strings.Repeat("(", 60) + strings.Repeat(")", 60) + ` BODY[] @)`, all},
		{"V16", "a BODYSTRUCTURE 65 deep", `* 2 FETCH (UID 2 BODYSTRUCTURE ` + strings.Repeat("(", 65) + strings.Repeat(")", 65) + ` BODY[] @)`, odd},
		{"I-32", "the body as a literal with NUL", "* 2 FETCH (UID 2 BODY[] ~@)", all},
		{"I-32", "BINARY", "* 2 FETCH (UID 2 BINARY[] @)", refused},
		{"I-33", "lower case", "* 2 fetch (uid 2 body[] @)", all},
		{"I-33", "stray spaces", "* 2 FETCH ( UID  2  BODY[] @ )", all},
	} {
		line := strings.ReplaceAll(f.line, "@", t5Literal)
		cases = append(cases,
			t5Case{row: f.row, name: "FETCH: " + f.name, want: f.want, lie: message(line)},
			t5Case{row: f.row, name: "FETCH: in a set: " + f.name, want: "complete", lie: messageInSet(line)})
	}
	return cases
}
