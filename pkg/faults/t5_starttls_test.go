package faults

import (
	"strings"
	"time"

	"mailpull/pkg/mailtest"
)

// t5StartTLSCases are the attacks of the paper "Why TLS is better without
// STARTTLS" (USENIX Security 2021) on a client that was told to use STARTTLS.
// The letters are the paper's. None of them may get a byte of a password.
func t5StartTLSCases() []t5Case {
	const noTLS = "tls account; nothing is stored"
	play := func(row, name, want string, lies ...lie) t5Case {
		if !strings.HasPrefix(row, "I-") {
			row = "EAST " + row
		}
		return t5Case{row: row, name: "starttls: " + name, lie: t5Lies(lies...), want: want, startTLS: true}
	}
	answers := func(row, name, want string, lines ...string) t5Case {
		return play(row, name, want, instead("STARTTLS", lines...))
	}
	// injects says plain text behind the agreement, in the same piece, and then
	// does TLS as if nothing had been.
	injects := func(row, name, want string, lines ...string) t5Case {
		return play(row, name, want, on("STARTTLS", func(c *mailtest.IMAPTalk, tag, _ string) {
			c.Printf("%s OK begin", tag)
			say(c, tag, lines)
			c.StartTLS()
		}))
	}
	before := func(row, name, want string, lines ...string) t5Case {
		return play(row, name, want, ahead("STARTTLS", lines...))
	}
	capability := func(line string) lie {
		return on("CAPABILITY", func(c *mailtest.IMAPTalk, tag, command string) {
			if c.Secure() {
				c.Answer(tag, command)
				return
			}
			say(c, tag, []string{line, "$ OK"})
		})
	}
	return []t5Case{
		play("honest", "nobody attacks", "complete"),
		play("D_1", "not offered", noTLS, capability("* CAPABILITY IMAP4rev1 AUTH=PLAIN LOGIN-REFERRALS")),
		play("D_1", "offered in another word", noTLS, capability("* CAPABILITY IMAP4rev1 XSTARTTLS STARTTLS=NO")),
		play("D_1", "taken away in the greeting", noTLS, greets("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello")),
		answers("D_2", "NO", noTLS, "$ NO not now"),
		answers("D_3", "BAD", noTLS, "$ BAD unknown command"),
		answers("D_3", "BAD, and AUTH=PLAIN is offered", noTLS, "* CAPABILITY IMAP4rev1 AUTH=PLAIN", "$ BAD unknown command"),
		answers("O_1", "a continuation", t5Protocol, "+ go on"),
		answers("O_2", "BYE", t5Server, "* BYE"),
		answers("O_3", "an answer to another command", t5Protocol, "X OK begin"),
		answers("O_4", "an untagged OK", "timeout account; nothing is stored", "* OK begin", "STALL").in(time.Minute),
		answers("O_4", "PREAUTH", "timeout account; nothing is stored", "* PREAUTH in", "STALL").in(time.Minute),
		answers("O_4", "gone", t5Lost, "HANGUP"),
		answers("I-19", "an agreement with a torn tail", t5Lost, "$ OK [", "HANGUP"),
		answers("I-19", "an agreement without a text, and gone", t5Lost, "$ OK", "HANGUP"),
		answers("I-9", "an agreement and silence", "timeout account; nothing is stored", "$ OK begin", "STALL").in(time.Minute),
		injects("B_1", "an answer in plain text behind the agreement", t5Protocol, "* CAPABILITY IMAP4rev1 AUTH=PLAIN"),
		injects("B_1", "an OK for the next command behind it", t5Protocol, "$+ OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] in"),
		injects("B_2", "PREAUTH behind it", t5Protocol, "* PREAUTH in"),
		injects("B_3", "an empty line behind it", t5Protocol, ""),
		injects("B_3", "BYE behind it", t5Protocol, "* BYE"),
		play("B_3", "a single byte behind it", t5Protocol, on("STARTTLS", func(c *mailtest.IMAPTalk, tag, _ string) {
			c.Raw(tag + " OK begin\r\n*")
			c.StartTLS()
		})),
		play("P_1", "PREAUTH", noTLS, greets("* PREAUTH in")),
		play("P_2", "PREAUTH that offers STARTTLS", noTLS, greets("* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] in")),
		play("P_3", "PREAUTH with an ALERT", noTLS, greets("* PREAUTH [ALERT] sign in at http://attacker.example")),
		play("P_4", "PREAUTH in lower case", noTLS, greets("* preauth in")),
		play("P_5", "OK, and PREAUTH behind it", "complete", greets("* OK hello\r\n* PREAUTH in")),
		play("L_1", "LOGIN is referred elsewhere", t5Auth,
			instead("LOGIN", "$ NO [REFERRAL imap://me@attacker.example/] over there")),
		play("L_1", "LOGIN succeeds and is referred elsewhere", "complete", on("LOGIN", func(c *mailtest.IMAPTalk, tag, _ string) {
			c.SignedIn = true
			c.Printf("%s OK [REFERRAL imap://me@attacker.example/] in", tag)
		})),
		play("L_1", "BYE with a referral", t5Server,
			instead("LOGIN", "* BYE [REFERRAL imap://attacker.example/] over there", "HANGUP")),
		play("M_1", "EXAMINE is referred elsewhere", "server mailbox; without INBOX/1 INBOX/2 INBOX/3",
			instead(`EXAMINE "INBOX"`, "$ NO [REFERRAL imap://attacker.example/INBOX] over there")),
		play("M_2", "LIST names a mailbox elsewhere", "server mailbox",
			ahead("LIST", `* LIST (\Remote) "/" "imap://attacker.example/INBOX"`)),
		before("tampering", "ENABLED in plain text", "complete", "* ENABLED UTF8=ACCEPT IMAP4rev2"),
		before("tampering", "mailboxes in plain text", "complete", `* LIST () "/" attacker`, `* LSUB () "/" attacker`),
		before("tampering", "a status in plain text", "complete", "* STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 7)"),
		before("tampering", "UIDs in plain text", "complete", "* SEARCH 9", "* ESEARCH UID ALL 9"),
		before("tampering", "a mailbox in plain text", "complete", "* 0 EXISTS", `* FLAGS (\Seen)`, "* OK [UIDVALIDITY 99] x", "* OK [UIDNEXT 1] x"),
		before("tampering", "a message in plain text", "complete", "* 2 FETCH (UID 2 BODY[] {3}\r\nbad)"),
		before("tampering", "capabilities in plain text", "complete", "* CAPABILITY IMAP4rev1 AUTH=PLAIN LOGINDISABLED ID"),
		play("tampering", "the answer to the first command inside TLS comes before it", t5Protocol,
			on("STARTTLS", func(c *mailtest.IMAPTalk, tag, _ string) {
				c.Raw(tag + " OK begin\r\n")
				c.StartTLS()
				c.Raw(nextTag(tag) + " OK in\r\n")
				c.HangUp()
			})),
		{row: "I-18", name: "starttls: capabilities in the agreement", startTLS: true, want: "complete",
			lie: on("STARTTLS", func(c *mailtest.IMAPTalk, tag, _ string) {
				c.Printf("%s OK [CAPABILITY IMAP4rev1 LOGINDISABLED STARTTLS] begin", tag)
				c.StartTLS()
			})},
		{row: "V13", name: "starttls: the agreement comes before the question", startTLS: true, want: t5Lost,
			lie: on("CAPABILITY", func(c *mailtest.IMAPTalk, tag, command string) {
				c.Answer(tag, command)
				c.Raw(nextTag(tag) + " OK begin\r\n")
				c.HangUp()
			})},
		{row: "V13", name: "starttls: the agreement comes first, and no TLS", startTLS: true, want: noTLS,
			lie: on("CAPABILITY", func(c *mailtest.IMAPTalk, tag, command string) {
				c.Answer(tag, command)
				say(c, tag, []string{"$+ OK begin"})
				c.Flush()
				if _, ok := c.Line(); ok { // STARTTLS
					c.Printf("* CAPABILITY IMAP4rev1 AUTH=PLAIN")
				}
			})},
		{row: "EAST UI spoofing", name: "starttls: an ALERT before TLS is nobody's word", startTLS: true, want: t5Lost, never: "555 1234",
			lie: t5Lies(ahead("CAPABILITY", "* OK [ALERT] call 555 1234 at once"), instead("STARTTLS", "$ OK", "HANGUP"))},
		{row: "EAST UI spoofing", name: "starttls: an ALERT before TLS is forgotten inside it", startTLS: true,
			want: "server mailbox; nothing is stored", never: "555 1234",
			lie: t5Lies(ahead("STARTTLS", "* OK [ALERT] call 555 1234 at once"), instead("EXAMINE", "$ BAD x"))},
		play("UI spoofing", "a long BYE before TLS", t5Server, greets("* BYE "+strings.Repeat("call 555 1234 ", 200))),
	}
}

// in gives a case more time.
func (c t5Case) in(within time.Duration) t5Case {
	c.within = within
	return c
}
