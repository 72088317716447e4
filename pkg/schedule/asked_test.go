package schedule_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/schedule"
)

// Who asks for a pass while one runs gets it when that has ended, also when it
// failed and the account is to be left alone.
func TestAskedWhileItFails(t *testing.T) {
	t.Parallel()
	for _, class := range []mail.Class{mail.ClassTimeout, mail.ClassQuota, mail.ClassAuth} {
		bubble(t, schedule.Options{}, func(r *rig) {
			r.Put(r.job("work", 24*time.Hour, func(context.Context, schedule.Turn) schedule.Outcome {
				time.Sleep(time.Second)
				return schedule.Outcome{Class: class}
			}))
			time.Sleep(time.Millisecond)
			if err := r.PullNow("work"); err != nil {
				t.Error(err)
			}
			r.mustHave("work", 1)
			time.Sleep(1500 * time.Millisecond)
			r.mustHave("work", 2)
			time.Sleep(5 * time.Second) // it is asked for once
			r.mustHave("work", 2)
		})
	}
}

// Who hears that a pass has ended finds its state, and what is remembered.
func TestEnded(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		var heard atomic.Int32
		j := r.job("work", 24*time.Hour, fails(mail.ClassDisk))
		ended := make(chan struct{}, 1)
		j.Ended = func(bool) {
			heard.Add(1)
			ended <- struct{}{}
		}
		r.Put(j)
		<-ended
		if st := r.Status(); len(st) != 1 || st[0].State != schedule.DiskPaused {
			t.Errorf("after its end the account is %+v", st)
		}
		if m := r.remembered("work"); m.Class != mail.ClassDisk {
			t.Errorf("remembered %+v", m)
		}
		if n := heard.Load(); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
}

// An account that refused sign-ins stopped stays so while it finds out whether its
// secret has changed: an alert for it must not clear each quarter of an hour.
func TestPausedWhileItAsks(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		j := r.job("work", 5*time.Minute, fails(mail.ClassAuth))
		asked := 0
		j.Fingerprint = func(string) string {
			asked++
			time.Sleep(time.Second)
			return "same"
		}
		r.Put(j)
		time.Sleep(20 * time.Minute)
		for range 3600 {
			time.Sleep(500 * time.Millisecond)
			r.mustBe("work", schedule.AuthPaused)
		}
		if asked < 5 {
			t.Errorf("it asked %d times", asked)
		}
		r.mustHave("work", 2)
	})
}

// asked is an account in a rig with one slot, and what its Ended heard.
type asked struct {
	*rig
	job   schedule.Job
	heard chan bool // paused
}

// askedIn returns an account that has a pass each day, not in the timetable yet.
func askedIn(r *rig, pass func(context.Context, schedule.Turn) schedule.Outcome) *asked {
	a := &asked{rig: r, job: r.job("work", 24*time.Hour, pass), heard: make(chan bool, 100)}
	a.job.Ended = func(paused bool) { a.heard <- paused }
	return a
}

// busy has another account take the only slot for so long.
func (a *asked) busy(d time.Duration) {
	a.Put(a.rig.job("busy", 400*24*time.Hour, func(ctx context.Context, _ schedule.Turn) schedule.Outcome { return takes(d)(ctx) }))
	synctest.Wait()
}

// mustHear checks what was heard since it was called before.
func (a *asked) mustHear(want ...bool) {
	a.t.Helper()
	synctest.Wait()
	var got []bool
	for len(a.heard) > 0 {
		got = append(got, <-a.heard)
	}
	if !slices.Equal(got, want) {
		a.t.Errorf("heard %v, want %v", got, want)
	}
}

// mustPause pauses the account.
func (a *asked) mustPause() {
	a.t.Helper()
	if err := a.Pause("work"); err != nil {
		a.t.Error(err)
	}
}

// Who waits for a pass hears of a pause that comes before it.
func TestPauseBeforeThePass(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{Passes: 1}, func(r *rig) {
		a := askedIn(r, nil)
		a.busy(time.Hour)
		a.Put(a.job)
		a.mustHear()
		a.mustPause()
		a.mustHear(true)
		time.Sleep(48 * time.Hour)
		a.mustHave("work", 0)
		a.mustHear()
	})
}

// And of one that comes between the turn for news and that for the backlog.
func TestPauseBeforeTheBacklog(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{Passes: 1}, func(r *rig) {
		a := askedIn(r, backlogged(30))
		a.Put(a.job)
		synctest.Wait()
		a.busy(time.Hour)
		time.Sleep(10 * time.Second)
		a.mustHave("work", 1)
		a.mustHear()
		a.mustPause()
		a.mustHear(true)
	})
}

// While a pass runs it is to be waited for, and nothing follows it.
func TestPauseDuringAPass(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		a := askedIn(r, backlogged(30))
		a.Put(a.job)
		synctest.Wait()
		if err := a.PullNow("work"); err != nil { // again, behind this one
			t.Error(err)
		}
		a.mustPause()
		a.mustHear()
		time.Sleep(10 * time.Second)
		a.mustHear(true)
		a.mustHave("work", 1)
	})
}

// Who waits hears of the end of a backlog, and not of the news before it.
func TestEndedBehindTheBacklog(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		a := askedIn(r, backlogged(30))
		a.Put(a.job)
		time.Sleep(10 * time.Minute)
		a.mustHave("work", 2)
		a.mustHear()
		time.Sleep(30 * time.Minute)
		a.mustHear(false)
	})
}

// Who waits for a backlog is not kept until the next night when its window closes
// first.
func TestWindowClosesBeforeTheBacklog(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{Passes: 1}, func(r *rig) {
		a := askedIn(r, backlogged(20))
		a.job.Plan.Every = 400 * 24 * time.Hour
		a.job.Window = schedule.Window{To: 30 * time.Minute, Location: time.UTC} // it is midnight
		a.Put(a.job)
		synctest.Wait()
		a.busy(time.Hour)
		time.Sleep(29 * time.Minute)
		a.mustHave("work", 1)
		a.mustHear()
		time.Sleep(2 * time.Minute)
		a.mustHear(false)
		time.Sleep(20 * time.Hour)
		a.mustHear()
		a.mustHave("work", 1)
		time.Sleep(4 * time.Hour)
		if left := a.status("work").Left; left != 0 {
			t.Errorf("%d messages are left", left)
		}
	})
}
