package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"mailpull/pkg/display"
)

// table lines up columns. Numbers stand to the right, the rest to the left.
type table struct {
	w    io.Writer
	rows [][]string

	// hideZeros are the heads of columns that are left out when they are all zeros.
	hideZeros []string
}

func newTable(w io.Writer, head ...string) *table { return &table{w: w, rows: [][]string{head}} }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// flush writes the table, unless it has no row but the head.
func (t *table) flush() {
	if len(t.rows) < 2 {
		return
	}
	t.hide()
	widths := make([]int, len(t.rows[0]))
	number := make([]bool, len(widths))
	for i := range widths {
		number[i] = true
		for r, row := range t.rows {
			widths[i] = max(widths[i], width(row[i]))
			if r > 0 && strings.Trim(row[i], "0123456789,-") != "" {
				number[i] = false
			}
		}
	}
	for _, row := range t.rows {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-width(cell))
			if number[i] {
				cell = pad + cell
			} else {
				cell += pad
			}
			if i > 0 {
				b.WriteString("  ")
			}
			b.WriteString(cell)
		}
		fmt.Fprintln(t.w, strings.TrimRight(b.String(), " "))
	}
}

// hide takes out the columns of hideZeros that have no other number.
func (t *table) hide() {
	for _, head := range t.hideZeros {
		i := slices.Index(t.rows[0], head)
		if i < 0 || slices.ContainsFunc(t.rows[1:], func(row []string) bool { return row[i] != "0" }) {
			continue
		}
		for r, row := range t.rows {
			t.rows[r] = slices.Delete(row, i, i+1)
		}
	}
}

// width is how many columns a terminal gives to a text: two for the letters of
// East Asia (UAX 11), none for marks that stand above others.
func width(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul):
			n += 2
		default:
			n++
		}
	}
	return n
}

// printable writes a name that came from a server so that it cannot do
// anything to a terminal.
func printable(name string) string {
	for _, r := range name {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return strconv.Quote(name)
		}
	}
	return name
}

// took writes a duration with two or three digits.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// ago says how long ago something was.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	if d < 2*time.Second {
		return "just now"
	}
	return display.Roughly(d) + " ago"
}
