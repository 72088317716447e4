package faults

import (
	"fmt"
	"io"
	"math"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// l3RSSWindow is how long the memory of the steady worker must have been
	// watched until its slope is held to a bound: in a few minutes a page more
	// or less makes a slope of many megabytes in an hour.
	l3RSSWindow = 30 * time.Minute

	// l3RSSSlope is the bound, in bytes an hour.
	l3RSSSlope = 1 << 20
)

// l3Sample is what the steady worker held after a round.
type l3Sample struct {
	at              time.Duration // since the begin
	rss, fds, gorns float64
}

// l3Result is what the soak found, beside what l3Tally counts.
type l3Result struct {
	begin time.Time

	mu            sync.Mutex // guards what is below
	offered       int64      // messages that the servers had
	offeredBytes  int64
	archived      int64 // files in the archives at their end
	archivedBytes int64
	lost, doubled int
	other         int // breaches of other promises
	breaches      []string
	samples       []l3Sample
	peak          int64
}

func (r *l3Result) offer(n int, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offered += int64(n)
	r.offeredBytes += bytes
}

func (r *l3Result) archive(bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.archived++
	r.archivedBytes += bytes
}

func (r *l3Result) breach(text, promise string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.breaches = append(r.breaches, text)
	switch promise {
	case "P1":
		r.lost++
	case "P2":
		r.doubled++
	default:
		r.other++
	}
}

func (r *l3Result) sample(report l3Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.peak = max(r.peak, report.Peak)
	r.samples = append(r.samples, l3Sample{
		time.Since(r.begin), float64(report.RSS), float64(report.FDs), float64(report.Goroutines),
	})
}

// settled returns the samples behind the first quarter of the time, in which
// the steady worker meets everything for the first time.
func (r *l3Result) settled() (samples []l3Sample, window time.Duration) {
	if len(r.samples) == 0 {
		return nil, 0
	}
	last := r.samples[len(r.samples)-1].at
	for i, s := range r.samples {
		if s.at >= last/4 {
			return r.samples[i:], last - s.at
		}
	}
	return nil, 0
}

// l3Slope returns the slope of the least squares, in an hour.
func l3Slope(samples []l3Sample, value func(l3Sample) float64) float64 {
	var meanX, meanY, up, down float64
	for _, s := range samples {
		meanX += s.at.Hours() / float64(len(samples))
		meanY += value(s) / float64(len(samples))
	}
	for _, s := range samples {
		x := s.at.Hours() - meanX
		up += x * (value(s) - meanY)
		down += x * x
	}
	if down == 0 {
		return 0
	}
	return up / down
}

// slopes are those of the steady worker, in an hour.
func (r *l3Result) slopes() (rss, fds, goroutines float64, window time.Duration) {
	samples, window := r.settled()
	return l3Slope(samples, func(s l3Sample) float64 { return s.rss }),
		l3Slope(samples, func(s l3Sample) float64 { return s.fds }),
		l3Slope(samples, func(s l3Sample) float64 { return s.gorns }), window
}

// verdict names the criteria that the soak does not meet.
func (r *l3Result) verdict(endless int64) []string {
	failures := append([]string(nil), r.breaches...)
	if endless > 0 {
		failures = append(failures, fmt.Sprintf("P7: %d times a silent server was waited for longer than %s", endless, l3Endless))
	}
	rss, fds, goroutines, window := r.slopes()
	if window == 0 {
		failures = append(failures, "the steady worker was never measured")
	}
	if window >= l3RSSWindow && rss >= l3RSSSlope {
		failures = append(failures, fmt.Sprintf("memory grows by %.2f MiB in an hour", rss/(1<<20)))
	}
	// Descriptors and goroutines are counted at rest and must stay. What comes
	// to less than a half over the whole window is a sample that caught a
	// goroutine on its way out.
	for name, slope := range map[string]float64{"descriptors": fds, "goroutines": goroutines} {
		if math.Abs(slope*window.Hours()) >= 0.5 {
			failures = append(failures, fmt.Sprintf("the number of %s changes by %.2f in an hour", name, slope))
		}
	}
	return failures
}

