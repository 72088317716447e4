package manifest

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// fields takes a record apart from left to right. Its first error stays, so
// that a caller reads all fields and asks once.
type fields struct {
	rest string
	err  error
}

func (f *fields) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
}

// word takes what stands before the next space.
func (f *fields) word() string {
	if f.err != nil {
		return ""
	}
	word, rest, _ := strings.Cut(f.rest, " ")
	if word == "" {
		f.fail("the line ends too early")
		return ""
	}
	f.rest = rest
	return word
}

// label takes a fixed word.
func (f *fields) label(want string) {
	if got := f.word(); f.err == nil && got != want {
		f.fail("%q stands in place of %q", clip(got), want)
	}
}

// uint takes a number without sign.
func (f *fields) uint(bits int) uint64 {
	word := f.word()
	if f.err != nil {
		return 0
	}
	n, err := strconv.ParseUint(word, 10, bits)
	if err != nil {
		f.fail("%q is no number of this kind", clip(word))
	}
	return n
}

// int takes a number with or without sign.
func (f *fields) int() int64 {
	word := f.word()
	if f.err != nil {
		return 0
	}
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		f.fail("%q is no number", clip(word))
	}
	return n
}

// time takes a time in RFC 3339.
func (f *fields) time() time.Time {
	word := f.word()
	if f.err != nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, word)
	if err != nil {
		f.fail("%q is no time", clip(word))
	}
	return t.UTC()
}

// quoted takes a string. Its bytes are a copy: otherwise a short name would
// keep its whole line in memory.
func (f *fields) quoted() string {
	if f.err != nil {
		return ""
	}
	text, err := strconv.QuotedPrefix(f.rest)
	if err != nil || text[0] != '"' {
		f.fail("%q does not begin with a quoted string", clip(f.rest))
		return ""
	}
	value, err := strconv.Unquote(text)
	if err != nil {
		f.fail("%q is no quoted string", clip(text))
		return ""
	}
	after := f.rest[len(text):]
	f.rest = strings.TrimPrefix(after, " ")
	if after != "" && len(f.rest) == len(after) {
		f.fail("%q follows a quoted string", clip(after))
	}
	return strings.Clone(value)
}

// hex takes bytes in lower-case hexadecimal digits and fills out with them.
func (f *fields) hex(out []byte) {
	word := f.word()
	if f.err != nil {
		return
	}
	n, err := hex.Decode(out, []byte(word)[:min(len(word), 2*len(out))])
	if err != nil || n != len(out) || hex.EncodeToString(out) != word {
		f.fail("%q is no hash", clip(word))
	}
}

// list takes quoted strings in parentheses.
func (f *fields) list() (values []string) {
	rest, ok := strings.CutPrefix(f.rest, "(")
	if f.err == nil && !ok {
		f.fail("%q does not begin with a list", clip(f.rest))
	}
	if f.err != nil {
		return nil
	}
	for !strings.HasPrefix(rest, ")") {
		text, err := strconv.QuotedPrefix(rest)
		if err != nil || text[0] != '"' {
			f.fail("%q is no list", clip(f.rest))
			return nil
		}
		value, err := strconv.Unquote(text)
		if err != nil {
			f.fail("%q is no quoted string", clip(text))
			return nil
		}
		values = append(values, strings.Clone(value))
		rest = strings.TrimPrefix(rest[len(text):], " ")
	}
	f.rest = strings.TrimPrefix(rest[1:], " ")
	return values
}

// end returns the first error, or one when something is left.
func (f *fields) end() error {
	if f.rest != "" {
		f.fail("%q is too much", clip(f.rest))
	}
	return f.err
}
