package schedule_test

import (
	"fmt"
	"testing"
	"time"
	_ "time/tzdata" // the test must not depend on the machine's

	"mailpull/pkg/schedule"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	location, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

// Each account has its own place in the hour, the same at each start.
func TestOffsets(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var thirds [3]int
	for i := range 3000 {
		p := schedule.Plan{Account: fmt.Sprint("account", i), Every: time.Hour}
		next := p.Next(start, nil)
		if again := p.Next(start.Add(time.Millisecond), nil); !again.Equal(next) && next.Sub(start) > time.Millisecond {
			t.Fatalf("%s and %s", next, again)
		}
		if d := next.Sub(start); d <= 0 || d > time.Hour {
			t.Fatalf("due after %s", d)
		}
		thirds[min(2, next.Sub(start)/(20*time.Minute))]++
	}
	for _, n := range thirds {
		if n < 900 || n > 1100 {
			t.Errorf("the accounts are not spread: %v", thirds)
		}
	}
}

// Jitter makes a pass later, never by more than its part, and never two of one
// time.
func TestJitter(t *testing.T) {
	t.Parallel()
	p := schedule.Plan{Account: "work", Every: time.Hour, Jitter: 0.5}
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	early := p.Next(start, func() float64 { return 0 })
	late := p.Next(start, func() float64 { return 0.999 })
	if d := late.Sub(early); d < 29*time.Minute || d > 30*time.Minute {
		t.Errorf("jitter is %s", d)
	}
	if again := p.Next(late, func() float64 { return 0 }); again.Sub(late) < 29*time.Minute {
		t.Errorf("the next pass is due %s after a late one", again.Sub(late))
	}
	if got := p.Longest(start); got != 90*time.Minute {
		t.Errorf("longest is %s", got)
	}
}

// The nights on which the clocks are changed, in zones of both sides.
func TestCronInClockChanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone, cron, from string
		want             []string
	}{
		// 2:00 to 3:00 is left out: what was due then comes at the change, once.
		{"Europe/Berlin", "30 2 * * *", "2026-03-28T12:00:00+01:00", []string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"}},
		{"America/New_York", "30 2 * * *", "2026-03-07T12:00:00-05:00", []string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"}},
		{"Europe/Berlin", "0 * * * *", "2026-03-29T00:30:00+01:00", []string{"2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"}},
		// 2:00 to 3:00 comes twice: what is due then comes the first time.
		{"Europe/Berlin", "30 2 * * *", "2026-10-24T12:00:00+02:00", []string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
		{"America/New_York", "30 1 * * *", "2026-10-31T12:00:00-04:00", []string{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"}},
		{"Europe/Berlin", "*/30 * * * *", "2026-10-25T01:45:00+02:00", []string{"2026-10-25T02:00:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-25T03:00:00+01:00"}},
		{"Europe/Berlin", "* * * * *", "2026-10-25T02:10:30+01:00", []string{"2026-10-25T03:00:00+01:00"}},
		// No change at all.
		{"Asia/Kolkata", "*/10 7-22 * * *", "2026-05-01T22:45:00+05:30", []string{"2026-05-01T22:50:00+05:30", "2026-05-02T07:00:00+05:30"}},
		{"Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00:00+10:30", []string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}},
	} {
		p := schedule.Plan{Cron: c.cron, Location: zone(t, c.zone)}
		at, err := time.Parse(time.RFC3339, c.from)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			at = p.Next(at, nil)
			if got := at.In(p.Location).Format(time.RFC3339); got != want {
				t.Errorf("%s %q: got %s, want %s", c.zone, c.cron, got, want)
			}
		}
	}
}

// A night and a weekend without passes are found, however many passes there
// are in an hour.
func TestLongestOfCron(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]time.Duration{
		"* * * * *":             time.Minute,
		"5,55 * * * *":          50 * time.Minute,
		"0 * * * *":             time.Hour,
		"*/10 7-22 * * *":       8*time.Hour + 10*time.Minute,
		"* 7-22 * * *":          8*time.Hour + time.Minute,
		"*/5 7-22 * * 1-5":      56*time.Hour + 5*time.Minute,
		"*/15 8-11,14-17 * * *": 14*time.Hour + 15*time.Minute,
		"30 2 * * *":            24 * time.Hour,
		"0 3 * * 0":             7 * 24 * time.Hour,
		"0 0 1 * *":             30 * 24 * time.Hour,
	} {
		p := schedule.Plan{Cron: expr, Location: time.UTC}
		for _, hour := range []int{3, 12, 23} {
			if got := p.Longest(time.Date(2026, 5, 12, hour, 3, 0, 0, time.UTC)); got != want {
				t.Errorf("%q at %d: got %s, want %s", expr, hour, got, want)
			}
		}
	}
}

// What never comes is far away, and no loop without end.
func TestCronThatNeverComes(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 5, 1, 12, 3, 0, 0, time.UTC)
	for _, expr := range []string{"0 0 30 2 *", "nonsense", ""} {
		p := schedule.Plan{Cron: expr, Every: time.Hour, Location: time.UTC}
		if next := p.Next(start, nil); !next.After(start) {
			t.Errorf("%q: due at %s", expr, next)
		}
	}
}

func FuzzPlanNext(f *testing.F) {
	f.Add("*/10 7-22 * * *", int64(1_800_000_000), 0)
	f.Add("30 2 * * *", int64(1_774_742_400), 1)
	f.Add("@daily", int64(0), 2)
	f.Fuzz(func(t *testing.T, expr string, unix int64, where int) {
		zones := []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"}
		p := schedule.Plan{Cron: expr, Location: zone(t, zones[uint(where)%uint(len(zones))]), Every: time.Hour}
		at := time.Unix(unix%(1<<32), 0)
		for range 5 {
			next := p.Next(at, nil)
			if !next.After(at) {
				t.Fatalf("%q: %s is not after %s", expr, next, at)
			}
			at = next
		}
		if d := p.Longest(at); d <= 0 {
			t.Fatalf("%q: the longest time is %s", expr, d)
		}
	})
}
