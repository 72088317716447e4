package mailtest

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// command answers honestly.
func (c *POP3Talk) command(verb, args string) {
	switch verb {
	case "CAPA":
		c.capa()
	case "QUIT":
		c.quit()
	case "STLS":
		c.startTLS()
	case "USER":
		c.user = args
		c.Raw("+OK\r\n")
	case "PASS":
		c.signIn(c.user, args)
	case "AUTH":
		c.auth(args)
	default:
		if !c.signedIn {
			c.Raw("-ERR sign in first\r\n")
			return
		}
		c.transaction(verb, args)
	}
}

// capa answers CAPA (RFC 2449 section 5).
func (c *POP3Talk) capa() {
	caps := c.server.Caps
	if caps == nil {
		caps = []string{"SASL PLAIN", "USER", "UIDL", "PIPELINING", "TOP"}
		if c.server.TLS != nil && !c.secure {
			caps = append(caps, "STLS")
		}
	}
	c.Raw("+OK\r\n")
	for _, line := range caps {
		c.Printf("%s\r\n", line)
	}
	c.Raw(".\r\n")
}

// startTLS answers STLS (RFC 2595 section 4).
func (c *POP3Talk) startTLS() {
	if c.server.TLS == nil || c.secure {
		c.Raw("-ERR no STLS\r\n")
		return
	}
	c.Raw("+OK\r\n")
	c.StartTLS()
}

// auth answers AUTH PLAIN, with or without the response in the command.
func (c *POP3Talk) auth(args string) {
	mechanism, response, initial := strings.Cut(args, " ")
	switch {
	case !strings.EqualFold(mechanism, "PLAIN"):
		c.Raw("-ERR unknown mechanism\r\n")
	case initial:
		c.plain(response)
	default:
		c.asked = true
		c.Raw("+ \r\n")
	}
}

// plain reads the response of SASL PLAIN (RFC 4616).
func (c *POP3Talk) plain(response string) {
	raw, err := base64.StdEncoding.DecodeString(response)
	parts := strings.Split(string(raw), "\x00")
	if err != nil || len(parts) != 3 {
		c.Raw("-ERR not a PLAIN response\r\n")
		return
	}
	c.signIn(parts[1], parts[2])
}

// signIn answers whoever gives name and password.
func (c *POP3Talk) signIn(username, password string) {
	if s := c.server; s.Username != "" && (username != s.Username || password != s.Password) {
		c.Raw("-ERR [AUTH] wrong name or password\r\n")
		return
	}
	c.SignIn()
	c.Raw("+OK\r\n")
}

// transaction answers what is allowed once the maildrop is open.
func (c *POP3Talk) transaction(verb, args string) {
	switch verb {
	case "NOOP":
		c.Raw("+OK\r\n")
	case "STAT":
		c.stat()
	case "LIST":
		c.list(args, func(m POP3Message) string { return strconv.Itoa(len(pop3Body(m.Body))) })
	case "UIDL":
		c.list(args, func(m POP3Message) string { return m.UIDL })
	case "RETR":
		c.one(args, func(i int) { c.Raw("+OK\r\n" + DotStuffed(c.drop[i].Body)) })
	case "TOP":
		c.top(args)
	case "DELE":
		c.one(args, func(i int) {
			c.marked[i] = true
			c.Raw("+OK\r\n")
		})
	case "RSET":
		clear(c.marked)
		c.Raw("+OK\r\n")
	default:
		c.Raw("-ERR unknown command\r\n")
	}
}

func (c *POP3Talk) stat() {
	var count, size int
	for i, m := range c.drop {
		if !c.marked[i] {
			count++
			size += len(pop3Body(m.Body))
		}
	}
	c.Printf("+OK %d %d\r\n", count, size)
}

// list answers LIST and UIDL, for one message or for all that are not marked.
func (c *POP3Talk) list(number string, tell func(POP3Message) string) {
	if number != "" {
		c.one(number, func(i int) { c.Printf("+OK %d %s\r\n", i+1, tell(c.drop[i])) })
		return
	}
	c.Raw("+OK\r\n")
	for i, m := range c.drop {
		if !c.marked[i] {
			c.Printf("%d %s\r\n", i+1, tell(m))
		}
	}
	c.Raw(".\r\n")
}

// one calls answer with the place of the message that a command names, or
// refuses.
func (c *POP3Talk) one(number string, answer func(place int)) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(c.drop) || c.marked[n-1] {
		c.Raw("-ERR no such message\r\n")
		return
	}
	answer(n - 1)
}

// top sends the header and so many lines of the text.
func (c *POP3Talk) top(args string) {
	number, count, _ := strings.Cut(args, " ")
	lines, err := strconv.Atoi(count)
	if err != nil || lines < 0 {
		c.Raw("-ERR how many lines?\r\n")
		return
	}
	c.one(number, func(i int) {
		header, text, _ := strings.Cut(c.drop[i].Body, "\r\n\r\n")
		kept := strings.SplitAfter(text, "\r\n")
		kept = kept[:min(lines, len(kept))]
		c.Raw("+OK\r\n" + DotStuffed(header+"\r\n\r\n"+strings.Join(kept, "")))
	})
}

// quit removes what is marked: the UPDATE state of RFC 1939 section 6.
func (c *POP3Talk) quit() {
	c.done = true
	var gone []POP3Message
	for i, m := range c.drop {
		if c.marked[i] {
			gone = append(gone, m)
		}
	}
	c.server.remove(gone)
	c.Raw("+OK\r\n")
}

// DotStuffed returns a body as it stands on the wire, with the dot that ends
// it (RFC 1939 section 3). A line begins after CRLF and nowhere else.
func DotStuffed(body string) string {
	if strings.HasPrefix(body, ".") {
		body = "." + body
	}
	return strings.ReplaceAll(pop3Body(body), "\r\n.", "\r\n..") + ".\r\n"
}

// pop3Body returns what a client receives for a body: the protocol cannot tell
// whether the last line had an end, so it always has one.
func pop3Body(body string) string {
	if body == "" || strings.HasSuffix(body, "\r\n") {
		return body
	}
	return body + "\r\n"
}
