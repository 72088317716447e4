package hook

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// maxLine is the size in bytes of the longest error that a hook is told. Pages
// that watch keep 10 kB of a request's body (healthchecks.io/docs/attaching_logs)
// and a system takes 128 KiB for one variable (execve(2)).
const maxLine = 2000

// summary is what a person reads on the page.
func summary(e Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "account %s: %s\n", e.Account, e.Result)
	fmt.Fprintf(&b, "%d new, %d bytes, %d missing, %d in quarantine, took %v\n",
		e.New, e.Bytes, e.Missing, e.Quarantined, e.Took.Round(time.Millisecond))
	if e.Error != "" {
		fmt.Fprintf(&b, "%s: %s\n", e.Class, oneLine(e.Error))
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, "hint: %s\n", oneLine(e.Hint))
	}
	return b.String()
}

// oneLine makes of a text one line without control characters, and cuts a long
// one. A NUL would keep the command from being started.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) > maxLine {
		s = strings.ToValidUTF8(s[:maxLine], "") + "..."
	}
	return s
}
