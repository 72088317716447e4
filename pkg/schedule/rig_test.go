package schedule_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"mailpull/pkg/mail"
	"mailpull/pkg/schedule"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a timetable in a bubble of its own time, with accounts whose passes
// are written down.
type rig struct {
	*schedule.Scheduler
	t       *testing.T
	forward time.Duration // what the wall clock is ahead of the bubble's

	mu      sync.Mutex
	passes  map[string][]pass
	memory  map[string]schedule.Memory
	running int
	most    int
}

// pass is one pass that was made.
type pass struct {
	at   time.Time
	turn schedule.Turn
}

// bubble runs a test in a bubble, with a timetable that is drained at its end.
func bubble(t *testing.T, o schedule.Options, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, passes: make(map[string][]pass), memory: make(map[string]schedule.Memory)}
		random := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		chance := func() float64 {
			mu.Lock()
			defer mu.Unlock()
			return random.Float64()
		}
		r.Scheduler = schedule.NewWithClock(o, r.now, chance)
		defer r.Drain(context.Background()) // also when the test ends early
		test(r)
	})
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Add(r.forward)
}

func (r *rig) setClock(forward time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forward = forward
}

// job returns a job whose passes take a second and end as do says.
func (r *rig) job(name string, every time.Duration, do func(ctx context.Context, turn schedule.Turn) schedule.Outcome) schedule.Job {
	return schedule.Job{
		Account: name, Host: name, Plan: schedule.Plan{Account: name, Every: every},
		Remember: func(m schedule.Memory) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.memory[name] = m
		},
		Fingerprint: func(string) string { return "same" },
		Pass: func(ctx context.Context, turn schedule.Turn) schedule.Outcome {
			r.enter(name, turn)
			defer r.leave()
			if do == nil {
				return quick(ctx, turn)
			}
			return do(ctx, turn)
		},
	}
}

func (r *rig) enter(name string, turn schedule.Turn) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.passes[name] = append(r.passes[name], pass{now, turn})
	r.running++
	r.most = max(r.most, r.running)
}

func (r *rig) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running--
}

// atMost returns how many passes ran at once.
func (r *rig) atMost() int {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.most
}

// remembered returns what was kept of an account last.
func (r *rig) remembered(name string) schedule.Memory {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.memory[name]
}

// of returns when an account's passes began.
func (r *rig) of(name string) []pass {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]pass(nil), r.passes[name]...)
}

// mustHave checks how many passes an account had until now.
func (r *rig) mustHave(name string, n int) {
	r.t.Helper()
	synctest.Wait()
	if got := len(r.of(name)); got != n {
		r.t.Errorf("%s had %d passes, want %d", name, got, n)
	}
}

func (r *rig) status(name string) schedule.Status {
	synctest.Wait()
	for _, st := range r.Status() {
		if st.Account == name {
			return st
		}
	}
	return schedule.Status{}
}

func (r *rig) mustBe(name string, want schedule.State) {
	r.t.Helper()
	if got := r.status(name).State; got != want {
		r.t.Errorf("%s is %s, want %s", name, got, want)
	}
}

func quick(ctx context.Context, _ schedule.Turn) schedule.Outcome { return takes(time.Second)(ctx) }

// takes returns a pass that takes so long, or until it is stopped.
func takes(d time.Duration) func(context.Context) schedule.Outcome {
	return func(ctx context.Context) schedule.Outcome {
		select {
		case <-time.After(d):
			return schedule.Outcome{}
		case <-ctx.Done():
			return schedule.Outcome{Interrupted: true}
		}
	}
}

// fails returns a pass that always ends with an error of a class.
func fails(class mail.Class) func(context.Context, schedule.Turn) schedule.Outcome {
	return func(context.Context, schedule.Turn) schedule.Outcome { return schedule.Outcome{Class: class} }
}
