package schedule_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"mailpull/pkg/schedule"
)

// backlogged returns a pass with so many messages left, of which each minute
// brings one when it is the backlog's turn.
func backlogged(left int) func(context.Context, schedule.Turn) schedule.Outcome {
	return func(ctx context.Context, turn schedule.Turn) schedule.Outcome {
		if !turn.Backlog {
			time.Sleep(time.Second)
			return schedule.Outcome{Left: left}
		}
		for ; left > 0 && !turn.Yield(); left-- {
			if o := takes(time.Minute)(ctx); o.Interrupted {
				return o
			}
		}
		return schedule.Outcome{Left: left}
	}
}

// New mail of all comes before the backlog of one, and the backlog gets on.
func TestNewsBeforeBacklog(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{Passes: 2}, func(r *rig) {
		r.Put(r.job("huge", time.Hour, backlogged(300)))
		r.Put(r.job("large", time.Hour, backlogged(300)))
		for i := range 30 {
			r.Put(r.job(fmt.Sprint(i), 10*time.Minute, nil))
		}
		time.Sleep(48 * time.Hour)
		for i := range 30 {
			passes := r.of(fmt.Sprint(i))
			for n := 1; n < len(passes); n++ {
				if gap := passes[n].at.Sub(passes[n-1].at); gap > 15*time.Minute {
					t.Errorf("account %d had no pass for %s", i, gap)
				}
			}
		}
		for _, name := range []string{"huge", "large"} {
			if st := r.status(name); st.Left != 0 {
				t.Errorf("%s has %d messages left", name, st.Left)
			}
		}
	})
}

// Also where there is one slot, and news never ends.
func TestBacklogIsNotStarved(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{Passes: 1}, func(r *rig) {
		r.Put(r.job("huge", time.Hour, backlogged(100)))
		for i := range 10 {
			r.Put(r.job(fmt.Sprint(i), time.Minute, func(ctx context.Context, _ schedule.Turn) schedule.Outcome {
				return takes(10 * time.Second)(ctx)
			}))
		}
		time.Sleep(12 * time.Hour)
		if st := r.status("huge"); st.Left != 0 {
			t.Errorf("%d messages are left after half a day", st.Left)
		}
	})
}

// Outside its window no backlog is worked off, and news comes all the same.
func TestWindow(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		j := r.job("work", time.Hour, backlogged(1000))
		j.Window = schedule.Window{From: 22 * time.Hour, To: 6 * time.Hour, Location: time.UTC}
		r.Put(j)
		time.Sleep(72 * time.Hour)
		inside, outside := 0, 0
		for _, p := range r.of("work") {
			if p.turn.Backlog && !j.Window.Open(p.at) {
				t.Errorf("a turn for the backlog began at %s", p.at)
			}
			if j.Window.Open(p.at) {
				inside++
			} else {
				outside++
			}
		}
		if left := r.status("work").Left; outside < 40 || left > 100 {
			t.Errorf("%d passes outside, %d inside, %d messages left", outside, inside, left)
		}
	})
}

func TestWindowTimes(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		from, to, at time.Duration
		open         bool
	}{
		{0, 0, 5 * time.Hour, true},
		{8 * time.Hour, 9 * time.Hour, 8 * time.Hour, true},
		{8 * time.Hour, 9 * time.Hour, 9 * time.Hour, false},
		{22 * time.Hour, 6 * time.Hour, 23 * time.Hour, true},
		{22 * time.Hour, 6 * time.Hour, 0, true},
		{22 * time.Hour, 6 * time.Hour, 6 * time.Hour, false},
		{22 * time.Hour, 6 * time.Hour, 12 * time.Hour, false},
	} {
		w := schedule.Window{From: c.from, To: c.to, Location: time.UTC}
		if got := w.Open(day.Add(c.at)); got != c.open {
			t.Errorf("%s-%s at %s: got %t", c.from, c.to, c.at, got)
		}
	}
}
