package schedule_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/schedule"
)

// A new password that meets a broken network was not refused: it is tried when
// the network is back, and not at the next probe.
func TestChangedSecretWithoutNetwork(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		var class, secret atomic.Value
		class.Store(mail.ClassAuth)
		secret.Store("old")
		j := r.job("work", 5*time.Minute, func(context.Context, schedule.Turn) schedule.Outcome {
			return schedule.Outcome{Class: class.Load().(mail.Class)}
		})
		j.Fingerprint = func(string) string { return secret.Load().(string) }
		r.Put(j)
		time.Sleep(time.Hour)
		r.mustBe("work", schedule.AuthPaused)
		secret.Store("new")
		class.Store(mail.ClassConnect)
		time.Sleep(2 * time.Hour)
		if n := len(r.of("work")); n < 5 || n > 26 {
			t.Errorf("%d passes, want the network asked again with a backoff", n)
		}
		class.Store(mail.Class(""))
		time.Sleep(time.Hour)
		r.mustBe("work", schedule.OK)
	})
}

// A probe that does not reach the server is made again soon: it was none.
func TestProbeWithoutNetwork(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		var class atomic.Value
		class.Store(mail.ClassConnect)
		j := r.job("work", 5*time.Minute, func(context.Context, schedule.Turn) schedule.Outcome {
			return schedule.Outcome{Class: class.Load().(mail.Class)}
		})
		j.Memory = schedule.Memory{Failures: 2, Refusals: 2, Class: mail.ClassAuth, Fingerprint: "same", NextProbe: r.now().Add(time.Minute)}
		r.Put(j)
		time.Sleep(3 * time.Hour)
		class.Store(mail.Class(""))
		time.Sleep(time.Hour)
		r.mustBe("work", schedule.OK)
	})
}

// What the configuration has wrong is looked at when the plan says so.
func TestConfigurationErrorsKeepThePlan(t *testing.T) {
	t.Parallel()
	bubble(t, schedule.Options{}, func(r *rig) {
		r.Put(r.job("work", 6*time.Hour, fails(mail.ClassConfig)))
		time.Sleep(24 * time.Hour)
		r.mustHave("work", 5)
		r.mustBe("work", schedule.Backoff)
	})
}
