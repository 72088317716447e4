package schedule_test

import (
	"context"
	"fmt"
	"testing"
	"time"

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
