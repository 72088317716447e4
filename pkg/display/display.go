// Package display writes numbers as a person reads them, in the terminal and on
// the status page alike.
package display

import (
	"fmt"
	"time"
)

// Grouped writes a number with a comma between thousands.
func Grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Size writes a number of bytes with three digits and a decimal unit.
func Size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB"} {
		value /= 1000
		if value < 9.995 {
			return fmt.Sprintf("%.2f %s", value, unit)
		}
		if value < 99.95 {
			return fmt.Sprintf("%.1f %s", value, unit)
		}
		if value < 999.5 {
			return fmt.Sprintf("%.0f %s", value, unit)
		}
	}
	return fmt.Sprintf("%.0f PB", value/1000)
}

// Roughly writes a duration with one unit, as a person would say it.
func Roughly(d time.Duration) string {
	switch {
	case d < 90*time.Second:
		return fmt.Sprintf("%d s", int(d.Round(time.Second).Seconds()))
	case d < 90*time.Minute:
		return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Round(time.Hour).Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// Left writes what is left of some work, about so many bytes and so much time, and
// nothing where neither is known.
func Left(bytes int64, d time.Duration) string {
	switch {
	case bytes > 0 && d > 0:
		return fmt.Sprintf("about %s and %s left", Size(bytes), Roughly(d))
	case bytes > 0:
		return fmt.Sprintf("about %s left", Size(bytes))
	case d > 0:
		return fmt.Sprintf("about %s left", Roughly(d))
	}
	return ""
}
