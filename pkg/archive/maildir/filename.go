package maildir

import (
	"strconv"
	"strings"
	"time"

	gomaildir "github.com/emersion/go-maildir"

	"mailpull/pkg/mail"
)

// suffix ends the part of a file name that is ours: readers keep what stands
// before the first colon.
const suffix = ".mailpull"

// flagLetters are the flags that a file name can carry, in the order in which
// Maildir wants the letters. $Forwarded is the registered keyword (RFC 9051
// section 2.3.2), Forwarded what some programs write.
var flagLetters = [...]struct {
	flag   string
	letter gomaildir.Flag
}{
	{`\Draft`, gomaildir.FlagDraft},
	{`\Flagged`, gomaildir.FlagFlagged},
	{"$Forwarded", gomaildir.FlagPassed},
	{"Forwarded", gomaildir.FlagPassed},
	{`\Answered`, gomaildir.FlagReplied},
	{`\Seen`, gomaildir.FlagSeen},
	{`\Deleted`, gomaildir.FlagTrashed},
}

// infoLetters returns the letters of an item's flags, sorted, each one once.
func infoLetters(item mail.Item) string {
	var b strings.Builder
	var last gomaildir.Flag
	for _, f := range flagLetters {
		if f.letter != last && item.HasFlag(f.flag) {
			b.WriteRune(rune(f.letter))
			last = f.letter
		}
	}
	return b.String()
}

// fileName returns the name of a message in new/, or in cur/ if inCur. A
// message that has any flag must be in cur/, because names in new/ carry none.
func fileName(m *message, item mail.Item, delivered time.Time) (name string, inCur bool) {
	date := item.Date
	if date.IsZero() {
		date = delivered
	}
	var b strings.Builder
	b.WriteString(strconv.FormatInt(max(date.Unix(), 0), 10))
	b.WriteByte('.')
	b.WriteString(m.key.String())
	b.WriteString(suffix + ",S=")
	b.WriteString(strconv.FormatInt(m.stored, 10))
	b.WriteString(",W=")
	b.WriteString(strconv.FormatInt(m.virtual, 10))
	letters := infoLetters(item)
	if letters == "" {
		return b.String(), false
	}
	b.WriteString(":2,")
	b.WriteString(letters)
	return b.String(), true
}

// tmpName returns the name of a message in tmp/. The number is not used by any
// other file of this run.
func tmpName(number int64, key mail.Key) string {
	return strconv.FormatInt(number, 10) + "." + key.String() + suffix
}

// isTmpName reports whether tmpName made the name.
func isTmpName(name string) bool {
	_, rest, ok := parseName(name)
	return ok && rest == ""
}

// parseName returns the key in the name of a file that is ours, and what
// stands behind the part that readers leave alone.
func parseName(name string) (key mail.Key, rest string, ok bool) {
	digits, rest, found := strings.Cut(name, ".")
	if !found || digits == "" || strings.Trim(digits, "0123456789") != "" || len(rest) < mail.KeyLen {
		return key, "", false
	}
	key, ok = mail.ParseKey(rest[:mail.KeyLen])
	if !ok {
		return key, "", false
	}
	rest, ok = strings.CutPrefix(rest[mail.KeyLen:], suffix)
	if !ok || rest != "" && isNameByte(rest[0]) {
		return key, "", false
	}
	return key, rest, true
}

// isNameByte reports whether a byte would make the suffix part of a longer
// word.
func isNameByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_'
}
