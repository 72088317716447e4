package mailtest

import (
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Answer answers a command truthfully. A function On calls it to say something
// before or behind the true answer.
func (c *IMAPTalk) Answer(tag, command string) {
	verb, args, _ := strings.Cut(command, " ")
	verb = strings.ToUpper(verb)
	if !c.SignedIn && !anybody(verb) {
		c.Printf("%s BAD sign in first", tag)
		return
	}
	switch verb {
	case "CAPABILITY":
		c.Printf("* CAPABILITY %s", c.capabilities())
		c.done(tag)
	case "STARTTLS":
		c.answerStartTLS(tag)
	case "LOGIN":
		c.answerLogin(tag, args)
	case "AUTHENTICATE":
		c.answerPlain(tag, args)
	case "ID":
		c.Printf("* ID NIL")
		c.done(tag)
	case "COMPRESS":
		c.answerCompress(tag, args)
	case "NOOP":
		c.done(tag)
	case "LOGOUT":
		c.Printf("* BYE bye")
		c.done(tag)
		c.HangUp()
	default:
		c.answerMailbox(tag, verb, args)
	}
}

// anybody reports whether a command needs no sign-in.
func anybody(verb string) bool {
	switch verb {
	case "CAPABILITY", "STARTTLS", "LOGIN", "AUTHENTICATE", "NOOP", "LOGOUT":
		return true
	}
	return false
}

// answerMailbox answers the commands that are about mailboxes.
func (c *IMAPTalk) answerMailbox(tag, verb, args string) {
	switch verb {
	case "LIST":
		c.answerList(tag, args)
	case "STATUS":
		c.answerStatus(tag, args)
	case "EXAMINE", "SELECT":
		c.answerSelect(tag, verb, args)
	case "FETCH":
		c.answerFetch(tag, args, false)
	case "UID":
		verb, args, _ = strings.Cut(args, " ")
		switch strings.ToUpper(verb) {
		case "FETCH":
			c.answerFetch(tag, args, true)
		case "SEARCH":
			c.answerSearch(tag, args)
		default:
			c.Printf("%s BAD unknown command", tag)
		}
	default:
		c.Printf("%s BAD unknown command", tag)
	}
}

func (c *IMAPTalk) done(tag string) { c.Printf("%s OK done", tag) }

// capabilities returns what the server can do on this connection.
func (c *IMAPTalk) capabilities() string {
	caps := "IMAP4rev1"
	if c.server.Caps != "" {
		caps += " " + c.server.Caps
	}
	if c.server.TLS != nil && !c.Secure() {
		caps += " STARTTLS"
	}
	return caps
}

func (c *IMAPTalk) answerStartTLS(tag string) {
	if c.server.TLS == nil || c.Secure() {
		c.Printf("%s BAD no", tag)
		return
	}
	c.Printf("%s OK begin", tag)
	c.StartTLS()
}

// answerCompress goes on compressed where that was announced, and was not done
// before.
func (c *IMAPTalk) answerCompress(tag, args string) {
	_, compressed := c.conn.(*deflated)
	switch {
	case !strings.Contains(c.capabilities(), "COMPRESS=DEFLATE") || args != "DEFLATE":
		c.Printf("%s BAD no", tag)
	case compressed:
		c.Printf("%s NO [COMPRESSIONACTIVE] DEFLATE is active", tag)
	default:
		c.done(tag)
		c.Compress()
	}
}

// answerLogin reads two strings, and asks for those that are literals.
func (c *IMAPTalk) answerLogin(tag, args string) {
	var words [2]string
	for i := range words {
		size, isLiteral := literalSize(args)
		if !isLiteral {
			words[i], args = cutString(args)
			continue
		}
		c.Printf("+ go on")
		data := make([]byte, size)
		if _, err := io.ReadFull(c.lines, data); err != nil {
			c.HangUp()
			return
		}
		rest, ok := c.Line()
		if !ok {
			c.HangUp()
			return
		}
		words[i], args = string(data), strings.TrimPrefix(rest, " ")
	}
	c.signIn(tag, words[0], words[1])
}

// literalSize reads what a line ends with when nothing stands before it but a
// literal's size.
func literalSize(args string) (int, bool) {
	if !strings.HasPrefix(args, "{") || !strings.HasSuffix(args, "}") {
		return 0, false
	}
	inner := args[1 : len(args)-1]
	size, err := strconv.Atoi(inner)
	return size, err == nil && size >= 0 && size <= 64<<10
}

// answerPlain does AUTHENTICATE PLAIN, with or without an initial response.
func (c *IMAPTalk) answerPlain(tag, args string) {
	mechanism, response, initial := strings.Cut(args, " ")
	if !strings.EqualFold(mechanism, "PLAIN") {
		c.Printf("%s NO unknown mechanism", tag)
		return
	}
	if !initial {
		c.Printf("+ ")
		var ok bool
		if response, ok = c.Line(); !ok {
			c.HangUp()
			return
		}
	}
	plain, err := base64.StdEncoding.DecodeString(response)
	words := strings.Split(string(plain), "\x00")
	if err != nil || len(words) != 3 {
		c.Printf("%s BAD not a response", tag)
		return
	}
	c.signIn(tag, words[1], words[2])
}

func (c *IMAPTalk) signIn(tag, username, password string) {
	if !c.server.admits(username, password) {
		c.Printf("%s NO [AUTHENTICATIONFAILED] wrong user name or password", tag)
		return
	}
	c.SignedIn = true
	c.done(tag)
}

// cutString reads an atom or a quoted string, and returns what follows it.
func cutString(s string) (text, rest string) {
	if !strings.HasPrefix(s, `"`) {
		text, rest, _ = strings.Cut(s, " ")
		return text, rest
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), strings.TrimPrefix(s[i+1:], " ")
		case '\\':
			i++
		}
		if i < len(s) {
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}

// quoted writes a string so that the client reads the same bytes.
func quoted(s string) string {
	if strings.ContainsAny(s, "\r\n\x00") {
		return fmt.Sprintf("{%d}\r\n%s", len(s), s)
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
