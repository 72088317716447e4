package metrics_test

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"mailpull/pkg/mail"
	"mailpull/pkg/metrics"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The whole exposition of two accounts, one that ran and one that never did.
func TestExposition(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	m := metrics.New(reg, metrics.Build{Version: "1.2.3", Revision: "abc", GoVersion: "go1"}, []metrics.Account{{"work", "imap"}, {"isp", "pop3"}})
	start := time.Unix(1_700_000_000, 500_000_000)
	m.Restore("work", metrics.State{
		LastSuccess: start.Add(-time.Hour), LastAttempt: start, Server: 11, Pending: 2, Archived: 9, Quarantined: 1,
	})
	m.Count("work", metrics.Run{
		Result: metrics.Partial, Class: mail.ClassProtocol, Panicked: true, Start: start, End: start.Add(7 * time.Second),
		Messages: 3, Bytes: 4096, Vanished: 4, Quarantined: 5, Renumbered: 6,
	})

	var got strings.Builder
	if err := metrics.Write(&got, reg); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/exposition.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || got.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s%v", got.String(), want, err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("got %v, %v, want none", problems, err)
	}
}

// Whatever a run counts, no series comes that was not there from the start.
func TestSeriesAreThereFromTheStart(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	m := metrics.New(reg, metrics.Build{}, []metrics.Account{{"work", "imap"}})
	before := series(t, reg)
	for _, class := range mail.Classes() {
		for _, result := range []metrics.Result{metrics.OK, metrics.Partial, metrics.Failed, metrics.Cancelled} {
			m.Count("work", metrics.Run{Result: result, Class: class, Panicked: true, End: time.Unix(1, 0), Vanished: 1, Quarantined: 1})
		}
	}
	m.Restore("work", metrics.State{Server: 1})
	if after := series(t, reg); before != 31 || after != before {
		t.Errorf("got %d series, want 31, with and without runs; %d before", after, before)
	}
}

func series(t *testing.T, reg *prometheus.Registry) int {
	t.Helper()
	n, err := testutil.GatherAndCount(reg)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
