package daemon_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailpull/pkg/config"
	"mailpull/pkg/daemon"
	"mailpull/pkg/mail"
	"mailpull/pkg/metrics"
	"mailpull/pkg/pull"
)

// The file has the run, and later what its records say, also when another
// account is the one that runs.
func TestWriteMetrics(t *testing.T) {
	t.Parallel()
	a := account(t, config.IMAP, withOneLarge())
	a.MaxMessageSize = 10_000
	never := config.Account{Name: "never", Protocol: config.POP3}
	c := &config.Config{Archive: filepath.Join(t.TempDir(), "a"), State: filepath.Join(t.TempDir(), "s")}
	outcome := runOnce(t, c, a)
	c.Accounts = []config.Account{a, never}

	mustHave(t, written(t, c, outcome),
		`mailpull_runs_total{account="suite",result="partial"} 1`,
		`mailpull_errors_total{account="suite",class="protocol"} 1`,
		`mailpull_messages_fetched_total{account="suite"} 20`,
		`mailpull_pending_messages{account="suite"} 1`,
		`mailpull_archive_messages{account="suite"} 20`,
		`mailpull_checkpoint_entries{account="suite"} 1`,
		`mailpull_last_success_timestamp_seconds{account="suite"} 0`,
		`mailpull_run_duration_seconds_count{account="suite"} 1`,
		`mailpull_account_info{account="never",protocol="pop3",provider="other"} 1`,
		`mailpull_archive_messages{account="never"} 0`,
	)
	// The message is in quarantine now, and a run soon after leaves it alone.
	outcome = runOnce(t, c, a)
	c.Accounts = []config.Account{a, never}
	mustHave(t, written(t, c, outcome),
		`mailpull_runs_total{account="suite",result="ok"} 1`,
		`mailpull_messages_skipped_total{account="suite",reason="quarantined"} 1`,
		`mailpull_quarantined_messages{account="suite"} 1`,
		`mailpull_pending_messages{account="suite"} 0`,
	)
	retry(t, c, a)
	a.MaxMessageSize = 0
	outcome = runOnce(t, c, a)
	c.Accounts = []config.Account{a, never}
	mustHave(t, written(t, c, outcome), `mailpull_runs_total{account="suite",result="ok"} 1`)
	later := written(t, c)
	mustHave(t, later,
		`mailpull_runs_total{account="suite",result="ok"} 0`,
		`mailpull_archive_messages{account="suite"} 21`,
		`mailpull_server_messages{account="suite"} 21`,
		`mailpull_quarantined_messages{account="suite"} 0`,
		`mailpull_pending_messages{account="suite"} 0`,
	)
	if strings.Contains(later, `mailpull_last_success_timestamp_seconds{account="suite"} 0`+"\n") {
		t.Error("the last success was not restored from the records")
	}
}

// A server that names its mailboxes as it likes makes no series and no label.
func TestHostileNamesMakeNoSeries(t *testing.T) {
	t.Parallel()
	c := &config.Config{State: t.TempDir(), Accounts: []config.Account{{Name: "work", Protocol: config.IMAP}}}
	before := strings.Count(written(t, c), "\n")
	var result pull.Result
	for i := range 10_000 {
		name := mail.MailboxName(fmt.Sprintf("evil%d\"}\nmailpull_evil 1\x00\xff", i))
		result.Mailboxes = append(result.Mailboxes, mail.MailboxResult{Mailbox: name, Gone: 1})
	}
	err := &mail.Error{Op: "evil", Mailbox: "evil", Scope: mail.ScopeMailbox, Class: mail.ClassServer, Err: os.ErrInvalid}
	text := written(t, c, daemon.Outcome{Account: "work", Result: result, Err: err})
	if after := strings.Count(text, "\n"); after != before || strings.Contains(text, "evil") {
		t.Errorf("got %d lines, want %d, and none from the server", after, before)
	}
	mustHave(t, text, `mailpull_messages_skipped_total{account="work",reason="vanished"} 10000`)
}

// A bug that costs the account its run is counted, whichever way it is told.
func TestPanicsAreCounted(t *testing.T) {
	t.Parallel()
	c := &config.Config{State: t.TempDir(), Accounts: []config.Account{{Name: "work", Protocol: config.IMAP}}}
	for _, out := range []daemon.Outcome{
		{Account: "work", Result: pull.Result{Panicked: true}},
		{Account: "work", Err: fmt.Errorf("work: %w", pull.ErrPanic)},
	} {
		mustHave(t, written(t, c, out), `mailpull_panics_total{account="work"} 1`)
	}
	mustHave(t, written(t, c, daemon.Outcome{Account: "work"}), `mailpull_panics_total{account="work"} 0`)
}

func written(t *testing.T, c *config.Config, outcomes ...daemon.Outcome) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mailpull.prom")
	if err := daemon.WriteMetrics(path, c, metrics.Build{Version: "1"}, outcomes); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func mustHave(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("there is no line %s in\n%s", line, text)
		}
	}
}
