package faults

import (
	"encoding/base64"
	"strings"
	"time"

	"mailpull/pkg/mailtest"
)

// The words of outcomes that are the same for many cases.
const (
	t5Protocol = "protocol account; nothing is stored"
	t5Lost     = "connect account; nothing is stored"
	t5Server   = "server account; nothing is stored"
	t5Auth     = "auth account; nothing is stored"
)

// t5Greetings are first lines that are none, or odd.
func t5Greetings() []t5Case {
	greeting := func(row, name, line, want string) t5Case {
		return t5Case{row: row, name: "greeting: " + name, lie: greets(line), want: want}
	}
	return []t5Case{
		greeting("EAST construction", "NO", "* NO closed", t5Protocol),
		greeting("EAST construction", "BAD", "* BAD closed", t5Protocol),
		greeting("EAST construction", "with a tag", "A1 OK hello", t5Protocol),
		greeting("EAST construction", "with the first tag of go-imap", "T1 OK hello", t5Protocol),
		greeting("EAST construction", "a continuation", "+ go on", t5Protocol),
		greeting("EAST construction", "an empty line, then a good one", "\r\n* OK hello", t5Protocol),
		greeting("EAST construction", "a bad one, then a good one", "* NO\r\n* OK hello", t5Protocol),
		greeting("EAST construction", "a data response, then a good one", "* LIST () NIL x\r\n* OK hello", t5Protocol),
		greeting("EAST construction", "BYE, then a good one", "* BYE\r\n* OK hello", t5Server),
		greeting("EAST construction", "another protocol", "+OK POP3 ready", t5Protocol),
		greeting("EAST construction", "HTTP", "HTTP/1.1 400 Bad Request", t5Protocol),
		greeting("EAST construction", "SMTP", "220 mail.example.com ESMTP", t5Protocol),
		greeting("EAST construction", "a literal", "* OK {5}\r\nhello", t5Protocol),
		greeting("EAST construction", "two of them", "* OK hello\r\n* OK hello again", "complete"),
		greeting("I-33", "no text", "* OK", "complete"),
		greeting("I-33", "lower case", "* ok hello", "complete"),
		greeting("I-33", "a stray space", "* OK  hello", "complete"),
		greeting("I-33", "a lone LF", "* OK hello\n* 1 EXISTS", "complete"),
		greeting("I-24", "NUL and ESC", "* OK \x00\x1b[2J\x07", "complete"),
		greeting("I-5", "capabilities with a parenthesis", "* OK [CAPABILITY ( IMAP4rev1] x", "complete"),
		greeting("I-5", "capabilities without an end", "* OK [CAPABILITY IMAP4rev1", "complete"),
		{row: "I-16", name: "greeting: BYE and its reason", lie: greets("* BYE too many connections"),
			want: "throttled account; nothing is stored", says: "too many connections"},
		{row: "I-16", name: "the reason of a BYE is not lost when the connection breaks", lie: instead("UID SEARCH", "* BYE the house burns", "HANGUP"),
			want: t5Server, says: "the house burns"},
		greeting("EAST P", "PREAUTH where plain text is permitted", "* PREAUTH welcome", "complete"),
		greeting("I-22", "70 KB without a space", strings.Repeat("x", 70_000), t5Protocol),
	}
}

