package faults

import (
	"maps"
	"strings"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// t5Commands are the commands of a session, as far as they can be told apart
// by how they begin.
var t5Commands = []string{"CAPABILITY", "LOGIN", "LIST", "STATUS", "EXAMINE", "UID SEARCH", "UID FETCH", "LOGOUT"}

// t5Anywhere is something that a server says instead of, before or behind the
// answer to a command, and the outcome for each of t5Commands.
type t5Anywhere struct {
	row, name string
	how       func(prefix string, lines ...string) lie
	lines     []string
	want      map[string]string // by command; "" is for the others
}

// cases makes a case for each command.
func (a t5Anywhere) cases() []t5Case {
	cases := make([]t5Case, len(t5Commands))
	for i, command := range t5Commands {
		want, ok := a.want[command]
		if !ok {
			want = a.want[""]
		}
		cases[i] = t5Case{row: a.row, name: command + ": " + a.name, lie: a.how(command, a.lines...), want: want}
	}
	return cases
}

// t5Ends are the outcomes where a session ends with an error of the class at
// each command. In UID FETCH it is found which message ends the session, and
// costs more than that message only because all of them do. LOGOUT comes when
// all is there.
func t5Ends(class string, others ...string) map[string]string {
	want := map[string]string{
		"":          class + " account; nothing is stored",
		"UID FETCH": class + " message; nothing is stored",
		"LOGOUT":    "complete",
	}
	for i := 0; i < len(others); i += 2 {
		want[others[i]] = others[i+1]
	}
	return want
}

// t5Refused are the outcomes where each command is refused. STATUS and SEARCH
// can be done without.
func t5Refused() map[string]string {
	return t5Ends("server", "LOGIN", t5Auth, "STATUS", "complete", "UID SEARCH", "complete",
		"EXAMINE", "server mailbox; nothing is stored")
}

// t5EveryCommand says the same wrong thing at each command of a session.
func t5EveryCommand() []t5Case {
	const noWork, noInbox = "; without Work/101 Work/102", "; without INBOX/1 INBOX/2 INBOX/3"
	harmless := map[string]string{"": "complete"}
	// What stands behind an answer is read with the next one.
	next := t5Ends("protocol", "UID SEARCH", "protocol message; nothing is stored", "UID FETCH", "protocol account"+noWork)
	nextOfMany := maps.Clone(next) // STATUS goes out for all mailboxes at once
	nextOfMany["STATUS"] = "protocol account" + noInbox
	var cases []t5Case
	for _, a := range []t5Anywhere{
		{"I-16", "NO", instead, []string{"$ NO no"}, t5Refused()},
		{"I-16", "NO without a text", instead, []string{"$ NO"}, t5Refused()},
		{"I-16", "BAD", instead, []string{"$ BAD no"}, t5Refused()},
		{"I-16", "BYE", instead, []string{"* BYE the house burns", "HANGUP"}, t5Ends("server")},
		{"I-1", "hangs up", instead, []string{"HANGUP"}, t5Ends("connect")},
		{"I-1", "hangs up inside the answer", instead, []string{"$ OK do", "HANGUP"}, t5Ends("connect", "CAPABILITY", t5Protocol)},
		{"I-1", "hangs up behind the answer", behind, []string{"HANGUP"},
			t5Ends("connect", "UID SEARCH", "connect message; nothing is stored", "UID FETCH", "complete")},
		{"V13", "a continuation, unasked", ahead, []string{"+ go on"}, t5Ends("protocol")},
		{"V13", "OK for a command that was not sent", ahead, []string{"X9 OK done"}, t5Ends("protocol")},
		{"V13", "OK for the next command, in advance", behind, []string{"$+ OK done"}, nextOfMany},
		{"V13", "OK at once, and the true answer behind it", ahead, []string{"$ OK done"}, t5Ends("protocol")},
		{"V13", "the answer twice", behind, []string{"$ OK done"}, next},
		// A server that lists messages and does not give them is not believed
		// that they are gone.
		{"V13", "OK and nothing else", instead, []string{"$ OK done"}, map[string]string{
			"": "complete", "CAPABILITY": t5Protocol, "LOGIN": t5Server, "LIST": "complete" + noWork,
			"EXAMINE": "server mailbox; nothing is stored", "UID FETCH": "server message; nothing is stored",
		}},
		{"V13", "MAYBE", instead, []string{"$ MAYBE"}, t5Ends("protocol")},
		{"V13", "BYE with a tag", instead, []string{"$ BYE"}, t5Ends("protocol")},
		{"V13", "PREAUTH with a tag", instead, []string{"$ PREAUTH"}, t5Ends("protocol")},
		{"I-33", "a stray space in the answer", ahead, []string{"* OK  "}, harmless},
		{"I-33", "an empty line", ahead, []string{""}, t5Ends("protocol")},
		{"I-33", "a NUL", ahead, []string{"* X \x00"}, t5Ends("protocol")},
		{"I-11", "a response that nobody knows", ahead, []string{"* WHATEVER 1 (2 \"3\" {1}\r\n4)"}, harmless},
		{"I-11", "VANISHED, LSUB and NAMESPACE", ahead, []string{"* VANISHED (EARLIER) 1:5", `* LSUB () "/" x`, "* NAMESPACE NIL NIL NIL"}, harmless},
		{"I-29", "the answers to other commands", ahead, []string{
			`* LIST () "/" INBOX`, "* SEARCH", "* ESEARCH UID", "* FLAGS ()", "* 2 FETCH (FLAGS ())", "* STATUS Work (MESSAGES 2 UIDNEXT 103 UIDVALIDITY 7)",
		}, harmless},
		{"I-3", "a message, unasked", ahead, []string{"* 9 FETCH (UID 9 BODY[] {3}\r\nbad)"}, harmless},
		{"I-30", "a literal in a status", ahead, []string{"* OK {3}\r\nabc"}, t5Ends("protocol")},
		{"I-24", "an ALERT with ESC, CR and NUL", ahead, []string{"* OK [ALERT] \x1b]0;x\x07\x1b[2J\r level=ERROR msg=\"forged\" \x00\x80"}, harmless},
		{"I-24", "BYE with ESC and NUL", instead, []string{"* BYE \x1b[2J\x00\xff", "HANGUP"}, t5Ends("server")},
		{"I-24", "NO with 100 KB of text", instead, []string{"$ NO " + strings.Repeat("\x1b", 100_000)}, t5Refused()},
		{"I-24", "an ALERT with 1 MB of text", ahead, []string{"* OK [ALERT] " + strings.Repeat("A", 1<<20)}, t5Ends("protocol")},
		{"V5", "BYE, and goes on", ahead, []string{"* BYE not really"}, map[string]string{
			"": "complete", "CAPABILITY": t5Server, "LOGIN": t5Server,
		}},
	} {
		cases = append(cases, a.cases()...)
	}
	return cases
}

// t5Codes are response codes, known and unknown, well-formed and not.
func t5Codes() []string {
	return []string{
		"ALERT", "BADCHARSET (UTF-8)", "CAPABILITY IMAP4rev2 LOGINDISABLED ID", "CAPABILITY (", "PARSE",
		`PERMANENTFLAGS (\Seen \*)`, "PERMANENTFLAGS )", "READ-ONLY", "READ-WRITE", "TRYCREATE",
		"UIDNEXT 1", "UIDNEXT 4294967296", "UIDNEXT x", "UNSEEN 99", "UNSEEN", "APPENDUID 7 2", "APPENDUID 7",
		"COPYUID 7 1:3 1:3", "COPYUID 7 1:4294967295 1:4294967295", "HIGHESTMODSEQ 0", "HIGHESTMODSEQ 18446744073709551616",
		"NOMODSEQ", "MODIFIED 1:3", "UIDNOTSTICKY", "REFERRAL imap://attacker.example/", "BADURL x", "NEWNAME a b",
		"COMPRESSIONACTIVE", "METADATA LONGENTRIES 1", "MAILBOXID (x)", "INPROGRESS (\"x\" 1 2)", "SAVEDATE", "X\x1b[0m", "(", "]", "",
		"UIDVALIDITY 0", "UIDVALIDITY 99", "UIDVALIDITY 4294967296", "CLOSED",
	}
}

// t5MisplacedCodes injects every response code before each command's answer
// and behind its data, where valid codes are that nobody asked for. One of them
// means something where it is not expected: a server that calls its UIDs not
// sticky is believed. And the UIDVALIDITY that is said
// last counts.
func t5MisplacedCodes() []t5Case {
	var cases []t5Case
	for _, code := range t5Codes() {
		for _, command := range t5Commands {
			if code == "UIDNOTSTICKY" && (command == "STATUS" || command == "UID FETCH") {
				continue // what stands behind them is news of EXAMINE if that was sent meanwhile
			}
			cases = append(cases, t5Case{row: "V5", name: command + ": [" + code + "]",
				want: t5CodeOutcome(code, command), also: []mail.UIDValidity{99},
				lie: on(command, func(c *mailtest.IMAPTalk, tag, command string) {
					c.Printf("* OK [%s] x", code)
					c.Printf("* NO [%s] x", code)
					c.Answer(tag, command)
					c.Printf("* OK [%s] x", code)
				})})
		}
	}
	return cases
}

func t5CodeOutcome(code, command string) string {
	if code == "UIDNOTSTICKY" && command == "EXAMINE" {
		return "server mailbox; nothing is stored"
	}
	return "complete"
}
