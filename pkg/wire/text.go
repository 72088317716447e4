package wire

import "strings"

// textCap is how many bytes of a server's text are shown, counted as they stand
// in quotes: errors and logs quote it, and each time a quote or a back slash
// becomes two bytes.
const textCap = 200

// Text makes a server's text safe to show: printable ASCII stays, any other
// byte becomes \xNN, and what is left is at most 200 bytes in quotes, the last
// three of them "..." where something was cut. Every text of a server goes
// through it before it reaches an error or a log, or a server could forge log
// lines and drive the reader's terminal.
func Text(s string) string {
	const hex = "0123456789abcdef"
	const mark = "..."
	var b strings.Builder
	quoted, fits := 0, 0
	for i := range len(s) {
		piece := s[i : i+1]
		if c := s[i]; c < ' ' || c > '~' {
			piece = string([]byte{'\\', 'x', hex[c>>4], hex[c&15]})
		}
		quoted += len(piece)
		if piece[0] == '\\' || piece[0] == '"' {
			quoted++
		}
		if quoted > textCap {
			return b.String()[:fits] + mark
		}
		b.WriteString(piece)
		if quoted <= textCap-len(mark) {
			fits = b.Len()
		}
	}
	return b.String()
}
