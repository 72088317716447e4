package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/schedule"
)

// One account is pulled at once, and then each quarter of an hour.
func TestEvery(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		r.Put(r.job("work", 15*time.Minute, nil))
		r.mustHave("work", 1)
		time.Sleep(24 * time.Hour)
		r.mustHave("work", 97)
		for i, p := range r.of("work")[2:] {
			if gap := p.at.Sub(r.of("work")[i+1].at); gap != 15*time.Minute {
				t.Errorf("pass %d came after %s", i+2, gap)
			}
		}
	})
}

// What was pulled a short while ago is not pulled again at the start.
func TestLastPassIsRemembered(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		j := r.job("work", time.Hour, nil)
		j.Last = r.now().Add(-time.Second)
		r.Put(j)
		r.mustHave("work", 0)
		time.Sleep(time.Hour)
		r.mustHave("work", 1)
	})
}

// A thousand overdue accounts come one after another, and not all at once.
func TestStartIsNoStampede(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{Passes: 50, PerHost: 50}, func(r *rig) {
		for i := range 1000 {
			r.Put(r.job(fmt.Sprint(i), time.Hour, nil))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		begun := 0
		for i := range 1000 {
			begun += len(r.of(fmt.Sprint(i)))
		}
		if begun > 120 {
			t.Errorf("%d passes began in the first second", begun)
		}
		time.Sleep(time.Minute)
		for i := range 1000 {
			if len(r.of(fmt.Sprint(i))) == 0 {
				t.Errorf("account %d was not pulled in the first minute", i)
			}
		}
	})
}

func TestBounds(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{Passes: 5, PerHost: 4}, func(r *rig) {
		for i := range 20 {
			j := r.job(fmt.Sprint(i), time.Hour, nil)
			j.Host, j.Connections = "same", 2
			r.Put(j)
		}
		time.Sleep(time.Hour)
		if r.atMost() != 2 {
			t.Errorf("%d passes ran at once on a host that has room for two", r.atMost())
		}
		for i := range 20 {
			j := r.job(fmt.Sprint("other", i), time.Hour, nil)
			r.Put(j)
		}
		time.Sleep(time.Hour)
		if r.atMost() > 5 {
			t.Errorf("%d passes ran at once, want 5 at most", r.atMost())
		}
		for i := range 20 {
			if n := len(r.of(fmt.Sprint(i))); n < 2 {
				t.Errorf("account %d had %d passes", i, n)
			}
		}
	})
}

// Two refused sign-ins stop an account; then it signs in twice a day.
func TestRefusedSignIns(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		r.Put(r.job("work", 5*time.Minute, fails(mail.ClassAuth)))
		time.Sleep(2 * time.Hour)
		r.mustHave("work", 2)
		r.mustBe("work", schedule.AuthPaused)
		if m := r.remembered("work"); m.Refusals != 2 || m.Fingerprint != "same" || m.NextProbe.IsZero() {
			t.Errorf("remembered %+v", m)
		}
		r.Wake("work")
		r.mustHave("work", 2)
		time.Sleep(48 * time.Hour)
		if n := len(r.of("work")); n < 5 || n > 6 {
			t.Errorf("%d sign-ins in two days, want 5 or 6", n)
		}
		before := len(r.of("work"))
		if err := r.PullNow("work"); err != nil {
			t.Error(err)
		}
		r.mustHave("work", before+1) // an operator's ask is one sign-in
		time.Sleep(time.Hour)
		r.mustHave("work", before+1)
		if err := r.Resume("work"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		r.mustHave("work", before+3)
	})
}

// A restart does not sign in either.
func TestRefusalsAreRemembered(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		j := r.job("work", 5*time.Minute, fails(mail.ClassAuth))
		j.Memory = schedule.Memory{Failures: 2, Refusals: 2, Class: mail.ClassAuth, Fingerprint: "same", NextProbe: r.now().Add(time.Hour)}
		r.Put(j)
		time.Sleep(30 * time.Minute)
		r.mustHave("work", 0)
		r.mustBe("work", schedule.AuthPaused)
		time.Sleep(time.Hour)
		r.mustHave("work", 1)
	})
}

