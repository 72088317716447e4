package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"mailpull/pkg/demo"
)

// heldBack is the hint of a run in which a message failed.
const heldBack = "whatever else the server gave is archived; the message is asked for again later, see: mailpull quarantine list work"

// answerCases are servers that answer, and answer wrongly. Each is a liar that
// tells the truth after the first run.
func answerCases() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"mailbox without uidvalidity": func(t *testing.T) {
			l := &liar{lie: func(mailbox, command string) (string, bool) {
				if mailbox != "Work" || !strings.HasPrefix(command, "EXAMINE") {
					return "", false
				}
				return "* 3 EXISTS\r\n* OK [UIDNEXT 4] ok\r\n", true
			}}
			s := l.setup(t)
			s.mustFail(t, exitUnavailable,
				`pull "Work": the server gives it no UIDVALIDITY, so its messages cannot be told apart for ever; 3 messages are missing in all`,
				"leave the mailbox out with exclude below mailboxes, or ask whoever runs the server; INBOX may be had over POP3")
			s.mustContain(t, map[string][]string{"INBOX": liarBodies("INBOX")})
			l.mustConfess(t, s)
		},
		"garbage instead of a fetch": func(t *testing.T) {
			l := &liar{lie: secondAnswer("<html>\r\n")}
			s := l.setup(t)
			s.mustFail(t, exitTemporary,
				`imap fetch "INBOX" uid 2: the server broke the protocol: a line is no response: "<html>"`,
				heldBack)
			s.mustContain(t, map[string][]string{"INBOX": allBut(liarBodies("INBOX"), 1), "Work": liarBodies("Work")})
			l.mustConfess(t, s)
		},
		"list refused": func(t *testing.T) {
			l := &liar{lie: func(_, command string) (string, bool) { return refuse, strings.HasPrefix(command, "LIST") }}
			s := l.setup(t)
			s.mustFail(t, exitTemporary,
				"imap list: the server answered NO [SERVERBUG] the disk of the server is broken",
				"whatever else the server gave is archived, and the next run asks again; if it stays so, show this line to whoever runs the server")
			l.mustConfess(t, s)
		},
		"mailbox refused": func(t *testing.T) {
			l := &liar{lie: func(mailbox, command string) (string, bool) {
				return refuse, mailbox == "INBOX" && strings.HasPrefix(command, "EXAMINE")
			}}
			s := l.setup(t)
			s.mustFail(t, exitTemporary,
				`imap examine "INBOX": the server answered NO [SERVERBUG] the disk of the server is broken; 3 messages are missing in all`,
				"whatever else the server gave is archived, and the next run asks again; if it stays so, show this line to whoever runs the server")
			s.mustContain(t, map[string][]string{"Work": liarBodies("Work")})
			l.mustConfess(t, s)
		},
		"not an imap server": func(t *testing.T) {
			l := &liar{hello: "220 smtp.example.com ESMTP\r\n"}
			s := l.setup(t)
			s.mustFail(t, exitTemporary,
				"imap connect: the server broke the protocol: an answer is neither OK nor NO nor BAD",
				"what listens on 127.0.0.1:PORT does not speak IMAP as it should; check host, port and security")
			l.mustConfess(t, s)
		},
		"server says bye": func(t *testing.T) {
			l := &liar{hello: "* BYE too many connections from your address\r\n"}
			s := l.setup(t)
			s.mustFail(t, exitTemporary,
				`imap connect: the server said "BYE too many connections from your address"`,
				"the server asks to wait; run again later")
			l.mustConfess(t, s)
		},
	}
}

