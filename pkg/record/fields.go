package record

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Fields takes a line apart from left to right, at one space between two
// fields. Its first error stays, so that a caller takes all fields and asks
// End once. After an error every field is its zero value.
type Fields struct {
	rest string
	err  error
}

// NewFields returns the fields of a line, given without its end.
func NewFields(line string) *Fields { return &Fields{rest: line} }

// Fail makes this the error, unless there is one already.
func (f *Fields) Fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
}

// Word takes what stands before the next space.
func (f *Fields) Word() string {
	if f.err != nil {
		return ""
	}
	word, rest, _ := strings.Cut(f.rest, " ")
	if word == "" {
		f.Fail("the line ends too early")
		return ""
	}
	f.rest = rest
	return word
}

// Label takes a fixed word.
func (f *Fields) Label(want string) {
	if got := f.Word(); f.err == nil && got != want {
		f.Fail("%q stands in place of %q", Clip(got), want)
	}
}

// Version takes the version of a file's format. One that is not known is the
// error, and errors.Is finds ErrVersion in it: what follows may have another
// form.
func (f *Fields) Version(known uint64) {
	if found := f.Uint(64); f.err == nil && found != known {
		f.err = &versionError{found, known}
	}
}

// Uint takes a number without sign that fits into so many bits.
func (f *Fields) Uint(bits int) uint64 {
	word := f.Word()
	if f.err != nil {
		return 0
	}
	n, err := strconv.ParseUint(word, 10, bits)
	if err != nil {
		f.Fail("%q is no number of this kind", Clip(word))
	}
	return n
}

// Count takes a number of things.
func (f *Fields) Count() int { return int(f.Uint(strconv.IntSize - 1)) }

// Int takes a number with or without sign.
func (f *Fields) Int() int64 {
	word := f.Word()
	if f.err != nil {
		return 0
	}
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		f.Fail("%q is no number", Clip(word))
	}
	return n
}

// Time takes a time in RFC 3339 and returns it in UTC.
func (f *Fields) Time() time.Time {
	word := f.Word()
	if f.err != nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, word)
	if err != nil {
		f.Fail("%q is no time", Clip(word))
	}
	return t.UTC()
}

// Hex takes bytes in lower-case hexadecimal digits and fills out with them.
func (f *Fields) Hex(out []byte) {
	word := f.Word()
	if f.err != nil {
		return
	}
	n, err := hex.Decode(out, []byte(word)[:min(len(word), 2*len(out))])
	if err != nil || n != len(out) || hex.EncodeToString(out) != word {
		f.Fail("%q is no hash", Clip(word))
	}
}

// Dash takes a "-", which stands for nothing, and reports whether there was
// one. Otherwise the field is left to be taken.
func (f *Fields) Dash() bool {
	rest, ok := strings.CutPrefix(f.rest, "- ")
	f.rest = rest
	return ok
}

// Quotes reports whether the next field is a quoted string.
func (f *Fields) Quotes() bool { return strings.HasPrefix(f.rest, `"`) }

// More reports whether anything is left to be taken.
func (f *Fields) More() bool { return f.rest != "" }

// Quoted takes a string, quoted as a Go string literal. Its bytes are a copy:
// otherwise a short name would keep its whole line in memory.
func (f *Fields) Quoted() string {
	if f.err != nil {
		return ""
	}
	text, err := strconv.QuotedPrefix(f.rest)
	if err != nil || text[0] != '"' {
		f.Fail("%q does not begin with a quoted string", Clip(f.rest))
		return ""
	}
	value, err := strconv.Unquote(text)
	if err != nil {
		f.Fail("%q is no quoted string", Clip(text))
		return ""
	}
	after := f.rest[len(text):]
	f.rest = strings.TrimPrefix(after, " ")
	if after != "" && len(f.rest) == len(after) {
		f.Fail("%q follows a quoted string", Clip(after))
	}
	return strings.Clone(value)
}

// List takes quoted strings in parentheses; none at all are nil.
func (f *Fields) List() (values []string) {
	rest, ok := strings.CutPrefix(f.rest, "(")
	if f.err == nil && !ok {
		f.Fail("%q does not begin with a list", Clip(f.rest))
	}
	if f.err != nil {
		return nil
	}
	for !strings.HasPrefix(rest, ")") {
		text, err := strconv.QuotedPrefix(rest)
		if err != nil || text[0] != '"' {
			f.Fail("%q is no list", Clip(f.rest))
			return nil
		}
		value, err := strconv.Unquote(text)
		if err != nil {
			f.Fail("%q is no quoted string", Clip(text))
			return nil
		}
		values = append(values, strings.Clone(value))
		rest = strings.TrimPrefix(rest[len(text):], " ")
	}
	f.rest = strings.TrimPrefix(rest[1:], " ")
	return values
}

// End returns the first error, or one when something is left.
func (f *Fields) End() error {
	if f.rest != "" {
		f.Fail("%q is too much", Clip(f.rest))
	}
	return f.err
}

// Clip bounds what an error text repeats of a file or a server.
func Clip(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "..."
}
