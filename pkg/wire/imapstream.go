package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

const (
	// streamBuffer is how much is read from the connection at once.
	streamBuffer = 64 << 10

	// maxPiece is how much of a listing is handed on at once, at least.
	maxPiece = streamBuffer / 2

	// bytesPerMessage is what a message takes of a listing at most: a UID of ten
	// digits, and what stands between it and the next.
	bytesPerMessage = 11

	// smallLiteral is the largest literal that is not a message's body.
	smallLiteral = 64 << 10
)

// imapStream reads an IMAP server's bytes as lines and literals and bounds
// what one response can cost. It belongs to one goroutine at a time.
type imapStream struct {
	conn     *Conn
	inflater *inflater // nil: the server does not compress
	said     *said
	buf      []byte // buf[r:w] was received and not used yet
	r, w     int
	left     int    // how many more bytes the response in hand may have outside of bodies
	listing  string // SEARCH or ESEARCH, of which a piece was read and the rest follows
	typed    bool   // whether the response in hand is a listing was looked at
}

func newIMAPStream(conn *Conn, said *said) *imapStream {
	return &imapStream{conn: conn, said: said, buf: make([]byte, streamBuffer)}
}

// buffered is how many bytes were read and not used yet.
func (s *imapStream) buffered() int { return s.w - s.r }

// hasLine reports whether a whole line can be had without waiting.
func (s *imapStream) hasLine() bool {
	return bytes.IndexByte(s.buf[s.r:s.w], '\n') >= 0
}

// begin starts a new response with a new allowance of bytes.
func (s *imapStream) begin() {
	s.left = s.conn.limits.Line
	s.typed = false
}

// spend takes n bytes from the allowance of the response in hand.
func (s *imapStream) spend(n int64) error {
	if n > int64(s.left) {
		return s.tooMuch()
	}
	s.left -= int(n)
	return nil
}

// fail ends the connection. What was read and not used is forgotten: behind a
// line that was not understood nothing is what it seems to be, and go-imap
// reads on after an error. The text of a mail that is too large would pass for
// the server's answers.
func (s *imapStream) fail(err error) error {
	s.r, s.w = 0, 0
	return s.conn.fail(err)
}

func (s *imapStream) tooMuch() error {
	return s.fail(fmt.Errorf("%w: one response of more than %d bytes", ErrTooMuch, s.conn.limits.Line))
}

