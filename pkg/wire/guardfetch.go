package wire

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// fetchFilter passes one FETCH response on to go-imap, rewritten so that it
// holds nothing but well-formed items that go-imap knows and that we ask for.
// go-imap ends the connection at any item that is new to it or holds an odd
// value, and recurses without a bound into ENVELOPE and BODYSTRUCTURE; here
// such an item is left out and the message's body still arrives.
//
// A response is cut into segments by its literals. The filter is given one
// segment at a time, without its CRLF.
type fetchFilter struct {
	num   uint32
	max   int // depth of parentheses
	began bool

	held  []byte // to be passed on if a body comes
	items int    // items passed on
	body  bool   // one of them is a body
	inner int    // parentheses open inside an item's value that is left out
}

// segmentEnd says what follows a segment.
type segmentEnd struct {
	done    bool  // nothing: the response is over
	literal int64 // a literal of this size
	body    bool  // which is a body to pass on, not to leave out
}

// segment appends what is left of a segment to out.
func (f *fetchFilter) segment(out, line []byte) ([]byte, segmentEnd, error) {
	lex, err := newLexer(line)
	if err != nil {
		return out, segmentEnd{}, err
	}
	if !f.began {
		f.began = true
		if tok, err := lex.next(); err != nil || tok.kind != tokenOpen {
			return out, segmentEnd{}, fmt.Errorf("%w: a FETCH without a list", ErrProtocol)
		}
	}
	if f.inner > 0 { // the value goes on behind its literal
		if end, over, err := f.skip(&lex); over || err != nil {
			return out, end, err
		}
	}
	for {
		tok, err := lex.next()
		if err != nil {
			return out, segmentEnd{}, err
		}
		switch tok.kind {
		case tokenAtom:
			var end segmentEnd
			var over bool
			if out, end, over, err = f.item(out, &lex, tok.text); over || err != nil {
				return out, end, err
			}
		case tokenClose:
			return f.close(out, &lex)
		default:
			return out, segmentEnd{}, fmt.Errorf("%w: a FETCH item has no name", ErrProtocol)
		}
	}
}

// close ends the response. Nothing is passed on when no item was.
func (f *fetchFilter) close(out []byte, lex *lexer) ([]byte, segmentEnd, error) {
	if tok, err := lex.next(); err != nil || tok.kind != tokenEnd {
		return out, segmentEnd{}, fmt.Errorf("%w: a FETCH goes on behind its list", ErrProtocol)
	}
	if f.items > 0 {
		out = append(out, ")\r\n"...)
	}
	return out, segmentEnd{done: true}, nil
}

// item reads the value of an item and passes both on if they are good. over
// is true when the segment ends with it, in a literal.
func (f *fetchFilter) item(out []byte, lex *lexer, name []byte) (_ []byte, end segmentEnd, over bool, err error) {
	tok, err := lex.next()
	if err != nil {
		return out, end, false, err
	}
	start := lex.pos - len(tok.text)
	switch tok.kind {
	case tokenLiteral:
		if header := bodyName(name); header != "" {
			f.body = true
			out = f.name(out, header)
			out = fmt.Appendf(out, " {%d}\r\n", tok.size)
			return out, segmentEnd{literal: tok.size, body: true}, true, nil
		}
		return out, segmentEnd{literal: tok.size}, true, nil
	case tokenOpen:
		f.inner = 1
		if end, over, err = f.skip(lex); over || err != nil {
			return out, end, over, err
		}
	case tokenQuoted, tokenAtom:
	default:
		return out, end, false, fmt.Errorf("%w: a FETCH item has no value", ErrProtocol)
	}
	return f.plain(out, name, lex.line[start:lex.pos]), end, false, nil
}

// skip moves behind the list in which the lexer stands, f.inner deep. over is
// true when a literal comes first.
func (f *fetchFilter) skip(lex *lexer) (end segmentEnd, over bool, err error) {
	for f.inner > 0 {
		tok, err := lex.next()
		if err != nil {
			return end, false, err
		}
		switch tok.kind {
		case tokenOpen:
			if f.inner++; f.inner >= f.max {
				return end, false, fmt.Errorf("%w: parentheses more than %d deep", ErrTooMuch, f.max)
			}
		case tokenClose:
			f.inner--
		case tokenLiteral:
			return segmentEnd{literal: tok.size}, true, nil
		case tokenEnd:
			return end, false, fmt.Errorf("%w: a line ends inside parentheses", ErrProtocol)
		}
	}
	return end, false, nil
}

