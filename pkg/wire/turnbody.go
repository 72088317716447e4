package wire

import (
	"bytes"
	"fmt"
	"io"
)

// eol is how much of a CRLF stands just before the next byte of a body.
type eol byte

const (
	eolNone eol = iota
	eolCR       // a CR
	eolCRLF     // a CRLF, or the beginning of the body: a line begins here
)

// after returns the state behind span, which is not empty and follows a byte
// in state e.
func (e eol) after(span []byte) eol {
	last := len(span) - 1
	if span[last] == '\r' {
		return eolCR
	}
	afterCR := last == 0 && e == eolCR || last > 0 && span[last-1] == '\r'
	if span[last] == '\n' && afterCR {
		return eolCRLF
	}
	return eolNone
}

// turnBody reads one dot-terminated body (RFC 1939 section 3) as a stream, and
// gives back every byte as it stands on the wire. Only CRLF ends a line, so
//
//   - only CRLF "." CRLF ends the body: a mail that holds a bare LF before or
//     behind a lone dot goes on, and what follows is not taken for an answer;
//   - only a line that begins with ".." right after CRLF loses a dot. Behind a
//     bare LF no dot was added by a server that counts lines as the standard
//     does; and a single dot was not added by anybody, because then there
//     would be two.
//
// A body that the server sends without adding dots ends too early if one of
// its lines is a lone dot, and what follows can look like an answer. The caller
// finds that out by a question behind the message whose answer names it.
type turnBody struct {
	turn *Turn
	eol  eol
	size int64
	err  error // sticky; io.EOF once the strict end was seen
}

// Read returns io.EOF only after the strict end was seen; a connection that
// ends before that gives an error that is not io.EOF. It gives as much as is
// buffered: a body of dots must not become a write to the disk for each line.
func (b *turnBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := b.read(p)
	for err == nil && n < len(p) && b.turn.src.Buffered() >= len(".\r\n") { // enough that dot does not wait
		var more int
		more, err = b.read(p[n:])
		n += more
	}
	b.err = err
	return n, err
}

func (b *turnBody) read(p []byte) (int, error) {
	if b.eol == eolCRLF {
		if end, err := b.dot(); end || err != nil {
			return 0, b.finish(err)
		}
	}
	span, err := b.span(len(p))
	if err != nil {
		return 0, b.finish(err)
	}
	n := copy(p, span)
	b.eol = b.eol.after(span)
	b.size += int64(n)
	if _, err := b.turn.src.Discard(n); err != nil {
		return n, b.finish(err)
	}
	if b.size > b.turn.limits.Literal {
		return n, b.finish(fmt.Errorf("%w of more than %d bytes", ErrTooLarge, b.turn.limits.Literal))
	}
	return n, nil
}

// dot looks at the beginning of a line. It consumes the end of the body, or
// the dot that the server added, and nothing else.
func (b *turnBody) dot() (end bool, err error) {
	src := b.turn.src
	head, err := src.Peek(1)
	if err != nil {
		return false, err
	}
	b.eol = eolNone // what follows is content, until told otherwise
	if head[0] != '.' {
		return false, nil
	}
	if head, err = src.Peek(2); err != nil {
		return false, err
	}
	if head[1] == '.' {
		_, err = src.Discard(1)
		return false, err
	}
	if head[1] != '\r' {
		return false, nil
	}
	if head, err = src.Peek(3); err != nil {
		return false, err
	}
	if head[2] != '\n' {
		return false, nil
	}
	_, err = src.Discard(3)
	return true, err
}

// span returns at most limit bytes of what is buffered, all of them content
// that can be passed on as it is: it ends where a line that begins with a dot
// begins.
func (b *turnBody) span(limit int) ([]byte, error) {
	src := b.turn.src
	if _, err := src.Peek(1); err != nil {
		return nil, err
	}
	data, err := src.Peek(src.Buffered())
	if err != nil {
		return nil, err
	}
	data = data[:min(len(data), limit)]
	if b.eol == eolCR && data[0] == '\n' {
		return data[:1], nil
	}
	if i := bytes.Index(data, []byte("\r\n.")); i >= 0 {
		data = data[:i+2]
	}
	return data, nil
}

// finish ends the body: with its strict end when err is nil, else for good.
func (b *turnBody) finish(err error) error {
	if err != nil {
		return b.turn.fail(err)
	}
	b.turn.body = nil
	if err := b.turn.done(); err != nil {
		return err
	}
	return io.EOF
}
