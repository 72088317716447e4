package wire

import "strings"

// textCap is how many bytes of a server's text are shown.
const textCap = 200

// Text makes a server's text safe to show: printable ASCII stays, any other
// byte becomes \xNN, and what is left is at most 200 bytes, the last three of
// them "..." where something was cut. Every text of a server goes through it
// before it reaches an error or a log, or a server could forge log lines and
// drive the reader's terminal.
func Text(s string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for i := range len(s) {
		piece := s[i : i+1]
		if c := s[i]; c < ' ' || c > '~' {
			piece = string([]byte{'\\', 'x', hex[c>>4], hex[c&15]})
		}
		if b.Len()+len(piece) > textCap {
			return cutText(b.String())
		}
		b.WriteString(piece)
	}
	return b.String()
}

// cutText marks s, which is at most textCap bytes long, as not whole. An
// escape that would be torn by that goes as well.
func cutText(s string) string {
	const mark = "..."
	s = s[:min(len(s), textCap-len(mark))]
	if i := strings.LastIndexByte(s, '\\'); i >= 0 && len(s)-i < len(`\xNN`) {
		s = s[:i]
	}
	return s + mark
}
