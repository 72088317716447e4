package schedule_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/schedule"
)

// A thousand accounts for a year: both changes of the clock, errors, refused
// sign-ins, backlogs, news. Nobody starves, nobody tramples, nothing is left.
//
// It runs beside no other test, because it counts goroutines.
func TestYear(t *testing.T) {
	if testing.Short() {
		t.Skip("the year takes seconds; make test makes it")
	}
	berlin, newYork := zone(t, "Europe/Berlin"), zone(t, "America/New_York")
	accounts := 1000
	if raceDetector {
		accounts = 100 // it takes a minute otherwise
	}
	started := time.Now()
	total := 0
	bubble(t, schedule.Options{Passes: 8, PerHost: 4}, func(r *rig) {
		begin := runtime.NumGoroutine()
		count := newCounter(accounts)
		for i := range accounts {
			r.Put(yearJob(r, count, i, berlin, newYork))
		}
		for day := range 365 {
			time.Sleep(24 * time.Hour)
			r.Wake(fmt.Sprint(day % accounts))
			if n := runtime.NumGoroutine(); n > begin+20 {
				t.Fatalf("%d goroutines on day %d, %d at the start", n, day, begin)
			}
		}
		synctest.Wait()
		total = count.mustBeFair(t)
		for _, st := range r.Status() {
			if st.Left > 0 {
				t.Errorf("%s has %d messages left", st.Account, st.Left)
			}
		}
	})
	t.Logf("%d passes of %d accounts in a year, in %s", total, accounts, time.Since(started).Round(time.Millisecond))
}

// yearJob is one of a thousand accounts, each of its kind.
func yearJob(r *rig, c *counter, i int, berlin, newYork *time.Location) schedule.Job {
	name := fmt.Sprint(i)
	j := r.job(name, time.Duration(8+i%5)*time.Hour, nil)
	j.Plan.Jitter = 0.1
	j.Host, j.Connections = fmt.Sprint("host", i%250), 1+i%2
	longest := j.Plan.Longest(r.now())
	switch i % 10 {
	case 0:
		j.Plan = schedule.Plan{Account: name, Cron: "30 2,14 * * *", Location: berlin}
		longest = 13 * time.Hour
	case 1:
		j.Plan = schedule.Plan{Account: name, Cron: "30 1,2 * * 0", Location: newYork}
		longest = 7*24*time.Hour + time.Hour
	}
	left := 0
	if i%100 == 7 {
		left = 50
	}
	j.Pass = func(ctx context.Context, turn schedule.Turn) schedule.Outcome {
		n := c.enter(i, longest, r.now())
		defer c.leave()
		time.Sleep(time.Duration(1+i%30) * time.Second)
		switch {
		case i%50 == 3 && n%20 < 3:
			return schedule.Outcome{Class: mail.ClassConnect}
		case i%50 == 4 && n%40 == 0:
			return schedule.Outcome{Class: mail.ClassAuth}
		case left > 0 && !turn.Backlog:
			return schedule.Outcome{Left: left}
		case turn.Backlog:
			for ; left > 0 && !turn.Yield(); left-- {
				time.Sleep(10 * time.Second)
			}
			return schedule.Outcome{Left: left}
		}
		return schedule.Outcome{}
	}
	j.Remember = nil
	return j
}

// counter judges the passes of a year without keeping them.
type counter struct {
	lock    chan struct{} // a mutex that a bubble may wait for
	last    []time.Time
	n       []int
	running int
	most    int
	minute  time.Time
	inIt    int
	busiest int
	late    []string
}

func newCounter(accounts int) *counter {
	return &counter{lock: make(chan struct{}, 1), last: make([]time.Time, accounts), n: make([]int, accounts)}
}

// enter notes that a pass begins, and returns how many the account had.
func (c *counter) enter(i int, longest time.Duration, now time.Time) int {
	c.lock <- struct{}{}
	defer func() { <-c.lock }()
	c.running++
	c.most = max(c.most, c.running)
	if last := c.last[i]; !last.IsZero() && now.Sub(last) > longest+15*time.Minute {
		c.late = append(c.late, fmt.Sprintf("account %d had no pass for %s until %s", i, now.Sub(last), now))
	}
	c.last[i] = now
	c.n[i]++
	if m := now.Truncate(time.Minute); m != c.minute {
		c.minute, c.inIt = m, 0
	}
	c.inIt++
	c.busiest = max(c.busiest, c.inIt)
	return c.n[i]
}

func (c *counter) leave() {
	c.lock <- struct{}{}
	defer func() { <-c.lock }()
	c.running--
}

// mustBeFair returns how many passes there were.
func (c *counter) mustBeFair(t *testing.T) (total int) {
	t.Helper()
	for i, line := range c.late {
		if i < 10 {
			t.Error(line)
		}
	}
	if c.most > 8 {
		t.Errorf("%d passes ran at once", c.most)
	}
	if c.busiest > 200 {
		t.Errorf("%d passes began in one minute", c.busiest)
	}
	for i, n := range c.n {
		least := 365 * 24 / 14
		switch i % 10 {
		case 0:
			least = 2 * 364
		case 1:
			least = 2 * 51
		}
		if n < least {
			t.Errorf("account %d had %d passes, want %d at least", i, n, least)
		}
		total += n
	}
	return total
}
