package schedule_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/schedule"
)

// A panic ends its pass and nothing else, and gives back what the pass held.
func TestPanic(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{Passes: 1}, func(r *rig) {
		r.Put(r.job("odd", time.Hour, func(context.Context, schedule.Turn) schedule.Outcome { panic("odd") }))
		r.Put(r.job("work", time.Hour, nil))
		time.Sleep(10 * time.Hour)
		r.mustBe("odd", schedule.Backoff)
		if n := len(r.of("work")); n < 10 {
			t.Errorf("%d passes beside a panic", n)
		}
	})
}

// Operators and a reload at the same moment: what is kept last is what holds.
func TestReplaceBesidePause(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		r.Put(r.job("work", time.Hour, nil))
		time.Sleep(time.Minute)
		for range 50 {
			go r.Put(r.job("work", time.Hour, nil))
			go func() { _ = r.Pause("work") }()
		}
		synctest.Wait()
		time.Sleep(time.Minute)
		r.mustBe("work", schedule.Paused)
		if !r.remembered("work").Paused {
			t.Error("the pause is not remembered")
		}
	})
}
