package schedule_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/schedule"
)

// Several backlogs do not keep news out by taking turns, however few slots
// there are.
func TestNewsIsNotStarved(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{Passes: 1}, func(r *rig) {
		for i := range 5 {
			r.Put(r.job(fmt.Sprint("huge", i), time.Hour, backlogged(600)))
		}
		r.Put(r.job("small", 10*time.Minute, nil))
		time.Sleep(24 * time.Hour)
		passes := r.of("small")
		for n := 1; n < len(passes); n++ {
			if gap := passes[n].at.Sub(passes[n-1].at); gap > 15*time.Minute {
				t.Fatalf("no news for %s", gap)
			}
		}
		if len(passes) < 100 {
			t.Errorf("%d passes for news in a day", len(passes))
		}
		for i := range 5 {
			name := fmt.Sprint("huge", i)
			if left := r.status(name).Left; left > 500 {
				t.Errorf("%s has %d messages left", name, left)
			}
		}
	})
}

// An account that takes all the connections of its host gets them, although
// others that take one each are never all at rest. Neither its news starves
// nor its backlog.
func TestManyConnectionsAreNotStarved(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{Passes: 8, PerHost: 4}, func(r *rig) {
		for i := range 10 {
			j := r.job(fmt.Sprint(i), time.Minute, func(ctx context.Context, _ schedule.Turn) schedule.Outcome {
				return takes(time.Duration(30+3*i) * time.Second)(ctx)
			})
			j.Host = "same"
			r.Put(j)
		}
		time.Sleep(10 * time.Minute)
		big := r.job("big", time.Hour, backlogged(30))
		big.Host, big.Connections = "same", 4
		r.Put(big)
		time.Sleep(6 * time.Hour)
		if n := len(r.of("big")); n < 6 {
			t.Errorf("%d passes in six hours", n)
		}
		if left := r.status("big").Left; left != 0 {
			t.Errorf("%d messages left", left)
		}
	})
}

// A backlog elsewhere that never has to yield is no reason to starve one whose
// host is busy with news.
func TestBacklogOfABusyHost(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{Passes: 4, PerHost: 1}, func(r *rig) {
		r.Put(r.job("elsewhere", 24*time.Hour, backlogged(100_000)))
		for i := range 3 {
			j := r.job(fmt.Sprint(i), time.Minute, func(ctx context.Context, _ schedule.Turn) schedule.Outcome {
				return takes(40 * time.Second)(ctx)
			})
			j.Host = "busy"
			r.Put(j)
		}
		j := r.job("starved", time.Hour, backlogged(50))
		j.Host = "busy"
		r.Put(j)
		time.Sleep(12 * time.Hour)
		if left := r.status("starved").Left; left != 0 {
			t.Errorf("%d messages left", left)
		}
	})
}

// A mailbox that is refused for ever does not starve the backlog beside it. A turn
// that brings nothing is not made again at once, and none is made when the server
// asks to wait: both wait for the next news.
func TestBacklogBesideAFailure(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		outcome      schedule.Outcome // of each turn, beside what is left
		settles, new int              // by a turn for the backlog
		turns, left  int              // after ten hours
	}{
		"it gets on":        {schedule.Outcome{Class: mail.ClassServer}, 300, 300, 10, 0},
		"files are matched": {schedule.Outcome{Class: mail.ClassServer}, 300, 0, 10, 0},
		"nothing comes":     {schedule.Outcome{Class: mail.ClassServer}, 0, 0, 10, 3000},
		"a delay is named":  {schedule.Outcome{Class: mail.ClassServer, After: time.Minute}, 300, 300, 0, 3000},
		"it is throttled":   {schedule.Outcome{Class: mail.ClassThrottled}, 300, 300, 0, 3000},
		"bytes are counted": {schedule.Outcome{Class: mail.ClassQuota}, 300, 300, 0, 3000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, schedule.Options{}, func(r *rig) {
				left, turns := 3000, 0
				r.Put(r.job("huge", time.Hour, func(_ context.Context, turn schedule.Turn) schedule.Outcome {
					time.Sleep(time.Second)
					o := tc.outcome
					o.Partial = true
					if turn.Backlog {
						turns++
						left -= tc.settles
						o.New = tc.new
					}
					o.Left = left
					return o
				}))
				time.Sleep(9*time.Hour + time.Minute)
				if st := r.status("huge"); turns != tc.turns || st.Left != tc.left {
					t.Errorf("%d turns for the backlog and %d left, want %d and %d", turns, st.Left, tc.turns, tc.left)
				}
			})
		})
	}
}