// bodyCases are bodies that are none.
func bodyCases() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"nil body": func(t *testing.T) {
			l := &liar{lie: secondBody("NIL", 31)}
			s := l.setup(t)
			s.mustFail(t, exitTemporary,
				`imap fetch "INBOX" uid 2: the server lists the message and sends no body`,
				heldBack)
			s.mustContain(t, map[string][]string{"INBOX": allBut(liarBodies("INBOX"), 1), "Work": liarBodies("Work")})
			l.mustConfess(t, s)
		},
		"empty body of an empty message": func(t *testing.T) {
			l := &liar{lie: secondBody(`""`, 0)}
			l.setup(t).mustArrive(t, map[string][]string{
				"INBOX": append(allBut(liarBodies("INBOX"), 1), ""), "Work": liarBodies("Work"),
			})
		},
		"empty body of a message that has a size": func(t *testing.T) {
			l := &liar{lie: secondBody(`""`, 31)}
			s := l.setup(t)
			s.mustFail(t, exitTemporary,
				`imap fetch "INBOX" uid 2: the server lists the message and sends no body`,
				heldBack)
			s.mustContain(t, map[string][]string{"INBOX": allBut(liarBodies("INBOX"), 1), "Work": liarBodies("Work")})
			l.mustConfess(t, s)
		},
		"empty literal of a message that has a size": func(t *testing.T) {
			l := &liar{lie: secondBody("{0}\r\n", 31)}
			s := l.setup(t)
			s.mustFail(t, exitTemporary,
				`imap fetch "INBOX" uid 2: the server lists the message and sends no body`,
				heldBack)
			l.mustConfess(t, s)
		},
		"no answer to a fetch": func(t *testing.T) {
			l := &liar{lie: secondAnswer("")}
			s := l.setup(t)
			s.mustFail(t, exitTemporary,
				`imap fetch "INBOX" uid 2: the server lists the message and sends no body`,
				heldBack)
			l.mustConfess(t, s)
		},
		"body shorter than its literal": func(t *testing.T) {
			l := &liar{lie: secondAnswer("* 2 FETCH (UID 2 RFC822.SIZE 31 BODY[] {31}\r\nSubject: sho" + hangUp)}
			s := l.setup(t)
			s.mustFail(t, exitTemporary, `imap fetch "INBOX" uid 2: the server closed the connection: EOF`, heldBack)
			s.mustContain(t, map[string][]string{"INBOX": allBut(liarBodies("INBOX"), 1), "Work": liarBodies("Work")})
			l.mustConfess(t, s)
		},
	}
}

// What a lie can hold beside answers: the end of the connection, and a
// refusal of the command.
const (
	hangUp = "\x00hang up"
	refuse = "\x00refuse"
)

// secondBody is the lie that INBOX's second message has this size and body.
func secondBody(body string, size int) func(mailbox, command string) (string, bool) {
	return secondAnswer(fmt.Sprintf("* 2 FETCH (UID 2 RFC822.SIZE %d BODY[] %s)\r\n", size, body))
}

// secondAnswer is a lie in place of the answer that brings INBOX's second
// message.
func secondAnswer(text string) func(mailbox, command string) (string, bool) {
	return func(mailbox, command string) (string, bool) {
		if mailbox != "INBOX" || !strings.Contains(command, "BODY.PEEK[]") {
			return "", false
		}
		var answer strings.Builder
		for i := range liarBodies(mailbox) {
			switch {
			case !wants(command, i+1):
			case i == 1:
				answer.WriteString(text)
			default:
				answer.WriteString(liarFetch(mailbox, i))
			}
		}
		if before, _, ok := strings.Cut(answer.String(), hangUp); ok {
			return before + hangUp, true
		}
		return answer.String(), true
	}
}

// liar is an IMAP server of two mailboxes with three messages each. It tells
// the truth but where lie does not, and when it has confessed.
type liar struct {
	hello     string
	lie       func(mailbox, command string) (answer string, lies bool)
	confessed atomic.Bool
}

// setup starts the liar and writes a configuration that pulls from it.
func (l *liar) setup(t *testing.T) setup {
	t.Helper()
	addr := listen(t, l.serve).addr
	_, port, _ := strings.Cut(addr, ":")
	return configure(t, fmt.Sprintf("imap: { host: 127.0.0.1, port: %s, security: none, username: %s, password: %s }",
		port, demo.Username, demo.Password), "")
}