// plain passes on an item whose value stands on the line, if it is good.
func (f *fetchFilter) plain(out, name, value []byte) []byte {
	upper := strings.ToUpper(string(name))
	switch upper {
	case "UID":
		if !isNumber(value, 32) {
			return out
		}
	case "RFC822.SIZE":
		if !isNumber(value, 63) {
			return out
		}
	case "MODSEQ":
		if !isList(value) || !isNumber(value[1:len(value)-1], 63) {
			return out
		}
	case "INTERNALDATE":
		if !isDate(value) {
			return out
		}
	case "FLAGS":
		if !isList(value) {
			return out
		}
		value = flagList(value)
	default:
		if upper = bodyName(name); upper == "" {
			return out
		}
		if bytes.EqualFold(value, []byte("NIL")) {
			value = []byte("NIL")
		} else if value[0] != '"' {
			return out
		}
		f.body = true
	}
	out = f.name(out, upper)
	out = append(out, ' ')
	return append(out, value...)
}

// name begins a new item.
func (f *fetchFilter) name(out []byte, name string) []byte {
	if f.items == 0 {
		out = fmt.Appendf(out, "* %d FETCH (", f.num)
	} else {
		out = append(out, ' ')
	}
	f.items++
	return append(out, name...)
}

// bodyName returns the name of a body item as go-imap can read it, or "" for
// any other item: BODY or BINARY, a section, and the origin of a part.
func bodyName(name []byte) string {
	upper := strings.ToUpper(string(name))
	item, rest, ok := strings.Cut(upper, "[")
	section, origin, closed := strings.Cut(rest, "]")
	if !ok || !closed || !isBodyItem([]byte(item)) || !isSection(section) {
		return ""
	}
	if item == "BINARY" && (origin != "" || strings.Trim(section, "0123456789.") != "") {
		return ""
	}
	if origin == "" {
		return upper
	}
	if origin[0] != '<' || origin[len(origin)-1] != '>' || !isNumber([]byte(origin[1:len(origin)-1]), 32) {
		return ""
	}
	return upper
}

// isSection accepts what may stand between the brackets: a part, a word, and
// a list of header names (RFC 9051 section 6.4.5).
func isSection(section string) bool {
	word, fields, listed := strings.Cut(section, " (")
	if listed && (len(fields) < 2 || fields[len(fields)-1] != ')' || strings.HasPrefix(fields, " ")) {
		return false
	}
	for _, level := range strings.Split(word, ".") {
		if len(level) > len("HEADER") { // the longest word; a number is shorter
			return false
		}
	}
	for i := range len(word) {
		if c := word[i]; c != '.' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	fields = strings.TrimSuffix(fields, ")")
	for i := range len(fields) {
		if c := fields[i]; c != ' ' && !isFlagByte(c) {
			return false
		}
	}
	return true
}

// isNumber accepts decimal digits that fit into bits.
func isNumber(value []byte, bits int) bool {
	for _, c := range value {
		if c < '0' || c > '9' {
			return false
		}
	}
	_, err := strconv.ParseUint(string(value), 10, bits)
	return err == nil
}

// isDate accepts a date that exists (RFC 9051 section 9, date-time).
func isDate(value []byte) bool {
	if len(value) < 2 || value[0] != '"' {
		return false
	}
	t, err := time.Parse("_2-Jan-2006 15:04:05 -0700", string(value[1:len(value)-1]))
	return err == nil && !t.IsZero()
}

// isList accepts what stands in parentheses.
func isList(value []byte) bool {
	return len(value) >= 2 && value[0] == '(' && value[len(value)-1] == ')'
}

// What one message may have of flags. Each costs go-imap and the archive many
// times its length, and the largest servers allow some dozens.
const (
	maxFlag      = 64       // bytes of one
	maxFlags     = 128      // how many
	maxFlagBytes = 4 * 1024 // of all
)

// flagList returns the flags of a list that go-imap can read, as a list. A
// flag that it cannot read is left out: it would end the connection. So are
// those that are too long or too many.
func flagList(value []byte) []byte {
	list := []byte{'('}
	kept := 0
	for flag := range bytes.FieldsSeq(value[1 : len(value)-1]) {
		if len(flag) > maxFlag || !isFlag(flag) {
			continue
		}
		if kept++; kept > maxFlags || len(list)+len(flag) > maxFlagBytes {
			break
		}
		if len(list) > 1 {
			list = append(list, ' ')
		}
		list = append(list, flag...)
	}
	return append(list, ')')
}

// isFlag accepts an atom, a backslash with an atom, and \* (RFC 9051 section
// 9, flag and flag-perm).
func isFlag(flag []byte) bool {
	if string(flag) == `\*` {
		return true
	}
	name := bytes.TrimPrefix(flag, []byte{'\\'})
	for _, c := range name {
		if !isFlagByte(c) {
			return false
		}
	}
	return len(name) > 0
}

// isFlagByte accepts the bytes of an atom that every reader takes for one.
func isFlagByte(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune(`(){%*"\]`, rune(c))
}
