package demo

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// message returns the place of a message that a command names by its number,
// or answers that there is none.
func (s *pop3Session) message(number string) (place int, ok bool) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(s.drop) || s.deleted[n-1] {
		s.no("no such message")
		return 0, false
	}
	return n - 1, true
}

func (s *pop3Session) stat() {
	var count, size int
	for i, m := range s.drop {
		if !s.deleted[i] {
			count++
			size += pop3Size(m.body)
		}
	}
	s.printf("+OK %d %d\r\n", count, size)
}

// list answers LIST and UIDL: one line for the message named, or a line for
// each.
func (s *pop3Session) list(number string, tell func(*message) string) {
	if number != "" {
		if i, ok := s.message(number); ok {
			s.printf("+OK %d %s\r\n", i+1, tell(s.drop[i]))
		}
		return
	}
	s.ok("the list follows")
	for i, m := range s.drop {
		if !s.deleted[i] {
			s.printf("%d %s\r\n", i+1, tell(m))
		}
	}
	s.printf(".\r\n")
}

func (s *pop3Session) retr(number string) {
	i, ok := s.message(number)
	if !ok {
		return
	}
	body := s.drop[i].body
	s.server.store.countPOP3(len(body))
	s.ok("the message follows")
	s.send(body)
}

// top sends the header and so many lines of the text.
func (s *pop3Session) top(args string) {
	number, count, _ := strings.Cut(args, " ")
	lines, err := strconv.Atoi(count)
	if err != nil || lines < 0 {
		s.no("how many lines?")
		return
	}
	i, ok := s.message(number)
	if !ok {
		return
	}
	body := s.drop[i].body
	end := headerEnd(body)
	for ; lines > 0 && end < len(body); lines-- {
		n := bytes.IndexByte(body[end:], '\n')
		if n < 0 {
			end = len(body)
			break
		}
		end += n + 1
	}
	s.ok("the top follows")
	s.send(body[:end])
}

func (s *pop3Session) dele(number string) {
	if i, ok := s.message(number); ok {
		s.deleted[i] = true
		s.ok("marked")
	}
}

// quit removes what is marked and ends the session: the UPDATE state of RFC
// 1939 section 6.
func (s *pop3Session) quit() {
	s.done = true
	if slices.Contains(s.deleted, true) {
		marked := make(map[*message]bool)
		for i, m := range s.drop {
			marked[m] = s.deleted[i]
		}
		s.server.store.remove(s.box, func(m *message) bool { return marked[m] })
	}
	s.ok("bye")
}

// send writes a body with leading dots doubled, and the dot that ends it (RFC
// 1939 section 3). A line begins after CRLF and nowhere else: the end of a
// message is CRLF, dot, CRLF, and a bare LF before a dot is only text.
func (s *pop3Session) send(body []byte) {
	for len(body) > 0 {
		if body[0] == '.' {
			_ = s.w.WriteByte('.') // an error comes back from Flush
		}
		end := len(body)
		if n := bytes.Index(body, []byte("\r\n")); n >= 0 {
			end = n + 2
		}
		line := body[:end]
		body = body[end:]
		_, _ = s.w.Write(line) // likewise
		if len(body) == 0 && !bytes.HasSuffix(line, []byte("\r\n")) {
			s.printf("\r\n")
		}
	}
	s.printf(".\r\n")
}

// POP3Body returns what a client of POP3 receives for a message's body: the
// protocol can not tell whether the last line had an end, so it always has one
// (RFC 1939 section 3). The result can share memory with body.
func POP3Body(body []byte) []byte {
	if pop3Size(body) == len(body) {
		return body
	}
	return append(slices.Clip(body), "\r\n"...)
}

// pop3Size is the length of what POP3Body returns.
func pop3Size(body []byte) int {
	if len(body) == 0 || bytes.HasSuffix(body, []byte("\r\n")) {
		return len(body)
	}
	return len(body) + 2
}
