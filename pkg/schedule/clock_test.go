package schedule_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/schedule"
)

// What was remembered under a clock that was wrong delays nothing for long.
func TestMemoryOfAWrongClock(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		far := r.now().AddDate(10, 0, 0)
		j := r.job("failing", time.Hour, nil)
		j.Memory = schedule.Memory{Failures: 1, Class: mail.ClassConnect, NotBefore: far}
		r.Put(j)
		j = r.job("refused", time.Hour, nil)
		j.Memory = schedule.Memory{Failures: 2, Refusals: 2, Class: mail.ClassAuth, Fingerprint: "same", NextProbe: far}
		r.Put(j)
		time.Sleep(2 * time.Hour)
		r.mustBe("failing", schedule.OK)
		time.Sleep(14 * time.Hour)
		r.mustBe("refused", schedule.OK)
	})
}

// A clock that is set back while a backlog waits, works, or an account is left
// alone delays none of them by as much.
func TestClockSetBackWhileAccountsWait(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{Passes: 1}, func(r *rig) {
		n := 0
		r.Put(r.job("refused", time.Hour, func(context.Context, schedule.Turn) schedule.Outcome {
			if n++; n <= 2 {
				return schedule.Outcome{Class: mail.ClassAuth}
			}
			return schedule.Outcome{}
		}))
		r.Put(r.job("huge", time.Hour, backlogged(1000)))
		r.Put(r.job("small", 10*time.Minute, nil))
		time.Sleep(2 * time.Hour)
		r.mustBe("refused", schedule.AuthPaused)
		r.setClock(-720 * time.Hour)
		before, left := len(r.of("small")), r.status("huge").Left
		time.Sleep(15 * time.Hour)
		if got := len(r.of("small")) - before; got < 80 {
			t.Errorf("%d passes for news in 15 hours", got)
		}
		if got := left - r.status("huge").Left; got < 300 {
			t.Errorf("%d messages of the backlog in 15 hours", got)
		}
		r.mustBe("refused", schedule.OK)
	})
}

// Nor does it keep a backlog from its turn where news never ends.
func TestClockSetBackBesideNews(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{Passes: 1}, func(r *rig) {
		r.Put(r.job("huge", time.Hour, backlogged(300)))
		for i := range 10 {
			r.Put(r.job(fmt.Sprint(i), time.Minute, func(ctx context.Context, _ schedule.Turn) schedule.Outcome {
				return takes(10 * time.Second)(ctx)
			}))
		}
		time.Sleep(time.Hour)
		r.setClock(-720 * time.Hour)
		time.Sleep(24 * time.Hour)
		if left := r.status("huge").Left; left != 0 {
			t.Errorf("%d messages are left after a day", left)
		}
	})
}