// line reads one line and returns it without its CRLF; a lone LF ends a line
// as well, because some servers send that. The line is valid until the next
// call of anything. After errKicked it can be called again and goes on.
func (s *imapStream) line() ([]byte, error) {
	for scanned := 0; ; {
		if i := bytes.IndexByte(s.buf[s.r+scanned:s.w], '\n'); i >= 0 {
			line := s.buf[s.r : s.r+scanned+i]
			s.allow(line)
			if len(line) > s.most() {
				return nil, s.tooMuch()
			}
			s.r += len(line) + 1
			return bytes.TrimSuffix(line, []byte{'\r'}), s.spend(int64(len(line)))
		}
		scanned = s.buffered()
		s.allow(s.buf[s.r:s.w])
		if scanned > s.most() {
			return nil, s.tooMuch()
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// piece is line, except that of a long listing it returns what has arrived, cut
// between two numbers: one of a large mailbox must not cost memory for its whole
// length. goesOn is true then.
func (s *imapStream) piece() (line []byte, goesOn bool, err error) {
	for s.buffered() < maxPiece && !s.hasLine() && s.mayList() {
		if err := s.fill(); err != nil {
			return nil, false, err
		}
	}
	if end := s.cut(); end > 0 && !s.hasLine() && s.mayList() {
		s.allow(s.buf[s.r:s.w])
		line = s.buf[s.r : s.r+end]
		s.r += end + 1
		return line, true, s.spend(int64(end) + 1)
	}
	line, err = s.line()
	return line, false, err
}

// mayList reports whether what is buffered is of a listing, or may be.
func (s *imapStream) mayList() bool {
	return s.listing != "" || s.buffered() < len("* ESEARCH ") || isListing(s.buf[s.r:s.w])
}

// cut returns where what is buffered of a listing can be cut, at most 0 for
// nowhere: before a comma of ESEARCH's set, or before a blank of SEARCH's numbers
// that does not stand behind a parenthesis.
func (s *imapStream) cut() int {
	text := s.buf[s.r:s.w]
	if s.listing == "ESEARCH" || s.listing == "" && len(text) > 2 && (text[2] == 'E' || text[2] == 'e') {
		return bytes.LastIndexByte(text, ',')
	}
	if open := bytes.IndexByte(text, '('); open >= 0 {
		text = text[:open]
	}
	end := bytes.LastIndexByte(text, ' ')
	if s.listing == "" && end <= len("* SEARCH") {
		return 0
	}
	return end
}

// allow raises the allowance for the two responses that may be long because
// they list a whole mailbox: they may name as many messages as one may have.
func (s *imapStream) allow(head []byte) {
	if s.typed || len(head) < len("* ESEARCH ") {
		return
	}
	s.typed = true
	if isListing(head) {
		s.left = max(s.left+bytesPerMessage*s.conn.limits.Messages, s.conn.limits.Listing)
	}
}

// most is how much of the response in hand may be held at once. What is read in
// pieces may be longer than that.
func (s *imapStream) most() int {
	return min(s.left, max(s.conn.limits.Line, s.conn.limits.Listing))
}

// isListing reports whether a response begins like SEARCH or ESEARCH.
func isListing(head []byte) bool {
	for _, name := range []string{"* SEARCH", "* ESEARCH"} {
		if len(head) < len(name) || !bytes.EqualFold(head[:len(name)], []byte(name)) {
			continue
		}
		if len(head) == len(name) || head[len(name)] == ' ' {
			return true
		}
	}
	return false
}

// fill reads more behind what is buffered, and makes room for it first.
func (s *imapStream) fill() error {
	switch {
	case s.r == s.w:
		s.r, s.w = 0, 0
		if len(s.buf) > streamBuffer {
			s.buf = make([]byte, streamBuffer) // one long line must not cost memory for ever
		}
	case s.w == len(s.buf) && s.r > 0:
		s.w = copy(s.buf, s.buf[s.r:s.w])
		s.r = 0
	case s.w == len(s.buf):
		s.grow()
	}
	n, err := s.receive(s.buf[s.w:])
	s.w += n
	if errors.Is(err, io.EOF) && s.buffered() > 0 {
		err = io.ErrUnexpectedEOF
	}
	if n > 0 {
		return nil // an error comes back at the next read, it is kept
	}
	return err
}

// grow makes the buffer twice as large, but not much larger than the response
// in hand may be: the last step of a long listing would cost more than all
// before it.
func (s *imapStream) grow() {
	more := min(len(s.buf), max(s.most()-len(s.buf), 0)+streamBuffer)
	larger := make([]byte, len(s.buf)+more)
	copy(larger, s.buf)
	s.buf = larger
}

// read reads bytes of a literal: what is buffered first, then straight from
// the connection, so that no byte is copied twice.
func (s *imapStream) read(p []byte) (int, error) {
	if s.r < s.w {
		n := copy(p, s.buf[s.r:s.w])
		s.r += n
		return n, nil
	}
	n, err := s.receive(p)
	if n > 0 {
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return 0, err
}

// discard skips up to n bytes of a literal and returns how many it skipped.
func (s *imapStream) discard(n int64) (int64, error) {
	if s.r == s.w {
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	skipped := min(n, int64(s.buffered()))
	s.r += int(skipped)
	return skipped, nil
}

// small reads a literal that is not a body.
func (s *imapStream) small(size int64) (string, error) {
	if err := s.admit(size); err != nil {
		return "", err
	}
	literal := make([]byte, size)
	for got := 0; got < len(literal); {
		n, err := s.read(literal[got:])
		if err != nil {
			return "", err
		}
		got += n
	}
	return string(literal), nil
}

// admit decides on a literal that is not a body. It counts as a part of its
// line, or a line of many literals would have no bound.
func (s *imapStream) admit(size int64) error {
	if size > smallLiteral {
		return s.fail(fmt.Errorf("%w: a literal of %d bytes that is no message", ErrTooMuch, size))
	}
	return s.spend(size)
}

// literalAt finds the header of a literal at the end of a line: the place of
// its brace and its size (RFC 9051 section 4.3). at is -1 when there is none.
// What looks like a header is one, also right behind an atom: to read a
// literal as lines would be far worse, because then the text of a mail could
// pass for the server's answers.
func literalAt(line []byte) (at int, size int64, err error) {
	if len(line) == 0 || line[len(line)-1] != '}' {
		return -1, 0, nil
	}
	at = bytes.LastIndexByte(line, '{')
	if at < 0 {
		return -1, 0, nil
	}
	digits := bytes.TrimSuffix(line[at+1:len(line)-1], []byte{'+'})
	if len(digits) == 0 || !bytes.ContainsAny(digits[:1], "0123456789+-") {
		return -1, 0, nil
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return -1, 0, fmt.Errorf("%w: a literal's size is no number", ErrProtocol)
		}
	}
	size, err = strconv.ParseInt(string(digits), 10, 64)
	if err != nil || size == math.MaxInt64 {
		return -1, 0, fmt.Errorf("%w: a literal's size is too large", ErrTooMuch)
	}
	return at, size, nil
}
