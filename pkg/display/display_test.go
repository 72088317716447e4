package display_test

import (
	"testing"
	"time"

	"mailpull/pkg/display"
)

func TestNumbersForPeople(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ got, want string }{
		{display.Grouped(0), "0"}, {display.Grouped(999), "999"}, {display.Grouped(1000), "1,000"}, {display.Grouped(1234567), "1,234,567"},
		{display.Size(0), "0 B"}, {display.Size(999), "999 B"}, {display.Size(1000), "1.00 kB"}, {display.Size(9_994), "9.99 kB"}, {display.Size(9_996), "10.0 kB"},
		{display.Size(265_000_000), "265 MB"}, {display.Size(999_600), "1.00 MB"}, {display.Size(1 << 60), "1153 PB"},
		{display.Roughly(41 * time.Second), "41 s"}, {display.Roughly(95 * time.Second), "2 min"}, {display.Roughly(3 * time.Hour), "3 h"}, {display.Roughly(80 * time.Hour), "3 days"},
		{display.Grouped(-1234), "-1,234"}, {display.Grouped(-123), "-123"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestLeft(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bytes int64
		time  time.Duration
		want  string
	}{
		{0, 0, ""}, {1500, 0, "about 1.50 kB left"}, {0, time.Hour, "about 60 min left"},
		{42_100_000_000, 20 * time.Minute, "about 42.1 GB and 20 min left"},
	} {
		if got := display.Left(c.bytes, c.time); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
