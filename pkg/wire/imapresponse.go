package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxNodes bounds the tree that one response becomes: a line of nothing but
// parentheses would otherwise cost fifty times its length.
const maxNodes = 1 << 16

// NodeKind says what a Node is.
type NodeKind byte

// The kinds of nodes. NIL without quotes is Nil, whatever was asked for.
const (
	Atom NodeKind = iota
	String
	Nil
	List
)

// Node is one value of a data response.
type Node struct {
	Kind NodeKind

	// Text is the atom, or what the quoted string or literal holds, byte for
	// byte as the server sent it: it is not safe to print.
	Text string

	// List holds the values of a List.
	List []Node
}

// Response is one response of a server (RFC 9051 section 7).
type Response struct {
	// Tag is "*" for an untagged response, "+" for a continuation request,
	// else the tag of the command that it answers.
	Tag string

	// Type is the response's name in upper case. For "* 12 EXISTS" it is
	// EXISTS, and Num is 12.
	Type string
	Num  uint32

	// Nodes are the values behind the name, for a data response other than
	// SEARCH and ESEARCH.
	Nodes []Node

	// Odd says why the values of a LIST or STATUS have no Nodes: their line
	// could not be read, and costs nothing but itself. It is nil for all else.
	Odd error

	// Raw is the rest of the line behind the name, for SEARCH and ESEARCH
	// only: they can hold millions of numbers. A long one comes as several
	// responses, each of which is one that the server could have sent.
	Raw string

	// Status is what a status response says: OK, NO, BAD, BYE, PREAUTH. Its
	// Text is also set for a continuation request.
	Status
}

// Status is the outcome of a command, or what a server says unasked.
type Status struct {
	// Condition is OK, NO, BAD, BYE or PREAUTH, and empty in a Response that
	// is none of them.
	Condition string

	// Code is the response code in upper case, such as UIDVALIDITY, and
	// CodeArgs what stands behind it in the brackets, as the server sent it.
	Code     string
	CodeArgs string

	// Text is for people. It is safe to print and at most 200 bytes long.
	Text string
}

// OK reports whether the command succeeded.
func (s Status) OK() bool { return s.Condition == "OK" }

// String returns the status as the server's words, for an error.
func (s Status) String() string {
	said := s.Condition
	if s.Code != "" {
		said += " [" + Text(s.Code) + "]"
	}
	if s.Text != "" {
		said += " " + s.Text
	}
	return said
}

// isStatus reports whether typ, in upper case, names a status response.
func isStatus(typ string) bool {
	switch typ {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		return true
	}
	return false
}

// errNoAnswer refuses a line with a command's tag that does not answer it.
var errNoAnswer = fmt.Errorf("%w: an answer is neither OK nor NO nor BAD", ErrProtocol)

// isAnswer reports whether typ, in upper case, answers a command.
func isAnswer(typ string) bool { return typ == "OK" || typ == "NO" || typ == "BAD" }

// response reads one response, with all its literals. The caller says when
// one is due.
func (s *imapStream) response() (Response, error) {
	if s.listing == "" {
		s.begin()
	}
	line, goesOn, err := s.piece()
	if err != nil {
		return Response{}, err
	}
	var r Response
	if s.listing == "" {
		r, err = s.parse(line)
	} else {
		r, err = moreOf(s.listing, line)
	}
	if err != nil {
		return Response{}, s.fail(err)
	}
	s.listing = ""
	if goesOn {
		s.listing = r.Type
	}
	return r, nil
}

// parse reads the response that begins with a line.
func (s *imapStream) parse(line []byte) (Response, error) {
	r, rest, err := s.head(line)
	switch {
	case err != nil:
	case r.Tag == "+":
		r.Text = s.said.clean(rest)
	case r.Tag != "*" && !isAnswer(r.Type):
		err = errNoAnswer
	case isStatus(r.Type):
		r.Status, err = s.status(r.Type, rest)
	case r.Type == "SEARCH" || r.Type == "ESEARCH":
		r.Raw, err = rawListing(rest)
	case (r.Type == "LIST" || r.Type == "STATUS") && isOneLine(rest):
		r.Nodes, err = s.nodes(rest)
		if errors.Is(err, ErrProtocol) {
			r.Odd, err = err, nil
		}
	default:
		r.Nodes, err = s.nodes(rest)
	}
	return r, err
}

// moreOf makes a response of its own out of a piece of a listing. An ESEARCH
// was cut inside the set that ALL begins.
func moreOf(typ string, piece []byte) (Response, error) {
	raw, err := rawListing(piece)
	if typ == "ESEARCH" {
		raw = "ALL " + raw
	}
	return Response{Tag: "*", Type: typ, Raw: raw}, err
}

// isOneLine reports whether a response surely ends with its line. Only then can
// it be left out when it makes no sense: behind a literal that was not
// understood anything may come.
func isOneLine(rest []byte) bool {
	at, _, err := literalAt(rest)
	return at < 0 && err == nil
}

// head reads the tag, the number if any, and the type of a response, and
// returns what stands behind the one space after them.
func (s *imapStream) head(line []byte) (r Response, rest []byte, err error) {
	if len(line) > 0 && line[0] == '+' {
		return Response{Tag: "+"}, bytes.TrimPrefix(line[1:], []byte{' '}), nil
	}
	tag, rest := cutWord(line)
	name, rest := cutWord(rest)
	r = Response{Tag: tag}
	if num, err := strconv.ParseUint(name, 10, 32); err == nil && tag == "*" {
		r.Num = uint32(num)
		name, rest = cutWord(rest)
	}
	if !isTag(tag) || !isName(name) {
		return Response{}, nil, fmt.Errorf("%w: a line is no response: %q", ErrProtocol, s.said.clean(line))
	}
	r.Type = strings.ToUpper(name)
	return r, rest, nil
}

