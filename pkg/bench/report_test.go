package bench

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// sample is a report with one of everything.
func sample() Report {
	far := func(ms int, trips int64) Run {
		return Run{Took: time.Duration(ms) * time.Millisecond, Peak: 20e6, CPU: time.Millisecond, Trips: Trips{Connections: 1, Longest: trips, Sum: trips}}
	}
	return Report{
		Machine: []string{"a machine"},
		Scenarios: []Scenario{{
			ID: "c", Name: "NoNews", Title: "No news", Task: "100 mailboxes.",
			Rows: []Row{
				{Who: Ours, Runs: []Run{far(420, 7), far(400, 8), far(900, 7)}},
				{Who: "mbsync", Runs: []Run{far(10_000, 207)}, Note: "flushes each file"},
				{Who: "getmail", Runs: []Run{{Took: time.Minute, Peak: 1e6, Over: true, Got: 1234}}},
				{Who: "drained, here", Runs: []Run{{Took: 21 * time.Millisecond}}},
			},
			Targets: []Target{
				{What: "mailpull ÷ mbsync", Value: 0.042, Limit: 0.05},
				{What: "memory <&>", Value: 40, Limit: 33.6, Unit: " MB"},
				{What: "processors", Value: 1.5, Limit: 1.2, Least: true},
			},
		}},
	}
}

// The table has medians, spreads, ratios, limits and what was missed.
func TestMarkdown(t *testing.T) {
	t.Parallel()
	got := sample().Markdown()
	for _, want := range []string{
		"- a machine\n",
		"| c | mailpull ÷ mbsync | ≤ 0.05 | 0.042 | yes |\n",
		"| c | memory <&> | ≤ 33.6 MB | 40 MB | **no** |\n",
		"| c | processors | ≥ 1.2 | 1.5 | yes |\n",
		"### c. No news\n\n100 mailboxes.\n",
		"| mailpull | 420 ms | 400 ms to 900 ms |  | 20.0 MB | 8 |\n",
		"| mbsync | 10.0 s | one run | 0.042 | 20.0 MB | 207 |\n",
		"| getmail | > 60.0 s, for 1,234 messages | one run | < 0.007 | 1.00 MB |  |\n",
		"| drained, here | 21 ms | one run | 20 |  |  |\n",
		"- mbsync: flushes each file\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}

// A run that was ended at its limit is no figure for benchstat.
func TestBenchstat(t *testing.T) {
	t.Parallel()
	const want = `BenchmarkNoNews/peer=mailpull 1 420000000 ns/op 20000000 peak-B 1000000 cpu-ns 7 round-trips
BenchmarkNoNews/peer=mailpull 1 400000000 ns/op 20000000 peak-B 1000000 cpu-ns 8 round-trips
BenchmarkNoNews/peer=mailpull 1 900000000 ns/op 20000000 peak-B 1000000 cpu-ns 7 round-trips
BenchmarkNoNews/peer=mbsync 1 10000000000 ns/op 20000000 peak-B 1000000 cpu-ns 207 round-trips
BenchmarkNoNews/peer=drained_here 1 21000000 ns/op
`
	if got := sample().Benchstat(); got != want {
		t.Errorf("got\n%s", got)
	}
}

// The plot is XML, each target has a bar, and one that missed is marked.
func TestPlot(t *testing.T) {
	t.Parallel()
	plot := sample().Plot()
	bars := map[string]int{}
	for in := xml.NewDecoder(strings.NewReader(plot)); ; {
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, plot)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			bars[e.Attr[0].Value]++
		}
	}
	if bars["met"] != 2 || bars["not"] != 1 {
		t.Errorf("%v", bars)
	}
}

// Only what stands between the marks is replaced, and a document without them
// is refused.
func TestBetween(t *testing.T) {
	t.Parallel()
	document := "before\n" + beginMark + "old\n" + endMark + "after\n"
	got, err := Between(document, "new\n")
	if err != nil || got != "before\n"+beginMark+"\nnew\n\n"+endMark+"after\n" {
		t.Errorf("%q, %v", got, err)
	}
	if again, err := Between(got, "new\n"); err != nil || again != got {
		t.Errorf("%q, %v", again, err)
	}
	for _, bad := range []string{"", beginMark, endMark + beginMark} {
		if got, err := Between(bad, "new\n"); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
}
