package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxShown is how many mistakes one text of Errors shows.
const maxShown = 50

// Error is one mistake in a configuration.
type Error struct {
	// File is the file's name as it was asked for, or "environment".
	File string

	// Line and Column count from 1. Both are 0 where there is no place, and
	// Column is 0 where only the line is known.
	Line, Column int

	// Path names the key, such as accounts[0].imap.host, or a MAILPULL_*
	// variable. It is empty for the file as a whole.
	Path string

	// Text says what is wrong and what to write.
	Text string
}

// Error returns the mistake as one line: FILE:LINE:COLUMN: PATH: TEXT.
func (e Error) Error() string {
	var b strings.Builder
	b.WriteString(printable(e.File))
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
		if e.Column > 0 {
			fmt.Fprintf(&b, ":%d", e.Column)
		}
	}
	if e.Path != "" {
		b.WriteString(": " + e.Path)
	}
	b.WriteString(": " + e.Text)
	return b.String()
}

// Errors are all mistakes of a configuration, sorted by place. It is never
// empty when it is returned as an error.
type Errors []Error

// Error returns one line for each mistake, without a line end behind the
// last. After many it says how many more there are.
func (es Errors) Error() string {
	var lines []string
	for i, e := range es {
		if i == maxShown {
			lines = append(lines, fmt.Sprintf("%s: and %d more mistakes", printable(e.File), len(es)-maxShown))
			break
		}
		lines = append(lines, e.Error())
	}
	return strings.Join(lines, "\n")
}

// sorted sorts the mistakes by place, in place. Those of one place keep their
// order.
func (es Errors) sorted() Errors {
	slices.SortStableFunc(es, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return es
}

// printable keeps a file's name from breaking the line that it stands in.
func printable(name string) string {
	quoted := fmt.Sprintf("%q", name)
	if plain := quoted[1 : len(quoted)-1]; plain != name {
		return quoted
	}
	return name
}

// quote returns a text of the configuration fit for an error: quoted, and cut
// when it is long.
func quote(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		return fmt.Sprintf("%q...", string(runes[:most]))
	}
	return fmt.Sprintf("%q", text)
}