// t5SignIns are answers to the commands before and during sign-in.
func t5SignIns() []t5Case {
	const plain = "AUTH=PLAIN ESEARCH"
	at := func(row, name, capabilities, prefix, want string, lines ...string) t5Case {
		return t5Case{row: row, name: "sign-in: " + name, lie: t5Lies(caps(capabilities), instead(prefix, lines...)), want: want}
	}
	second := func(row, name, want string, lines ...string) t5Case {
		return t5Case{row: row, name: "sign-in: response: " + name, want: want, lie: t5Lies(caps(plain),
			on("AUTHENTICATE", func(c *mailtest.IMAPTalk, tag, _ string) {
				c.Printf("+ ")
				if _, ok := c.Line(); ok {
					say(c, tag, lines)
				}
			}))}
	}
	challenge := base64.StdEncoding.EncodeToString([]byte("r=1,s=1,i=2147483647"))
	return []t5Case{
		at("I-5", "CAPABILITY with a parenthesis", "", "CAPABILITY", t5Protocol, "* CAPABILITY (", "$ OK"),
		at("I-5", "CAPABILITY with parentheses", "", "CAPABILITY", "complete", "* CAPABILITY (IMAP4rev1) ((x))", "$ OK"),
		at("I-5", "CAPABILITY of nothing", "", "CAPABILITY", "complete", "* CAPABILITY", "$ OK"),
		at("I-5", "no CAPABILITY", "", "CAPABILITY", t5Protocol, "$ OK"),
		at("I-22", "a capability as a literal", "", "CAPABILITY", "complete", "* CAPABILITY IMAP4rev1 {3}\r\nabc", "$ OK"),
		at("I-22", "a capability as a large literal", "", "CAPABILITY", t5Protocol, "* CAPABILITY IMAP4rev1 {65537}", "$ OK"),
		at("I-20", "IMAP4rev2 and UTF8=ACCEPT are announced", "IMAP4rev2 UTF8=ACCEPT ENABLE ESEARCH", "NOTHING", "complete"),
		at("I-20", "ENABLED, unasked", "", "CAPABILITY", "complete", "* ENABLED UTF8=ACCEPT IMAP4rev2", "* CAPABILITY IMAP4rev1", "$ OK"),
		at("I-21", "LOGINDISABLED", "LOGINDISABLED", "LOGIN", t5Auth, "$ OK"),
		at("I-21", "LOGINDISABLED, and a way that we lack", "LOGINDISABLED AUTH=SCRAM-SHA-256", "LOGIN", t5Auth, "$ OK"),
		at("I-21", "LOGINDISABLED, and AUTH=PLAIN", "LOGINDISABLED AUTH=PLAIN", "NOTHING", "complete"),
		at("I-26", "ID is refused", "ID", "ID", "complete", "$ BAD no"),
		at("I-26", "ID with odd values", "ID", "ID", "complete", `* ID ("a" NIL "b" {2}`+"\r\n\x1b[ \"\")", "$ OK"),
		at("I-32", "COMPRESS, QRESYNC and more are announced", "COMPRESS=DEFLATE QRESYNC CONDSTORE NOTIFY OBJECTID X-GM-EXT-1 PARTIAL UIDONLY", "NOTHING", "complete"),

		at("V11", "LOGIN: NO", "", "LOGIN", t5Auth, "$ NO wrong"),
		at("V11", "LOGIN: BAD", "", "LOGIN", t5Auth, "$ BAD wrong"),
		at("V11", "LOGIN: BYE", "", "LOGIN", t5Server, "* BYE wrong", "HANGUP"),
		at("V11", "LOGIN: a continuation", "", "LOGIN", t5Protocol, "+ more"),
		at("V11", "LOGIN: nothing and gone", "", "LOGIN", t5Lost, "HANGUP"),
		at("V11", "LOGIN: garbage", "", "LOGIN", t5Protocol, "\x80\xff\x00"),
		at("V11", "AUTHENTICATE: NO", plain, "AUTHENTICATE", t5Auth, "$ NO wrong"),
		at("V11", "AUTHENTICATE: NO, and its text is a challenge", plain, "AUTHENTICATE", t5Auth, "$ NO "+challenge),
		at("V11", "AUTHENTICATE: BAD", plain, "AUTHENTICATE", t5Auth, "$ BAD wrong"),
		at("V11", "AUTHENTICATE: BYE", plain, "AUTHENTICATE", t5Server, "* BYE wrong", "HANGUP"),
		at("V11", "AUTHENTICATE: OK at once", plain, "AUTHENTICATE", t5Protocol, "$ OK in"),
		at("V11", "AUTHENTICATE: garbage", plain, "AUTHENTICATE", t5Protocol, "\x80\xff\x00"),
		at("V11", "AUTHENTICATE: an endless challenge", plain, "AUTHENTICATE", t5Protocol, "+ "+strings.Repeat("A", 2<<20)),
		at("V12", "AUTHENTICATE: a SCRAM challenge", plain+" SASL-IR", "AUTHENTICATE", t5Protocol, "+ "+challenge),
		second("V11", "NO", t5Auth, "$ NO wrong"),
		second("V11", "BAD", t5Auth, "$ BAD wrong"),
		second("V11", "another challenge", t5Protocol, "+ "+challenge),
		second("V11", "a challenge that is no base64", t5Protocol, "+ \x01\x02"),
		second("V11", "64 KiB of challenge", t5Protocol, "+ "+strings.Repeat("A", 64<<10)),
		second("V11", "gone", t5Lost, "HANGUP"),
		second("V11", "OK for another command", t5Protocol, "T1 OK in"),
		second("V11", "the password is echoed", t5Auth,
			"$ NO "+password+" "+base64.StdEncoding.EncodeToString([]byte("\x00"+username+"\x00"+password))+" are wrong"),
		at("I-24", "an ALERT that echoes the password", "", "LOGIN", t5Auth, "* NO [ALERT] "+password+" is \x1b[31mbad", "$ NO no"),

		{row: "I-9", name: "sign-in: silence", lie: instead("LOGIN", "STALL"), want: "timeout account; nothing is stored", within: time.Minute},
		{row: "I-9", name: "sign-in: a byte now and then", lie: instead("CAPABILITY", "* OK [X] ", "STALL"),
			want: "timeout account; nothing is stored", within: time.Minute},
	}
}