// cutWord returns what stands before the first space or parenthesis, and what
// stands behind the space.
func cutWord(line []byte) (word string, rest []byte) {
	i := bytes.IndexAny(line, " (")
	if i < 0 {
		return string(line), nil
	}
	if line[i] == '(' {
		return string(line[:i]), line[i:]
	}
	return string(line[:i]), line[i+1:]
}

// isTag accepts the star and the tags that we and go-imap make.
func isTag(tag string) bool {
	return tag == "*" || len(tag) <= 32 && isName(tag)
}

// isName accepts what can name a response or a response code.
func isName(name string) bool {
	for i := range len(name) {
		c := name[i]
		word := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !word && c != '-' && c != '.' && c != '/' && c != '_' {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

// status reads the code and the text of a status response. Both may be
// missing. Its line is text to the end: no quote and no brace means anything,
// and so one that ends like a literal is refused, because another reader could
// see it differently.
func (s *imapStream) status(condition string, rest []byte) (Status, error) {
	if at, _, err := literalAt(rest); at >= 0 || err != nil {
		return Status{}, fmt.Errorf("%w: a status ends in a literal", ErrProtocol)
	}
	status := Status{Condition: condition}
	if len(rest) > 0 && rest[0] == '[' {
		if end := codeEnd(rest); end > 0 {
			code, args := cutWord(rest[1:end])
			if isName(code) {
				status.Code = strings.ToUpper(code)
				status.CodeArgs = string(args)
				rest = bytes.TrimPrefix(rest[end+1:], []byte{' '})
			}
		}
	}
	status.Text = s.said.clean(rest)
	s.said.keep(status)
	return status, nil
}

// codeEnd finds the bracket that ends a response code; a bracket between
// parentheses belongs to the name of a flag. It returns -1 for none.
func codeEnd(text []byte) int {
	depth := 0
	for i, c := range text {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ']' && depth <= 0:
			return i
		}
	}
	return bytes.IndexByte(text, ']')
}

// rawListing keeps the numbers of a SEARCH or ESEARCH as they stand.
func rawListing(rest []byte) (string, error) {
	if at, _, err := literalAt(rest); at >= 0 || err != nil {
		return "", fmt.Errorf("%w: a literal in a listing", ErrProtocol)
	}
	return string(rest), nil
}

// nodes parses the values of a data response, the first line of which is
// given.
func (s *imapStream) nodes(line []byte) ([]Node, error) {
	t := tree{lists: make([][]Node, 1), depth: s.conn.limits.Depth}
	for {
		lex, err := newLexer(line)
		if err != nil {
			return nil, err
		}
		size, more, err := t.grow(&lex)
		if err != nil {
			return nil, err
		}
		if !more {
			return t.done()
		}
		text, err := s.small(size)
		if err != nil {
			return nil, err
		}
		if err := t.add(Node{Kind: String, Text: text}); err != nil {
			return nil, err
		}
		if line, err = s.line(); err != nil {
			return nil, err
		}
	}
}

// tree is a response that is being parsed: the lists that are open, the
// outermost first.
type tree struct {
	lists [][]Node
	depth int
	count int
}

// grow adds the tokens of one line. more is true when the line ends in the
// header of a literal of size bytes.
func (t *tree) grow(lex *lexer) (size int64, more bool, err error) {
	for {
		tok, err := lex.next()
		if err != nil {
			return 0, false, err
		}
		switch tok.kind {
		case tokenEnd:
			return 0, false, nil
		case tokenLiteral:
			return tok.size, true, nil
		case tokenOpen:
			err = t.open()
		case tokenClose:
			err = t.close()
		case tokenQuoted:
			err = t.add(Node{Kind: String, Text: unquote(tok.text)})
		case tokenAtom:
			err = t.add(atomNode(tok.text))
		}
		if err != nil {
			return 0, false, err
		}
	}
}

func atomNode(text []byte) Node {
	if bytes.EqualFold(text, []byte("NIL")) {
		return Node{Kind: Nil}
	}
	return Node{Kind: Atom, Text: string(text)}
}

func (t *tree) add(n Node) error {
	if t.count++; t.count > maxNodes {
		return fmt.Errorf("%w: one response of more than %d values", ErrTooMuch, maxNodes)
	}
	last := len(t.lists) - 1
	t.lists[last] = append(t.lists[last], n)
	return nil
}

func (t *tree) open() error {
	if len(t.lists) > t.depth {
		return fmt.Errorf("%w: parentheses more than %d deep", ErrTooMuch, t.depth)
	}
	t.lists = append(t.lists, nil)
	return nil
}

func (t *tree) close() error {
	last := len(t.lists) - 1
	if last == 0 {
		return fmt.Errorf("%w: a parenthesis closes nothing", ErrProtocol)
	}
	inner := t.lists[last]
	t.lists = t.lists[:last]
	return t.add(Node{Kind: List, List: inner})
}

func (t *tree) done() ([]Node, error) {
	if len(t.lists) > 1 {
		return nil, fmt.Errorf("%w: a line ends inside parentheses", ErrProtocol)
	}
	return t.lists[0], nil
}
