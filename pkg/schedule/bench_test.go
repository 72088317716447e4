package schedule_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"mailpull/pkg/schedule"
)

// BenchmarkRest prints what an account at rest costs, of a thousand.
func BenchmarkRest(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		s := schedule.New(schedule.Options{})
		for i := range 1000 {
			s.Put(schedule.Job{
				Account: fmt.Sprint(i), Plan: schedule.Plan{Account: fmt.Sprint(i), Every: time.Hour}, Last: time.Now(),
				Pass: func(context.Context, schedule.Turn) schedule.Outcome { return schedule.Outcome{} },
			})
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1000, "bytes/account")
		s.Drain(context.Background())
	}
}

// BenchmarkLongestOfCron is what a reload pays for each account with cron.
func BenchmarkLongestOfCron(b *testing.B) {
	p := schedule.Plan{Cron: "*/10 7-22 * * *", Location: time.UTC}
	for b.Loop() {
		p.Longest(time.Unix(1_800_000_000, 0))
	}
}