// Another password ends it at the next time of the plan.
func TestChangedSecret(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		var works atomic.Bool
		var secret atomic.Value
		secret.Store("old")
		j := r.job("work", 5*time.Minute, func(context.Context, schedule.Turn) schedule.Outcome {
			if works.Load() {
				return schedule.Outcome{}
			}
			return schedule.Outcome{Class: mail.ClassAuth}
		})
		j.Fingerprint = func(string) string { return secret.Load().(string) }
		r.Put(j)
		time.Sleep(time.Hour)
		r.mustHave("work", 2)
		secret.Store("still wrong")
		time.Sleep(time.Hour)
		r.mustHave("work", 3)
		secret.Store("right")
		works.Store(true)
		time.Sleep(10 * time.Minute)
		r.mustBe("work", schedule.OK)
		if m := r.remembered("work"); m != (schedule.Memory{}) {
			t.Errorf("remembered %+v, want nothing", m)
		}
	})
}

// A network error between two refusals does not begin the count anew.
func TestRefusalsWithOtherErrorsBetween(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		n := 0
		r.Put(r.job("work", 5*time.Minute, func(context.Context, schedule.Turn) schedule.Outcome {
			n++
			return schedule.Outcome{Class: []mail.Class{mail.ClassAuth, mail.ClassConnect}[(n+1)%2]}
		}))
		time.Sleep(6 * time.Hour)
		r.mustBe("work", schedule.AuthPaused)
		if m := r.remembered("work"); m.Refusals != 2 {
			t.Errorf("%d refusals, want 2", m.Refusals)
		}
	})
}

// Passing errors are asked again with growing delays, at most half an hour.
func TestBackoff(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		r.Put(r.job("work", time.Minute, fails(mail.ClassConnect)))
		time.Sleep(48 * time.Hour)
		passes := r.of("work")
		if len(passes) < 150 || len(passes) > 300 {
			t.Errorf("%d passes in two days of errors", len(passes))
		}
		for i := 1; i < len(passes); i++ {
			if gap := passes[i].at.Sub(passes[i-1].at); gap > 30*time.Minute || gap < 10*time.Second {
				t.Errorf("pass %d came after %s", i, gap)
			}
		}
		r.mustBe("work", schedule.Backoff)
	})
}

// What a server asks for is what it gets.
func TestServersOwnDelay(t *testing.T) {
	t.Parallel()
	for class, state := range map[mail.Class]schedule.State{
		mail.ClassThrottled: schedule.Backoff, mail.ClassQuota: schedule.QuotaPaused, mail.ClassServer: schedule.Backoff,
	} {
		bubble(t, schedule.Options{}, func(r *rig) {
			r.Put(r.job("work", time.Minute, func(context.Context, schedule.Turn) schedule.Outcome {
				return schedule.Outcome{Class: class, After: 5 * time.Hour}
			}))
			time.Sleep(5*time.Hour - time.Minute)
			r.mustHave("work", 1)
			r.mustBe("work", state)
			time.Sleep(2 * time.Minute)
			r.mustHave("work", 2)
		})
	}
}

func TestDiskPausesClearly(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		r.Put(r.job("work", time.Minute, fails(mail.ClassDisk)))
		r.mustBe("work", schedule.DiskPaused)
	})
}

// An account of which only some messages fail keeps its times.
func TestPartialKeepsThePlan(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		r.Put(r.job("work", 10*time.Minute, func(context.Context, schedule.Turn) schedule.Outcome {
			return schedule.Outcome{Class: mail.ClassServer, Partial: true}
		}))
		time.Sleep(10 * time.Hour)
		r.mustHave("work", 61)
		r.mustBe("work", schedule.OK)
		if st := r.status("work"); st.Failures != 61 {
			t.Errorf("%d failures", st.Failures)
		}
	})
}

