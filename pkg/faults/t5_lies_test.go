package faults

import (
	"strconv"
	"strings"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// lie makes an honest server hostile.
type lie = func(s *mailtest.IMAPServer)

// t5Lies puts several lies together. The first one that has something to say
// to a command answers it.
func t5Lies(lies ...lie) lie {
	return func(s *mailtest.IMAPServer) {
		for _, one := range lies {
			before := s.On
			s.On = nil
			one(s)
			s.On = t5Either(before, s.On)
		}
	}
}

type t5Hook = func(c *mailtest.IMAPTalk, tag, command string) bool

func t5Either(first, second t5Hook) t5Hook {
	if first == nil {
		return second
	}
	return func(c *mailtest.IMAPTalk, tag, command string) bool {
		return first(c, tag, command) || second != nil && second(c, tag, command)
	}
}

// caps has the server announce other capabilities.
func caps(words string) lie { return func(s *mailtest.IMAPServer) { s.Caps = words } }

// greets has the server greet with another line.
func greets(line string) lie { return func(s *mailtest.IMAPServer) { s.Greeting = line } }

// on calls fn for the commands that begin with the prefix, and takes them for
// answered.
func on(prefix string, fn func(c *mailtest.IMAPTalk, tag, command string)) lie {
	return func(s *mailtest.IMAPServer) {
		s.On = func(c *mailtest.IMAPTalk, tag, command string) bool {
			if !strings.HasPrefix(command, prefix) {
				return false
			}
			fn(c, tag, command)
			return true
		}
	}
}

// say writes lines. A line that begins with "$" begins with the command's tag;
// "$+" is the tag that the next command of ours will have. "HANGUP" and "STALL"
// are what they say, and a line that begins with "=" has no end.
func say(c *mailtest.IMAPTalk, tag string, lines []string) {
	for _, line := range lines {
		switch {
		case line == "HANGUP":
			c.HangUp()
		case line == "STALL":
			c.Stall()
		case strings.HasPrefix(line, "="):
			c.Raw(line[1:])
		case strings.HasPrefix(line, "$+"):
			c.Raw(nextTag(tag) + line[2:] + "\r\n")
		case strings.HasPrefix(line, "$"):
			c.Raw(tag + line[1:] + "\r\n")
		default:
			c.Raw(line + "\r\n")
		}
	}
}

// nextTag guesses the tag of the next command: ours have a number behind seven
// letters that nobody can guess, go-imap's behind one.
func nextTag(tag string) string {
	mark := 1
	if tag[0] == 'M' {
		mark = 7
	}
	n, err := strconv.Atoi(tag[mark:])
	if err != nil {
		panic("a tag that mailpull does not make: " + tag)
	}
	return tag[:mark] + strconv.Itoa(n+1)
}

// instead answers a command with lines of its own.
func instead(prefix string, lines ...string) lie {
	return on(prefix, func(c *mailtest.IMAPTalk, tag, _ string) { say(c, tag, lines) })
}

// ahead says something before the true answer to a command, behind something
// after it.
func ahead(prefix string, lines ...string) lie {
	return on(prefix, func(c *mailtest.IMAPTalk, tag, command string) {
		say(c, tag, lines)
		c.Answer(tag, command)
	})
}

func behind(prefix string, lines ...string) lie {
	return on(prefix, func(c *mailtest.IMAPTalk, tag, command string) {
		c.Answer(tag, command)
		say(c, tag, lines)
	})
}

// t5Fetch takes a command apart that asks for bodies.
type t5Fetch struct {
	set, items string
	byUID      bool
}

func parseFetch(command string) (f t5Fetch, ok bool) {
	rest, byUID := strings.CutPrefix(command, "UID ")
	rest, ok = strings.CutPrefix(rest, "FETCH ")
	set, items, _ := strings.Cut(rest, " ")
	return t5Fetch{set, items, byUID}, ok && strings.Contains(items, "BODY")
}

// wants reports whether the command asks for a message. Sequence numbers are
// INBOX's, where the messages are that are lied about.
func (f t5Fetch) wants(box *mailtest.IMAPBox, i int) bool {
	if f.byUID {
		return mailtest.InIMAPSet(f.set, int(box.Messages[i].UID))
	}
	return box.Name == "INBOX" && mailtest.InIMAPSet(f.set, i+1)
}

// fetches has fn say the answer for each message that a command asks the body
// of, and then end the command, called without a message.
func fetches(fn func(c *mailtest.IMAPTalk, tag string, f t5Fetch, seq int, m *mailtest.IMAPMessage)) lie {
	return func(s *mailtest.IMAPServer) {
		s.On = func(c *mailtest.IMAPTalk, tag, command string) bool {
			f, ok := parseFetch(command)
			if !ok {
				return false
			}
			for _, box := range s.Boxes {
				for i := range box.Messages {
					if f.wants(box, i) {
						fn(c, tag, f, i+1, &box.Messages[i])
					}
				}
			}
			fn(c, tag, f, 0, nil)
			return true
		}
	}
}

// t5Lied is the UID of the message that is lied about.
const t5Lied mail.UID = 2

// message has lines of its own in place of the answer for message 2, whatever
// way it is asked for.
func message(lines ...string) lie {
	return fetches(func(c *mailtest.IMAPTalk, tag string, f t5Fetch, seq int, m *mailtest.IMAPMessage) {
		switch {
		case m == nil:
			c.Printf("%s OK done", tag)
		case m.UID == t5Lied:
			say(c, tag, lines)
		default:
			c.SayFetch(seq, *m, f.items)
		}
	})
}

// messageInSet is message as long as others are asked for with it: asked for
// alone the server tells the truth.
func messageInSet(lines ...string) lie {
	return fetches(func(c *mailtest.IMAPTalk, tag string, f t5Fetch, seq int, m *mailtest.IMAPMessage) {
		switch {
		case m == nil:
			c.Printf("%s OK done", tag)
		case m.UID == t5Lied && strings.ContainsAny(f.set, ":,*"):
			say(c, tag, lines)
		default:
			c.SayFetch(seq, *m, f.items)
		}
	})
}
