package wire

import (
	"bytes"
	"fmt"
)

// tokenKind says what a token is.
type tokenKind byte

const (
	tokenEnd     tokenKind = iota // the line is over
	tokenOpen                     // (
	tokenClose                    // )
	tokenQuoted                   // a quoted string; the text has its quotes
	tokenAtom                     // anything else between spaces
	tokenLiteral                  // a literal's header, the last token of its line
)

// token is one piece of a line.
type token struct {
	kind tokenKind
	text []byte // the bytes of the line
	size int64  // of a literal
}

// lexer cuts a line of a data response into tokens. It is generous with what
// stands in an atom and strict with everything that decides where the
// response ends: quotes, parentheses and literals.
type lexer struct {
	line    []byte
	pos     int
	literal int // where the literal's header begins, or len(line)
	size    int64
}

// newLexer prepares to read line, which comes without its CRLF.
func newLexer(line []byte) (lexer, error) {
	if bytes.IndexByte(line, '\r') >= 0 || bytes.IndexByte(line, 0) >= 0 {
		return lexer{}, fmt.Errorf("%w: a CR or a NUL inside a line", ErrProtocol)
	}
	at, size, err := literalAt(line)
	if err != nil {
		return lexer{}, err
	}
	if at < 0 {
		at = len(line)
	}
	return lexer{line: line, literal: at, size: size}, nil
}

// next returns the next token.
func (l *lexer) next() (token, error) {
	for l.pos < l.literal && l.line[l.pos] == ' ' {
		l.pos++
	}
	start := l.pos
	if start == len(l.line) {
		return token{kind: tokenEnd}, nil
	}
	if start == l.literal {
		l.pos = len(l.line)
		return token{kind: tokenLiteral, text: l.line[start:], size: l.size}, nil
	}
	switch l.line[start] {
	case '(':
		l.pos++
		return token{kind: tokenOpen, text: l.line[start:l.pos]}, nil
	case ')':
		l.pos++
		return token{kind: tokenClose, text: l.line[start:l.pos]}, nil
	case '"':
		return l.quoted()
	}
	return l.atom(), nil
}

// quoted reads a quoted string. A backslash takes the next byte with it. The
// header of a literal that was seen at the end of the line was none if the
// string reaches into it.
func (l *lexer) quoted() (token, error) {
	start := l.pos
	for i := start + 1; i < len(l.line); i++ {
		switch l.line[i] {
		case '\\':
			i++
		case '"':
			l.pos = i + 1
			if l.pos > l.literal {
				l.literal = len(l.line)
			}
			return token{kind: tokenQuoted, text: l.line[start:l.pos]}, nil
		}
	}
	return token{}, fmt.Errorf("%w: a line ends inside a quoted string", ErrProtocol)
}

// atom reads up to a space, a parenthesis or a literal. The section of a body
// item, as in BODY[HEADER.FIELDS (DATE)]<0>, belongs to the atom and, with its
// origin, ends it.
func (l *lexer) atom() token {
	start := l.pos
	for l.pos < l.literal && !bytes.ContainsAny(l.line[l.pos:l.pos+1], " ()") {
		if l.line[l.pos] == '[' && isBodyItem(l.line[start:l.pos]) && l.section() {
			break
		}
		l.pos++
	}
	text := l.line[start:l.pos]
	if len(text) == 1 && text[0] == '~' && l.pos == l.literal && l.literal < len(l.line) {
		return l.literal8(start)
	}
	return token{kind: tokenAtom, text: text}
}

// literal8 reads a literal that may hold NUL (RFC 9051 section 4.3).
func (l *lexer) literal8(start int) token {
	l.pos = len(l.line)
	return token{kind: tokenLiteral, text: l.line[start:], size: l.size}
}

// section moves behind the brackets that begin here and an origin behind
// them. It reports false, and moves nowhere, when they never end.
func (l *lexer) section() bool {
	end := bytes.IndexByte(l.line[l.pos:l.literal], ']')
	if end < 0 {
		return false
	}
	l.pos += end + 1
	if l.pos < l.literal && l.line[l.pos] == '<' {
		if end = bytes.IndexByte(l.line[l.pos:l.literal], '>'); end >= 0 {
			l.pos += end + 1
		}
	}
	return true
}

// isBodyItem reports whether name is an item of FETCH that has a section.
func isBodyItem(name []byte) bool {
	return bytes.EqualFold(name, []byte("BODY")) || bytes.EqualFold(name, []byte("BINARY"))
}

// unquote returns what a quoted string holds.
func unquote(text []byte) string {
	inner := text[1 : len(text)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	out := make([]byte, 0, len(inner))
	for i := 0; i < len(inner); i++ {
		if inner[i] == '\\' && i+1 < len(inner) {
			i++
		}
		out = append(out, inner[i])
	}
	return string(out)
}
