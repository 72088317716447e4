package wire

import (
	"strconv"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, want string }{
		{"", ""},
		{"plain ~!", "plain ~!"},
		{"a\r\nlevel=ERROR \x1b[2J\x00\x7f\xff", `a\x0d\x0alevel=ERROR \x1b[2J\x00\x7f\xff`},
		{"é", `\xc3\xa9`},
		{strings.Repeat("a", 200), strings.Repeat("a", 200)},
		{strings.Repeat("a", 201), strings.Repeat("a", 197) + "..."},
		{strings.Repeat("a", 195) + "\n\n", strings.Repeat("a", 195) + "..."},
		{strings.Repeat("\n", 1<<20), strings.Repeat(`\x0a`, 39) + "..."},
		{strings.Repeat(`"`, 100), strings.Repeat(`"`, 100)},
		{strings.Repeat(`\`, 101), strings.Repeat(`\`, 98) + "..."},
	} {
		if got := Text(tc.in); got != tc.want {
			t.Errorf("Text(%.20q…) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\x00\xff")
	f.Add(strings.Repeat("\x1b", 60))
	f.Fuzz(func(t *testing.T, s string) {
		got := Text(s)
		if quoted := strconv.Quote(got); len(quoted) > 200+len(`""`) {
			t.Errorf("%d bytes in quotes", len(quoted))
		}
		for i := range len(got) {
			if got[i] < ' ' || got[i] > '~' {
				t.Errorf("%q is not printable", got)
			}
		}
	})
}
