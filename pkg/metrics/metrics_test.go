package metrics_test

import (
	"flag"
	"fmt"
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

var (
	build = metrics.Build{Version: "1.2.3", Revision: "abc", GoVersion: "go1"}
	start = time.Unix(1_700_000_000, 500_000_000)
	work  = metrics.Account{Name: "work", Protocol: "imap", Host: "imap.gmail.com", Interval: 15 * time.Minute}
	isp   = metrics.Account{Name: "isp", Protocol: "pop3", Host: "pop.isp.example", Interval: time.Hour}
)

// run is a run in which everything happened.
func run() metrics.Run {
	return metrics.Run{
		Result: metrics.Partial, Class: mail.ClassProtocol, Panicked: true, Start: start, End: start.Add(7 * time.Second),
		Messages: 3, Bytes: 4096, Vanished: 4, Quarantined: 5, Renumbered: 6,
	}
}

func records() metrics.State {
	return metrics.State{
		LastSuccess: start.Add(-time.Hour), LastAttempt: start, Server: 11, Pending: 2, Archived: 9, Quarantined: 1,
		Checkpoint: start.Add(time.Minute), Mailboxes: 2,
	}
}

// The whole exposition of two accounts, one that ran and one that never did.
func TestExposition(t *testing.T) {
	t.Parallel()
	m := metrics.New(build, []metrics.Account{work, isp})
	m.Restore("work", records())
	m.Count("work", run())
	golden(t, "testdata/exposition.txt", exposition(t, m))
	lint(t, m)
}

// The same of a daemon, without what Go and the kernel say of the process.
func TestDaemonExposition(t *testing.T) {
	t.Parallel()
	m := lived()
	var ours strings.Builder
	for line := range strings.Lines(exposition(t, m)) {
		if strings.Contains(line, "mailpull_") && !strings.Contains(line, "checkpoint_timestamp_seconds{account=\"work\"}") {
			ours.WriteString(line)
		}
	}
	golden(t, "testdata/daemon.txt", ours.String())
	lint(t, m)
}

// lived returns the metrics of a daemon in which everything happened.
func lived() *metrics.Metrics {
	m := metrics.NewDaemon(build)
	m.Reloaded(true, start.Add(-time.Hour), "before")
	m.Reloaded(true, start, "c0ffee")
	m.Reloaded(false, start.Add(time.Hour), "bad")
	m.Disk("archive", 1<<40, 1<<20)
	m.Disk("state", 1<<30, -1)
	m.Add(isp)
	m.Add(work)
	m.SetState("isp", metrics.StateAuthPaused)
	m.Restore("work", records())
	m.ArchiveBytes("work", 100_000)
	m.SetState("work", metrics.StateRunning)
	m.Began("work", start)
	m.Planned("work", 5)
	m.Received("work", 5000)
	m.Delivered("work", 3)
	m.Archived("work", 4096)
	m.Count("work", run())
	m.Planned("work", 7)
	m.Began("work", start) // a run that another goes on with
	m.Delivered("work", 1) // found again, and never planned
	m.Planned("work", 4)
	m.SetState("work", metrics.StateBackoff)
	m.Next("work", start.Add(15*time.Minute))
	m.Connections("work", 3)
	m.Idle("work", 1)
	m.CertificateExpiry("work", start.Add(90*24*time.Hour))
	m.HookFailed("work")
	return m
}

// Whatever happens, no series comes that was not there from the start, and
// none stays of an account that is gone.
func TestSeriesFollowFromTheConfiguration(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]*metrics.Metrics{
		"run":    metrics.New(build, nil),
		"daemon": metrics.NewDaemon(build),
	} {
		empty := lines(t, m, "account=")
		m.Add(work)
		before := lines(t, m, "account=")
		happen(m, "work")
		happen(m, "unknown")
		if after := lines(t, m, "account="); empty != 0 || after != before {
			t.Errorf("%s: got %d series after everything happened, want %d", name, after, before)
		}
		m.Remove("work")
		happen(m, "work")
		if after := lines(t, m, "account="); after != 0 {
			t.Errorf("%s: got %d series of an account that was removed, want none", name, after)
		}
	}
}

// happen lets everything happen to an account, and words that no list has.
func happen(m *metrics.Metrics, account string) {
	for _, class := range append(mail.Classes(), "evil\"}", "") {
		for _, result := range []metrics.Result{metrics.OK, metrics.Partial, metrics.Failed, metrics.Cancelled, "evil"} {
			r := run()
			r.Class, r.Result = class, result
			m.Count(account, r)
		}
	}
	for _, state := range append(metrics.AccountStates(), "evil") {
		m.SetState(account, state)
	}
	m.Restore(account, records())
	m.Began(account, start)
	m.Planned(account, 1)
	m.Received(account, 1)
	m.Delivered(account, 1)
	m.Next(account, start)
	m.Connections(account, 1)
	m.Idle(account, 1)
	m.CertificateExpiry(account, start)
	m.ArchiveBytes(account, 1)
	m.Archived(account, 1)
	m.HookFailed(account)
}

