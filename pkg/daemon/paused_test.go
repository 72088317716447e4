package daemon

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/config"
	"mailpull/pkg/control"
	"mailpull/pkg/pull"
	"mailpull/pkg/schedule"
)

// waited is a daemon with one slot for passes, with an account that somebody waits
// for and another one. Their passes end as the test says.
type waited struct {
	*Daemon
	t           *testing.T
	work, other chan Outcome
	answer      chan control.Report
}

// wait runs a test in a bubble; both accounts are due at its beginning, the other
// one first.
func wait(t *testing.T, window schedule.Window, test func(w *waited)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &waited{
			Daemon: newDaemon(ServiceOptions{Config: &config.Config{}}), t: t,
			work: make(chan Outcome), other: make(chan Outcome), answer: make(chan control.Report, 1),
		}
		w.timetable = schedule.New(schedule.Options{Passes: 1})
		defer w.timetable.Drain(context.Background()) // also when the test ends early
		w.put("other", schedule.Window{}, w.other)
		w.put("work", window, w.work)
		test(w)
	})
}

func (w *waited) put(name string, window schedule.Window, ends <-chan Outcome) {
	a := &account{account: config.Account{Name: name}, log: w.log, waiters: &waiters{}}
	w.accounts[name] = a
	w.timetable.Put(schedule.Job{
		Account: name, Host: name, Plan: schedule.Plan{Account: name, Every: 400 * 24 * time.Hour}, Window: window, Ended: a.ended,
		Pass: func(ctx context.Context, _ schedule.Turn) schedule.Outcome {
			a.waiters.begin()
			out := Outcome{Account: name, Err: pull.Interrupted()}
			select {
			case out = <-ends:
			case <-ctx.Done():
			}
			a.waiters.end(out)
			return scheduled(out)
		},
	})
	time.Sleep(time.Second) // the start is spread a little
}

// pull has somebody ask for a pass, and wait.
func (w *waited) pull() {
	go func() { // it ends with the answer
		reports, err := commands{w.Daemon}.Pull(w.t.Context(), []string{"work"}, true)
		if err != nil || len(reports) != 1 {
			w.t.Errorf("%d reports, %v", len(reports), err)
			return
		}
		w.answer <- reports[0]
	}()
	synctest.Wait()
}

func (w *waited) pause() {
	w.t.Helper()
	if err := (commands{w.Daemon}).Pause(w.t.Context(), []string{"work"}); err != nil {
		w.t.Error(err)
	}
}

// otherEnds lets the other account's pass end, and the next one begin.
func (w *waited) otherEnds() {
	w.other <- Outcome{Account: "other"}
	synctest.Wait()
}

// workEnds lets the account's turn for news end with five messages and a backlog.
func (w *waited) workEnds() {
	out := Outcome{Account: "work", Err: pull.Unfinished()}
	out.Result.New, out.Result.Left = 5, 100
	w.work <- out
	synctest.Wait()
}

// mustWait checks that there is no answer yet.
func (w *waited) mustWait() {
	w.t.Helper()
	synctest.Wait()
	if len(w.answer) > 0 {
		w.t.Errorf("answered too early: %+v", <-w.answer)
	}
}

// mustHear checks the answer.
func (w *waited) mustHear(state control.State, brought int) {
	w.t.Helper()
	synctest.Wait()
	select {
	case r := <-w.answer:
		if r.Account != "work" || r.State != state || r.New != brought || r.Error != "" {
			w.t.Errorf("got %+v, want it %s with %d new messages", r, state, brought)
		}
	default:
		w.t.Error("no answer")
	}
}

// A pause answers who waits for a pass that has not begun.
func TestPauseAnswersWhoWaits(t *testing.T) {
	t.Parallel()
	wait(t, schedule.Window{}, func(w *waited) {
		w.pull()
		w.mustWait()
		w.pause()
		w.mustHear(control.StatePaused, 0)
	})
}

// Who waits while a backlog waits for its turn hears what the news brought.
func TestPauseBeforeTheBacklog(t *testing.T) {
	t.Parallel()
	wait(t, schedule.Window{}, func(w *waited) {
		w.pull()
		w.otherEnds()
		w.timetable.Wake("other") // it comes before the backlog
		w.workEnds()
		w.mustWait()
		w.pause()
		w.mustHear(control.StatePartial, 5)
	})
}

// A pass that runs goes on, and then nothing is waited for: neither its backlog
// nor the pass behind it.
func TestPauseDuringAPass(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		early bool // asked before the pass began
		state control.State
		new   int
	}{
		"this pass": {true, control.StatePartial, 5},
		"the next":  {false, control.StatePaused, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wait(t, schedule.Window{}, func(w *waited) {
				if tc.early {
					w.pull()
				}
				w.otherEnds()
				if !tc.early {
					w.pull()
				}
				w.pause()
				w.mustWait()
				w.workEnds()
				w.mustHear(tc.state, tc.new)
			})
		})
	}
}

// Who waits for a backlog is answered when its window closes, and not in the next
// night.
func TestWindowClosesWhileSomebodyWaits(t *testing.T) {
	t.Parallel()
	wait(t, schedule.Window{To: 30 * time.Minute, Location: time.UTC}, func(w *waited) { // it is midnight
		w.pull()
		w.otherEnds()
		w.timetable.Wake("other") // it comes before the backlog
		w.workEnds()
		time.Sleep(29 * time.Minute)
		w.mustWait()
		time.Sleep(2 * time.Minute)
		w.mustHear(control.StatePartial, 5)
	})
}
