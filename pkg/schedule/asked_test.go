package schedule_test

import (
	"context"
	"sync/atomic"
	"testing"
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
		j.Ended = func() {
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