// A reload that changes an account keeps what was counted.
func TestAddAgainKeepsTheNumbers(t *testing.T) {
	t.Parallel()
	m := metrics.NewDaemon(build)
	m.Add(work)
	m.Delivered("work", 3)
	changed := work
	changed.Host, changed.Interval = "outlook.office365.com", time.Hour
	m.Add(changed)
	mustHave(t, exposition(t, m),
		`mailpull_messages_fetched_total{account="work"} 3`,
		`mailpull_account_info{account="work",protocol="imap",provider="microsoft"} 1`,
		`mailpull_schedule_interval_seconds{account="work"} 3600`,
	)
}

// An account is in one state, and the failures in a row end with a complete
// run only.
func TestStateAndFailures(t *testing.T) {
	t.Parallel()
	m := metrics.NewDaemon(build)
	m.Add(work)
	for _, state := range metrics.AccountStates() {
		m.SetState("work", state)
		if n := strings.Count(exposition(t, m), "mailpull_account_state{account=\"work\",state="); n != len(metrics.AccountStates()) {
			t.Errorf("got %d series, want one for each state", n)
		}
		mustHave(t, exposition(t, m), fmt.Sprintf(`mailpull_account_state{account="work",state=%q} 1`, state))
		if n := lines(t, m, "mailpull_account_state{", "} 1\n"); n != 1 {
			t.Errorf("%s: got %d states, want 1", state, n)
		}
	}
	for i, result := range []metrics.Result{metrics.Failed, metrics.Cancelled, metrics.Partial, metrics.OK} {
		m.Count("work", metrics.Run{Result: result})
		mustHave(t, exposition(t, m), fmt.Sprintf(`mailpull_consecutive_failures{account="work"} %d`, []int{1, 1, 2, 0}[i]))
	}
}

func TestProvider(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"imap.gmail.com": "gmail", "IMAP.GMail.com.": "gmail", "outlook.office365.com": "microsoft",
		"imap.mail.yahoo.com": "yahoo", "imap.mail.me.com": "icloud", "imap.fastmail.com": "fastmail", "imap.gmx.net": "gmx",
		"notgmail.com": "other", "gmail.com.evil.example": "other", "127.0.0.1": "other", "": "other",
	} {
		if got := metrics.Provider(host); got != want {
			t.Errorf("%s: got %s, want %s", host, got, want)
		}
	}
}

// Each run is in the next scrape, also when one before had no news.
func TestDurationsAreReadAnew(t *testing.T) {
	t.Parallel()
	m := metrics.NewDaemon(build)
	m.Add(work)
	for n := range 3 {
		for range 2 {
			mustHave(t, exposition(t, m), fmt.Sprintf(`mailpull_run_duration_seconds_count{account="work"} %d`, n))
		}
		m.Count("work", run())
	}
}

// Counting, scraping and reloading may go on at once.
func TestTogether(t *testing.T) {
	t.Parallel()
	m := metrics.NewDaemon(build)
	m.Add(work)
	m.Add(isp)
	done := make(chan struct{})
	go func() { // the test waits for it
		defer close(done)
		for range 200 {
			m.Add(work)
			m.Remove("isp")
			m.Add(isp)
		}
	}()
	for range 100 {
		m.Received("work", 1)
		happen(m, "isp")
		exposition(t, m)
	}
	<-done
	if n := lines(t, m, `mailpull_bytes_fetched_total{account="work"} 100`); n != 1 {
		t.Error("a number was lost")
	}
}

func exposition(t testing.TB, g prometheus.Gatherer) string {
	t.Helper()
	var text strings.Builder
	if err := metrics.Write(&text, g); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// lines counts the lines of the exposition that have all parts.
func lines(t *testing.T, g prometheus.Gatherer, parts ...string) (n int) {
	t.Helper()
	for line := range strings.Lines(exposition(t, g)) {
		has := true
		for _, part := range parts {
			has = has && strings.Contains(line, part)
		}
		if has {
			n++
		}
	}
	return n
}

func mustHave(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, line := range want {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("there is no line %s in\n%s", line, text)
		}
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("got\n%s\nwant\n%s%v", got, want, err)
	}
}

// lint lets client_golang look for bad names, and for what a registry would
// refuse: a series twice, labels out of order, a value of another type.
func lint(t *testing.T, g prometheus.Gatherer) {
	t.Helper()
	if problems, err := testutil.GatherAndLint(g); err != nil || len(problems) > 0 {
		t.Errorf("got %v, %v, want none", problems, err)
	}
	if _, err := (prometheus.Gatherers{g}).Gather(); err != nil {
		t.Error(err)
	}
}
