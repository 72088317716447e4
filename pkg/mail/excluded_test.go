package mail

import (
	"testing"
	"time"
)

// What was complete for a date is complete for each later one, and for no
// earlier one.
func TestExcludedCovers(t *testing.T) {
	t.Parallel()
	day := time.Date(2024, 1, 31, 0, 0, 0, 0, time.UTC)
	some := Excluded{Messages: 3, Since: day}
	for _, c := range []struct {
		excluded Excluded
		since    time.Time
		want     bool
	}{
		{Excluded{}, time.Time{}, true},
		{Excluded{}, day, true},
		{some, day, true},
		{some, day.AddDate(0, 0, 1), true},
		{some, day.AddDate(0, 0, -1), false},
		{some, time.Time{}, false},
	} {
		if got := c.excluded.Covers(c.since); got != c.want {
			t.Errorf("%+v, %v: got %v", c.excluded, c.since, got)
		}
	}
}