// mustConfess lets the server tell the truth and pulls everything, also what
// is in quarantine meanwhile.
func (l *liar) mustConfess(t *testing.T, s setup) {
	t.Helper()
	l.confessed.Store(true)
	s.mustRetry(t)
	s.mustArrive(t, map[string][]string{"INBOX": liarBodies("INBOX"), "Work": liarBodies("Work")})
}

// liarBodies are a mailbox's messages.
func liarBodies(mailbox string) []string {
	var bodies []string
	for i := range 3 {
		bodies = append(bodies, fmt.Sprintf("Subject: %s %d\r\n\r\ntext\r\n", mailbox, i+1))
	}
	return bodies
}

func allBut(bodies []string, i int) []string {
	return append(append([]string(nil), bodies[:i]...), bodies[i+1:]...)
}

func (l *liar) serve(conn net.Conn) {
	lines := bufio.NewReader(conn)
	hello := "* OK hello\r\n"
	if l.hello != "" && !l.confessed.Load() {
		hello = l.hello
	}
	// Whoever hangs up is noticed by the next read.
	_, _ = io.WriteString(conn, hello)
	mailbox := ""
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		tag, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name, ok := strings.CutPrefix(command, "EXAMINE "); ok {
			mailbox = strings.Trim(name, `"`)
		}
		answer, end := l.answer(mailbox, command), tag+" OK done\r\n"
		if text, ok := strings.CutSuffix(answer, hangUp); ok {
			_, _ = io.WriteString(conn, text)
			return
		}
		if answer == refuse {
			answer, end = "", tag+" NO [SERVERBUG] the disk of the server is broken\r\n"
		}
		_, _ = io.WriteString(conn, answer+end)
	}
}

// answer returns the untagged answers to a command.
func (l *liar) answer(mailbox, command string) string {
	if l.lie != nil && !l.confessed.Load() {
		if answer, lies := l.lie(mailbox, command); lies {
			return answer
		}
	}
	verb, rest, _ := strings.Cut(command, " ")
	switch {
	case verb == "CAPABILITY":
		return "* CAPABILITY IMAP4rev1\r\n"
	case verb == "LIST":
		return "* LIST () \"/\" INBOX\r\n* LIST () \"/\" Work\r\n"
	case verb == "STATUS":
		name, _, _ := strings.Cut(rest, " ")
		return fmt.Sprintf("* STATUS %s (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7)\r\n", name)
	case verb == "EXAMINE":
		return "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 4] ok\r\n"
	case strings.HasPrefix(command, "UID SEARCH"):
		return "* SEARCH 1 2 3\r\n"
	case strings.Contains(command, "FETCH"):
		return fetchAnswer(mailbox, command)
	}
	return ""
}

func fetchAnswer(mailbox, command string) string {
	var answer strings.Builder
	for i := range liarBodies(mailbox) {
		switch {
		case !wants(command, i+1):
		case strings.Contains(command, "BODY.PEEK[]"):
			answer.WriteString(liarFetch(mailbox, i))
		default:
			fmt.Fprintf(&answer, "* %[1]d FETCH (UID %[1]d)\r\n", i+1)
		}
	}
	return answer.String()
}

// liarFetch is the whole answer for one message.
func liarFetch(mailbox string, i int) string {
	body := liarBodies(mailbox)[i]
	return fmt.Sprintf("* %[1]d FETCH (UID %[1]d FLAGS () INTERNALDATE \"17-Jul-2024 02:44:25 +0000\" RFC822.SIZE %[2]d BODY[] {%[2]d}\r\n%[3]s)\r\n",
		i+1, len(body), body)
}

// wants reports whether the set of a FETCH command holds a number. The liar's
// UIDs are its sequence numbers.
func wants(command string, n int) bool {
	_, rest, _ := strings.Cut(command, "FETCH ")
	set, _, _ := strings.Cut(rest, " ")
	for part := range strings.SplitSeq(set, ",") {
		from, to, isRange := strings.Cut(part, ":")
		if !isRange {
			to = from
		}
		lo, _ := strconv.Atoi(from) // mailpull writes no star but at the end
		hi, err := strconv.Atoi(to)
		if err != nil {
			hi = n
		}
		if lo <= n && n <= hi {
			return true
		}
	}
	return false
}
