package daemon

import (
	"testing"
	"time"

	"mailpull/pkg/metrics"
)

// A pass that was cut off, or left something, is made up for at once by the next
// daemon, whatever the timetable says; one that was complete is not made again.
func TestLastDone(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1_700_000_000, 0)
	for name, c := range map[string]struct {
		records metrics.State
		want    time.Time
	}{
		"never":          {metrics.State{}, time.Time{}},
		"complete":       {metrics.State{LastAttempt: begin, LastSuccess: begin.Add(time.Minute)}, begin},
		"cut off":        {metrics.State{LastAttempt: begin, LastSuccess: begin.Add(-time.Hour)}, time.Time{}},
		"never complete": {metrics.State{LastAttempt: begin}, time.Time{}},
	} {
		if got := lastDone(c.records); !got.Equal(c.want) {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
