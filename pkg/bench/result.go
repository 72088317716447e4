package bench

import (
	"slices"
	"time"
)

// Run is one finished process.
type Run struct {
	Took      time.Duration // from its start to its end
	Peak      int64         // the most memory it had, in bytes
	CPU       time.Duration // what it computed, in user and in kernel mode
	Everybody time.Duration // what the whole machine computed meanwhile, the server and the kernel among it
	Trips     Trips         // what its proxy counted; zero without one

	// Over says that it was ended at the limit of time, Took, and Got how many
	// messages it had by then.
	Over bool
	Got  int
}

// Row is what one program did with a task.
type Row struct {
	Who  string // as the table calls it
	Runs []Run  // those that count; never empty
	Note string // what a reader must know beside the figures
}

// Took returns the median, the least and the most time of the runs.
func (r Row) Took() (median, least, most time.Duration) {
	byTime := slices.SortedFunc(slices.Values(r.Runs), func(a, b Run) int { return int(a.Took - b.Took) })
	return byTime[len(byTime)/2].Took, byTime[0].Took, byTime[len(byTime)-1].Took
}

// Median returns the median of the times in seconds.
func (r Row) Median() float64 {
	median, _, _ := r.Took()
	return median.Seconds()
}

// Peak returns the most memory that any of the runs had, in bytes.
func (r Row) Peak() int64 {
	return slices.MaxFunc(r.Runs, func(a, b Run) int { return int(a.Peak - b.Peak) }).Peak
}

// Longest returns the most round trips that a connection of any run waited
// for, one behind the other; 0 without a proxy.
func (r Row) Longest() int64 {
	return slices.MaxFunc(r.Runs, func(a, b Run) int { return int(a.Trips.Longest - b.Trips.Longest) }).Trips.Longest
}

// Over reports whether the program was ended at its limit of time.
func (r Row) Over() bool { return slices.ContainsFunc(r.Runs, func(run Run) bool { return run.Over }) }

// Target is a figure that shall be reached.
type Target struct {
	What  string  // such as "mailpull ÷ mbsync"
	Value float64 // what was measured
	Limit float64 // the most it may be, or the least
	Unit  string  // such as " s"; empty for a ratio

	// Least says that Limit is the least the value may be.
	Least bool
}

// Met reports whether the figure is reached.
func (t Target) Met() bool { return t.Share() <= 1 }

// Share returns how much of what is allowed was used: at most 1 when the
// figure is reached.
func (t Target) Share() float64 {
	if t.Least {
		return t.Limit / t.Value
	}
	return t.Value / t.Limit
}

// Scenario is one task, what the programs did with it, and what shall be
// reached.
type Scenario struct {
	ID      string // a letter, as ONLY names it
	Name    string // as benchstat sees it
	Title   string
	Task    string // sentences
	Rows    []Row
	Targets []Target
}

// Row returns the row of a program, and whether there is one.
func (s Scenario) Row(who string) (Row, bool) {
	i := slices.IndexFunc(s.Rows, func(r Row) bool { return r.Who == who })
	if i < 0 {
		return Row{}, false
	}
	return s.Rows[i], true
}

// Report is all that one run of the benchmark found.
type Report struct {
	Machine   []string // lines on where and when
	Scenarios []Scenario
}
