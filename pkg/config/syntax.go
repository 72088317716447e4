package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

const (
	// maxSize bounds what is read. A file with a thousand accounts has half of
	// it.
	maxSize = 1 << 20

	// maxProbed bounds the search for the place of a wrong syntax: the number
	// of lines times that of bytes. It is about a second's work at worst.
	maxProbed = 16 << 20
)

// parseYAML returns the root node of the one document in data. On a mistake
// it reports all that it knows and returns nil.
func (w *walk) parseYAML(data []byte) *yaml.Node {
	if len(data) > maxSize {
		w.syntax(0, 0, "is larger than 1 MiB; is this the right file?")
		return nil
	}
	if !w.checkBytes(data) {
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	doc, err := decode(decoder)
	switch {
	case err == io.EOF:
		w.syntax(0, 0, "is empty; mailpull config example shows what to write")
		return nil
	case err != nil:
		w.explainSyntax(data, err)
		return nil
	case len(doc.Content) != 1 || isNull(doc.Content[0]):
		w.syntax(0, 0, "is empty; mailpull config example shows what to write")
		return nil
	}
	second, err := decode(decoder)
	switch {
	case err == nil:
		w.syntax(second.Line, second.Column, "a second document begins here; leave one in the file")
		return nil
	case err != io.EOF:
		w.explainSyntax(data, err)
		return nil
	}
	return doc.Content[0]
}

// syntax reports a mistake in the text itself.
func (w *walk) syntax(line, column int, format string, args ...any) {
	w.errs = append(w.errs, Error{File: w.file, Line: line, Column: column, Text: fmt.Sprintf(format, args...)})
}

// decode reads the next document. The library panics on some broken ones.
func decode(d *yaml.Decoder) (doc *yaml.Node, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errors.New("the YAML library gave up")
		}
	}()
	doc = new(yaml.Node)
	return doc, d.Decode(doc)
}

// checkBytes reports bytes that YAML has no place for. The library takes
// some of them and gives no column for the others.
func (w *walk) checkBytes(data []byte) bool {
	line, column := 1, 1
	for i := 0; i < len(data); {
		r, width := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && width == 1:
			w.syntax(line, column, "byte 0x%02X is not UTF-8; save the file as UTF-8", data[i])
			return false
		case r < ' ' && r != '\n' && r != '\r' && r != '\t', r == 0x7F:
			w.syntax(line, column, "holds the control character U+%04X; remove it", r)
			return false
		case r == '\n':
			line, column = line+1, 0
		}
		column++
		i += width
	}
	return true
}

// explainSyntax reports what the YAML library found, in our words: the
// library's may repeat the file, and its line is often that of a neighbour.
func (w *walk) explainSyntax(data []byte, err error) {
	lines := bytes.SplitAfter(data, []byte("\n"))
	if name, ok := unknownAnchor(err); ok {
		line, column := find(lines, "*"+name)
		w.syntax(line, column, "a value that begins with * is an alias, which is not supported; put the value in quotes")
		return
	}
	bad := 0
	if len(lines)*len(data) <= maxProbed {
		bad = wrongLine(lines)
	}
	if bad == 0 {
		var line int
		_, _ = fmt.Sscanf(err.Error(), "yaml: line %d:", &line) // 0 when it has none
		w.syntax(line, 0, "is not good YAML near this line: %s", syntaxAdvice(err))
		return
	}
	text := lines[bad-1]
	indent := len(text) - len(bytes.TrimLeft(text, " \t"))
	if tab := bytes.IndexByte(text[:indent], '\t'); tab >= 0 {
		w.syntax(bad, tab+1, "a tab in the indentation; write blanks")
		return
	}
	w.syntax(bad, indent+1, "is not good YAML: %s", syntaxAdvice(err))
}

func unknownAnchor(err error) (name string, ok bool) {
	_, rest, ok := strings.Cut(err.Error(), "unknown anchor '")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, "' referenced")
}

// find returns the first place of text in lines, or zeros.
func find(lines [][]byte, text string) (line, column int) {
	for i, l := range lines {
		if j := bytes.Index(l, []byte(text)); j >= 0 {
			return i + 1, utf8.RuneCount(l[:j]) + 1
		}
	}
	return 0, 0
}

// wrongLine returns the line from which on the text cannot be parsed: the
// first one behind the longest beginning of the file that is good on its own.
// A quote that is never closed is so found where it opens.
func wrongLine(lines [][]byte) int {
	good := len(lines) - 1
	for ; good > 0; good-- {
		if _, err := decode(yaml.NewDecoder(bytes.NewReader(bytes.Join(lines[:good], nil)))); err == nil || err == io.EOF {
			break
		}
	}
	for bad := good; bad < len(lines); bad++ {
		text := bytes.TrimSpace(lines[bad])
		if len(text) > 0 && text[0] != '#' {
			return bad + 1
		}
	}
	return good + 1
}

// syntaxAdvice says in plain words what the library complains about. What is
// not in the list is not repeated.
func syntaxAdvice(err error) string {
	for _, known := range []struct{ theirs, ours string }{
		{"found character that cannot start any token", "no value begins with this character; put the value in quotes, and indent with blanks"},
		{"found a tab character", "a tab in the indentation; write blanks"},
		{"mapping values are not allowed", `": " inside a value, or a wrong indentation; put the value in quotes`},
		{"could not find expected ':'", `a key without ":", or a text that is not closed`},
		{"did not find expected key", "a wrong indentation, or a value with quotes inside; indent keys of one level alike"},
		{"did not find expected '-' indicator", `a wrong indentation in a list; put each "- " below the one before`},
		{"did not find expected ',' or ']'", `a list that begins with "[" needs commas and a "]"`},
		{"did not find expected ',' or '}'", `keys that begin with "{" need commas and a "}"`},
		{"did not find expected node content", "a value that begins with a sign of YAML; put it in quotes"},
		{"found unexpected end of stream", "a quote that is opened here is not closed"},
		{"found unexpected document indicator", "a quote is not closed before the next document"},
		{"unknown escape character", `a backslash in double quotes; use single quotes, such as '\Junk'`},
		{"block sequence entries are not allowed", `a list cannot begin here; begin it on the next line`},
		{"did not find expected <document start>", "the file begins with a value and goes on with keys; check the indentation of its first lines"},
		{"exceeded max depth", "it is nested too deeply"},
	} {
		if strings.Contains(err.Error(), known.theirs) {
			return known.ours
		}
	}
	return "check the indentation, and put values with special characters in quotes"
}
