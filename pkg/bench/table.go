package bench

import (
	"fmt"
	"strings"
	"time"

	"mailpull/pkg/display"
)

// Ours is mailpull in the tables: the others are compared with it.
const Ours = "mailpull"

// Markdown returns the report as it stands in docs/benchmarks.md.
func (r Report) Markdown() string {
	var b strings.Builder
	for _, line := range r.Machine {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	b.WriteString("\n| | what | target | measured | met |\n|---|---|---|---|---|\n")
	for _, s := range r.Scenarios {
		for _, t := range s.Targets {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", s.ID, t.What, t.wanted(), t.figure(t.Value), yesNo(t.Met()))
		}
	}
	for _, s := range r.Scenarios {
		s.markdown(&b)
	}
	return b.String()
}

func (s Scenario) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s. %s\n\n%s\n\n", s.ID, s.Title, s.Task)
	b.WriteString("| | median | least to most | mailpull ÷ it | peak memory | round trips |\n|---|--:|--:|--:|--:|--:|\n")
	ours, compared := s.Row(Ours)
	var notes []string
	for _, row := range s.Rows {
		ratio := ""
		if compared && row.Who != Ours {
			ratio = ratioTo(ours, row)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", row.Who, row.time(), row.spread(), ratio, row.memory(), row.trips())
		if row.Note != "" {
			notes = append(notes, fmt.Sprintf("- %s: %s\n", row.Who, row.Note))
		}
	}
	if len(notes) > 0 {
		b.WriteString("\n" + strings.Join(notes, ""))
	}
}

func ratioTo(ours, other Row) string {
	ratio := fmt.Sprintf("%.3g", ours.Median()/other.Median())
	if other.Over() {
		return "< " + ratio
	}
	return ratio
}

func (r Row) time() string {
	median, _, _ := r.Took()
	if r.Over() {
		return fmt.Sprintf("> %s, for %s messages", short(median), display.Grouped(r.Runs[0].Got))
	}
	return short(median)
}

func (r Row) spread() string {
	if len(r.Runs) == 1 {
		return "one run"
	}
	_, least, most := r.Took()
	return short(least) + " to " + short(most)
}

// memory is empty for a limit, which is no process of its own.
func (r Row) memory() string {
	if r.Peak() == 0 {
		return ""
	}
	return display.Size(r.Peak())
}

// trips says what the longest connection waited for, and what all of them did
// where there were several.
func (r Row) trips() string {
	last := r.Runs[len(r.Runs)-1].Trips
	switch {
	case last.Connections == 0:
		return ""
	case last.Connections == 1:
		return fmt.Sprint(r.Longest())
	}
	return fmt.Sprintf("%d (%d connections, %d in all)", r.Longest(), last.Connections, last.Sum)
}

// short rounds to three figures.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond))
}

func (t Target) wanted() string {
	if t.Least {
		return "≥ " + t.figure(t.Limit)
	}
	return "≤ " + t.figure(t.Limit)
}

func (t Target) figure(v float64) string { return fmt.Sprintf("%.3g%s", v, t.Unit) }

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "**no**"
}

// Benchstat returns a line for each run, as testing.B would write it.
func (r Report) Benchstat() string {
	var b strings.Builder
	for _, s := range r.Scenarios {
		for _, row := range s.Rows {
			name := strings.NewReplacer(" ", "_", ",", "", "=", "_").Replace(row.Who)
			for _, run := range row.Runs {
				if run.Over {
					continue // a limit is no figure
				}
				fmt.Fprintf(&b, "Benchmark%s/peer=%s 1 %d ns/op", s.Name, name, run.Took.Nanoseconds())
				if run.Peak > 0 {
					fmt.Fprintf(&b, " %d peak-B %d cpu-ns", run.Peak, run.CPU.Nanoseconds())
				}
				if run.Trips.Connections > 0 {
					fmt.Fprintf(&b, " %d round-trips", run.Trips.Longest)
				}
				b.WriteByte('\n')
			}
		}
	}
	return b.String()
}

// The marks between which docs/benchmarks.md is generated.
const (
	beginMark = "<!-- make bench-peers wrote what follows -->\n"
	endMark   = "<!-- make bench-peers wrote what stands above -->\n"
)

// Between replaces what stands between the marks of a document.
func Between(document, generated string) (string, error) {
	before, rest, found := strings.Cut(document, beginMark)
	_, after, closed := strings.Cut(rest, endMark)
	if !found || !closed {
		return "", fmt.Errorf("the document has no place for the figures: %q and %q", beginMark, endMark)
	}
	return before + beginMark + "\n" + generated + "\n" + endMark + after, nil
}