// News that comes while a pass runs brings one more, however often it comes.
func TestWakesCoalesce(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		r.Put(r.job("work", 24*time.Hour, nil))
		synctest.Wait()
		for range 100 {
			r.Wake("work")
		}
		time.Sleep(time.Minute)
		r.mustHave("work", 2)
		for range 100 {
			r.Wake("work")
		}
		time.Sleep(time.Minute)
		if n := len(r.of("work")); n > 4 {
			t.Errorf("%d passes", n)
		}
	})
}

func TestPause(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		r.Put(r.job("work", 10*time.Minute, nil))
		synctest.Wait()
		if err := r.Pause("work"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		r.Wake("work")
		if err := r.PullNow("work"); !errors.Is(err, schedule.ErrPaused) {
			t.Errorf("got %v", err)
		}
		r.mustHave("work", 1)
		r.mustBe("work", schedule.Paused)
		if !r.remembered("work").Paused {
			t.Error("the pause is not remembered")
		}
		if err := r.Resume("work"); err != nil {
			t.Error(err)
		}
		r.mustHave("work", 2)
		time.Sleep(time.Hour)
		r.mustHave("work", 8)
		if err := r.Pause("nobody"); !errors.Is(err, schedule.ErrUnknown) {
			t.Errorf("got %v", err)
		}
	})
}

// A changed account stops its pass and is pulled anew; the pause stays, refusals
// do not.
func TestReplace(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		r.Put(r.job("work", time.Hour, func(ctx context.Context, _ schedule.Turn) schedule.Outcome {
			return takes(24 * time.Hour)(ctx)
		}))
		time.Sleep(time.Minute)
		r.Put(r.job("work", time.Hour, fails(mail.ClassAuth)))
		r.mustHave("work", 2)
		time.Sleep(2 * time.Hour)
		r.mustBe("work", schedule.AuthPaused)
		r.Put(r.job("work", time.Hour, nil))
		time.Sleep(time.Minute)
		r.mustBe("work", schedule.OK)
		if m := r.remembered("work"); m.Refusals != 0 {
			t.Errorf("remembered %+v", m)
		}
	})
}

func TestRemove(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		stopped := false
		r.Put(r.job("work", time.Hour, func(ctx context.Context, _ schedule.Turn) schedule.Outcome {
			<-ctx.Done()
			time.Sleep(time.Second) // it commits
			stopped = true
			return schedule.Outcome{Interrupted: true}
		}))
		synctest.Wait()
		r.Remove("work")
		if !stopped {
			t.Error("Remove returned before the pass had ended")
		}
		r.Remove("work")
		time.Sleep(24 * time.Hour)
		r.mustHave("work", 1)
	})
}

// A drain stops what runs and waits for it.
func TestDrain(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		for i := range 8 {
			r.Put(r.job(fmt.Sprint(i), time.Hour, func(ctx context.Context, _ schedule.Turn) schedule.Outcome {
				return takes(time.Hour)(ctx)
			}))
		}
		time.Sleep(time.Second)
		r.Drain(context.Background())
		if most := r.atMost(); r.running != 0 || most != 4 {
			t.Errorf("%d passes run, %d ran at most", r.running, most)
		}
	})
}

// A machine that slept for days makes one pass over each account.
func TestSuspended(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{Passes: 8}, func(r *rig) {
		for i := range 20 {
			j := r.job(fmt.Sprint(i), time.Hour, nil)
			j.Last = r.now()
			r.Put(j)
		}
		r.setClock(72 * time.Hour)
		time.Sleep(2 * time.Minute)
		for i := range 20 {
			if n := len(r.of(fmt.Sprint(i))); n < 1 || n > 2 {
				t.Errorf("account %d had %d passes", i, n)
			}
		}
	})
}

// A clock that is set back postpones nothing beyond one time of the plan.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		r.Put(r.job("work", time.Hour, nil))
		time.Sleep(10 * time.Minute)
		r.setClock(-72 * time.Hour)
		time.Sleep(2 * time.Hour)
		if n := len(r.of("work")); n < 2 {
			t.Errorf("%d passes, want the next one within an hour", n)
		}
	})
}

// Late tells that the loop does not look at the clock any more.
func TestLate(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		time.Sleep(time.Hour)
		if late := r.Late(); late != 0 {
			t.Errorf("late by %s", late)
		}
	})
}
