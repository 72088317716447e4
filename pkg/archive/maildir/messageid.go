package maildir

import (
	"bytes"
	"strings"
)

const (
	// maxHeader is how far into a message its Message-ID is looked for.
	maxHeader = 64 << 10

	// maxMessageID is how much of a Message-ID is kept. RFC 5322 lets a line
	// have 998 bytes; those in use have less than a tenth of it.
	maxMessageID = 255
)

// messageID returns the value of the first Message-ID field in a message's
// header, unfolded (RFC 5322 section 2.2.3) and cut to maxMessageID bytes, or
// the empty string where there is none that is printable ASCII. Lines may end
// in LF or CRLF.
func messageID(wire []byte) string {
	header := wire[:min(len(wire), maxHeader)]
	for len(header) > 0 {
		var line []byte
		line, header = cutLine(header)
		if len(line) == 0 {
			return ""
		}
		value, ok := fieldValue(line)
		if !ok {
			continue
		}
		for len(header) > 0 && isBlank(header[0]) && len(value) <= maxMessageID {
			line, header = cutLine(header)
			value = append(value, bytes.TrimLeft(line, " \t")...)
		}
		return printable(value)
	}
	return ""
}

// cutLine returns the first line without its end, and what follows.
func cutLine(text []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(text, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'}), rest
}

// fieldValue returns a copy of what follows "Message-ID:" in a line that
// begins so, in any case and with blanks before the colon (RFC 5322 section
// 4.5.4).
func fieldValue(line []byte) ([]byte, bool) {
	name, value, found := bytes.Cut(line, []byte{':'})
	if !found || !strings.EqualFold(string(bytes.TrimRight(name, " \t")), "Message-ID") {
		return nil, false
	}
	return bytes.Clone(value[:min(len(value), 2*maxMessageID)]), true
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// printable returns the value without blanks around it, or the empty string
// when a byte is no printable ASCII.
func printable(value []byte) string {
	value = bytes.Trim(value, " \t")
	value = value[:min(len(value), maxMessageID)]
	for _, c := range value {
		if c < ' ' || c > '~' {
			return ""
		}
	}
	return string(value)
}