// print writes the table for docs/reliability.md.
func (s *l3Soak) print(w io.Writer) {
	r, t := &s.result, &s.tally
	rss, fds, goroutines, window := r.slopes()
	took := time.Since(r.begin)
	full := fmt.Sprint(t.full.Load())
	if s.small.disk == nil {
		full = "SKIPPED: " + s.noDisk
	}
	judged := ""
	if window < l3RSSWindow {
		judged = fmt.Sprintf(" (not held to the bound: watched for %s, needs %s)", window.Round(time.Second), l3RSSWindow)
	}
	fmt.Fprintf(w, "\n| figure | value |\n|---|---|\n")
	for _, row := range [][2]string{
		{"date", r.begin.UTC().Format("2006-01-02 15:04 MST")},
		{"commit", l3Commit()},
		{"seed", fmt.Sprint(s.seed)},
		{"hours", fmt.Sprintf("%.2f", took.Hours())},
		{"accounts at a time, and retired", fmt.Sprintf("%d, %d", l3Accounts, t.retired.Load())},
		{"kill -9, and of them in the middle of a round", fmt.Sprintf("%d, %d", t.kills.Load(), t.midRound.Load())},
		{"rounds", fmt.Sprint(t.rounds.Load())},
		{"connections", fmt.Sprint(t.connections.Load())},
		{"connections cut", fmt.Sprint(t.cuts.Load())},
		{"stalls", fmt.Sprint(t.stalls.Load())},
		{"garbage", fmt.Sprint(t.garbage.Load())},
		{"times a server had a bad certificate", fmt.Sprint(t.certificates.Load())},
		{"sign-ins refused", fmt.Sprint(t.refused.Load())},
		{"ENOSPC windows", full},
		{"messages the servers had", fmt.Sprintf("%d (%d MiB)", r.offered, r.offeredBytes>>20)},
		{"removed there again", fmt.Sprint(t.removed.Load())},
		{"mailboxes renumbered", fmt.Sprint(t.renumbered.Load())},
		{"messages in the archives", fmt.Sprintf("%d (%d MiB)", r.archived, r.archivedBytes>>20)},
		{"times the oracle judged an account", fmt.Sprint(t.judged.Load())},
		{"lost", fmt.Sprint(r.lost)},
		{"doubled", fmt.Sprint(r.doubled)},
		{"other breaches", fmt.Sprint(r.other)},
		{"memory slope", fmt.Sprintf("%+.2f MiB/h%s", rss/(1<<20), judged)},
		{"memory at rest, and peak", r.memory()},
		{"descriptor slope", fmt.Sprintf("%+.2f/h", fds)},
		{"goroutine slope", fmt.Sprintf("%+.2f/h", goroutines)},
		{"processors used, servers and oracle included", fmt.Sprintf("%.2f", l3CPU().Seconds()/took.Seconds())},
	} {
		fmt.Fprintf(w, "| %s | %s |\n", row[0], row[1])
	}
	fmt.Fprintln(w)
}

// memory tells what the steady worker had last and at most.
func (r *l3Result) memory() string {
	if len(r.samples) == 0 {
		return "never measured"
	}
	return fmt.Sprintf("%.1f MiB, %.1f MiB", r.samples[len(r.samples)-1].rss/(1<<20), float64(r.peak)/(1<<20))
}

// progress is the line of each minute.
func (s *l3Soak) progress() string {
	r, t := &s.result, &s.tally
	r.mu.Lock()
	defer r.mu.Unlock()
	var last l3Sample
	if n := len(r.samples); n > 0 {
		last = r.samples[n-1]
	}
	return fmt.Sprintf("%s  kills %d  rounds %d  messages %d (%d MiB)  cuts %d  stalls %d  garbage %d  full %d  judged %d  lost %d  doubled %d  rss %.1f MiB  fds %.0f  goroutines %.0f  cpu %.2f",
		time.Since(r.begin).Round(time.Second), t.kills.Load(), t.rounds.Load(), r.offered, r.offeredBytes>>20,
		t.cuts.Load(), t.stalls.Load(), t.garbage.Load(), t.full.Load(), t.judged.Load(), r.lost, r.doubled,
		last.rss/(1<<20), last.fds, last.gorns, l3CPU().Seconds()/time.Since(r.begin).Seconds())
}

// l3CPU returns what this process and the workers that have ended used.
func l3CPU() time.Duration {
	var total time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var usage syscall.Rusage
		if syscall.Getrusage(who, &usage) == nil { // it fails for no valid who
			total += time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
		}
	}
	return total
}

// l3Commit names the commit that is tested.
func l3Commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--exclude=*", "--abbrev=12").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
