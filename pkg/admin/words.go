package admin

import (
	"time"

	"mailpull/pkg/display"
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
		m.Text = display.Roughly(d) + " ago"
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
		m.Text = "in " + display.Roughly(d)
	}
	return m
}
