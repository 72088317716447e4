package admin

import (
	"fmt"
	"time"
)

// ago says how long ago a time was.
func ago(t, now time.Time) moment {
	if t.IsZero() {
		return moment{Text: "never"}
	}
	m := moment{Exact: t.Format(time.RFC3339)}
	if d := now.Sub(t); d < 10*time.Second {
		m.Text = "just now"
	} else {
		m.Text = roughly(d) + " ago"
	}
	return m
}

// until says when an account's next pass is.
func until(a Account, now time.Time) moment {
	switch {
	case a.State == "running":
		return moment{Text: "now"}
	case a.NextRun.IsZero():
		return moment{Text: "not planned"}
	}
	m := moment{Exact: a.NextRun.Format(time.RFC3339)}
	if d := a.NextRun.Sub(now); d < 2*time.Second {
		m.Text = "waits for its turn"
	} else {
		m.Text = "in " + roughly(d)
	}
	return m
}

// roughly writes a duration with one unit, as a person would say it.
func roughly(d time.Duration) string {
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

// amount writes a number of bytes with three digits and a decimal unit.
func amount(n float64) string {
	if n < 1000 {
		return fmt.Sprintf("%.0f B", n)
	}
	unit := ""
	for _, unit = range []string{"kB", "MB", "GB", "TB", "PB"} {
		if n /= 1000; n < 999.5 {
			break
		}
	}
	switch {
	case n < 9.995:
		return fmt.Sprintf("%.2f %s", n, unit)
	case n < 99.95:
		return fmt.Sprintf("%.1f %s", n, unit)
	}
	return fmt.Sprintf("%.0f %s", n, unit)
}

// grouped writes a number with a comma between thousands.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
