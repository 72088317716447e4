package pop3

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"mailpull/pkg/mail"
)

const (
	// minPart is how many messages a maildrop must have for a listing in part.
	// UIDL for fewer is less than 300 KB: two seconds of a line of 1 Mbit/s.
	minPart = 10_000

	// maxNews is how many new messages are asked for one by one. The questions
	// are written before an answer is read, so all of them together are less
	// than 4 KiB: see maxDepth.
	maxNews = 128

	// samples is how many messages prove that the others are in their places.
	samples = 8
)

// part lists what came behind the messages of an earlier status, without a line
// for each of those. They count as being there when their unique-ids at nine
// places are the same, which include the first and the last one, and when all
// that STAT counts beyond them, messages and bytes, is what UIDL and LIST tell
// of the new ones. It costs one round trip, and another where there is news. A
// message of which all this shows nothing, because it came in the middle and as
// many bytes went there, is found when all are listed the next time.
//
// The listing is nil when there is no such proof, whatever the reason. Then all
// are to be listed.
func (s *Session) part(since *mail.Status) (*listing, mail.Status, error) {
	if since == nil || since.Mark == 0 || !s.mayPart(since.Messages) {
		return nil, mail.Status{}, nil
	}
	s.conn.Queue(uidlOf(places(since.Messages))...)
	status, err := s.stat()
	if err != nil {
		s.Abort() // the answers that follow are of no use
		return nil, mail.Status{}, err
	}
	found, err := s.marked(since.Messages)
	if err != nil || found != since.Mark {
		return nil, mail.Status{}, err
	}
	l := &listing{messages: status.Messages, rest: since.Messages, clean: s.conn.Clean}
	status.Mark = found
	switch news := status.Messages - since.Messages; {
	case news < 0 || news > maxNews || status.Size < since.Size || news == 0 && status.Size != since.Size:
		return nil, mail.Status{}, nil
	case news > 0:
		status.Mark, err = s.news(l, status.Size-since.Size)
	}
	if l.sort(); err != nil || status.Mark == 0 || len(l.again) > 0 {
		return nil, mail.Status{}, err
	}
	s.provable = true
	return l, status, nil
}

// mayPart reports whether a maildrop of so many messages is listed in part.
// Without pipelining each question would be a round trip.
func (s *Session) mayPart(messages int) bool { return s.conn.Pipelining && messages >= minPart }

// news asks for the messages behind the listing's rest, which must have so many
// bytes together, and for the places of the new mark. It returns the mark, or 0
// when an answer is not what it should be.
func (s *Session) news(l *listing, size int64) (uint64, error) {
	if err := s.conn.Send(newsOf(l.rest, l.messages)...); err != nil {
		return 0, lost("pop3 uidl", "", err)
	}
	good := true
	for number := l.rest + 1; number <= l.messages; number++ {
		uidl, err := s.uidlAt(number)
		if err != nil {
			return 0, err
		}
		octets, err := s.sizeAt(number)
		if err != nil {
			return 0, err
		}
		l.uidls = append(l.uidls, uidl)
		good = good && uidl != "" && octets >= 0
		size -= octets
	}
	found, err := s.marked(l.messages)
	if !good || size != 0 {
		found = 0
	}
	return found, err
}

// marked reads the answers to uidlOf and returns the mark that they make, or 0.
func (s *Session) marked(messages int) (uint64, error) {
	uidls := make(map[int]mail.UIDL)
	for _, number := range places(messages) {
		uidl, err := s.uidlAt(number)
		if err != nil {
			return 0, err
		}
		uidls[number] = uidl
	}
	for _, uidl := range uidls {
		if uidl == "" {
			return 0, nil
		}
	}
	return mark(messages, func(number int) mail.UIDL { return uidls[number] }), nil
}

// uidlAt reads the answer to UIDL for one message; it is empty when the answer is
// no unique-id of this message.
func (s *Session) uidlAt(number int) (uidl mail.UIDL, err error) {
	err = s.valueAt("pop3 uidl", number, func(value []byte) {
		if got, err := parseUIDL(value); err == nil {
			uidl = got
		}
	})
	return uidl, err
}

// sizeAt reads the answer to LIST for one message; it is -1 when the answer is no
// size of this message.
func (s *Session) sizeAt(number int) (size int64, err error) {
	size = -1
	err = s.valueAt("pop3 list", number, func(value []byte) {
		digits, _, _ := bytes.Cut(value, []byte(" ")) // RFC 1939 section 5: more may follow
		if n, err := parseNumber(digits); err == nil {
			size = int64(n)
		}
	})
	return size, err
}

// valueAt reads an answer of a number and a value, and calls use with the value
// if the number is that of the message.
func (s *Session) valueAt(op string, number int, use func(value []byte)) error {
	_, _, err := s.conn.AnswerIs(func(text []byte) bool {
		n, value, ok := numbered(text)
		if ok = ok && n == uint64(number); ok {
			use(value)
		}
		return ok
	})
	if err != nil {
		return lost(op, "", err)
	}
	return nil
}

// newsOf returns the commands that news sends.
func newsOf(rest, messages int) (commands []string) {
	for number := rest + 1; number <= messages; number++ {
		commands = append(commands, fmt.Sprintf("UIDL %d", number), fmt.Sprintf("LIST %d", number))
	}
	return append(commands, uidlOf(places(messages))...)
}

// uidlOf returns the commands that ask for messages one by one.
func uidlOf(numbers []int) []string {
	commands := make([]string, len(numbers))
	for i, number := range numbers {
		commands[i] = fmt.Sprintf("UIDL %d", number)
	}
	return commands
}

// places returns the numbers of the messages that a mark is made of: the first
// one, and those that end each eighth.
func places(messages int) []int {
	numbers := []int{1}
	for i := 1; i <= samples; i++ {
		numbers = append(numbers, messages*i/samples)
	}
	return numbers
}

// mark returns the mark of a maildrop with at least minPart messages; it is
// never 0.
func mark(messages int, uidl func(number int) mail.UIDL) uint64 {
	h := sha256.New()
	for _, number := range places(messages) {
		fmt.Fprintf(h, "%d %s\n", number, uidl(number))
	}
	return max(1, binary.BigEndian.Uint64(h.Sum(nil)))
}
