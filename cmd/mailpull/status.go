package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"mailpull/pkg/checkpoint"
	"mailpull/pkg/config"
	"mailpull/pkg/display"
	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// accountAnswer is one account in the JSON answer of status.
type accountAnswer struct {
	Account      string          `json:"account"`
	Source       string          `json:"source"`
	State        string          `json:"state"` // ok, incomplete, failed, new, unreadable
	Mailboxes    []mailboxStatus `json:"mailboxes"`
	Messages     int             `json:"messages"`
	Quarantined  int             `json:"quarantined"`
	Excluded     int             `json:"excluded"` // older than since, when the mailbox was complete last
	Missing      int             `json:"missing"`
	MissingBytes int64           `json:"missing_bytes"` // about; 0 where nobody knows
	LastComplete *time.Time      `json:"last_complete_pass,omitempty"`
	LastPass     *time.Time      `json:"last_pass,omitempty"`
	LastError    string          `json:"last_error,omitempty"`
	ErrorClass   string          `json:"error_class,omitempty"`
	NextStep     string          `json:"next_step"`
}

type mailboxStatus struct {
	Name        string `json:"name"`
	Messages    int    `json:"messages"`
	Quarantined int    `json:"quarantined"`
	Excluded    int    `json:"excluded"`
	Complete    bool   `json:"complete"`
}

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status [ACCOUNT...]",
		Short: "Show what the checkpoints and a running daemon say, without asking any server",
		Long: `Show what the checkpoints say of each account: mailboxes, messages, the last
complete pass, the last error and what to do about it. Where a daemon runs, what
it does with each account, how far it is and when its next pass is stand beside
it. No server is asked, and nothing is changed.`,
		ValidArgsFunction: a.completeAccounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := a.loadFor(args)
			if err != nil {
				return err
			}
			return a.showStatus(cfg, args, daemonStatus(cmd.Context(), cfg), asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// showStatus prints the status of the accounts named, or of all. live is what a
// running daemon says, or nil.
func (a *app) showStatus(cfg *config.Config, names []string, live json.RawMessage, asJSON bool) error {
	wanted := make(map[string]bool)
	for _, name := range names {
		wanted[name] = true
	}
	var answers []accountAnswer
	unreadable := false
	for _, account := range cfg.Accounts {
		if len(names) > 0 && !wanted[account.Name] {
			continue
		}
		answer := statusOf(cfg, account)
		unreadable = unreadable || answer.State == "unreadable"
		answers = append(answers, answer)
	}
	var err error
	if asJSON {
		err = writeJSON(a.stdout, struct {
			SchemaVersion int             `json:"schema_version"`
			Accounts      []accountAnswer `json:"accounts"`
			Daemon        json.RawMessage `json:"daemon,omitempty"`
		}{schemaVersion, answers, live})
	} else {
		a.writeStatus(answers, liveAccounts(live))
	}
	if err == nil && unreadable {
		return &exitError{code: exitIO}
	}
	return err
}

// statusOf reads one account's checkpoint.
func statusOf(cfg *config.Config, account config.Account) accountAnswer {
	answer := accountAnswer{Account: account.Name, Source: string(account.Protocol), Mailboxes: []mailboxStatus{}}
	summary, err := readCheckpoint(filepath.Join(cfg.State, account.Name), account.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		answer.State = "new"
		answer.NextStep = "run: mailpull run " + account.Name
		return answer
	case err != nil:
		answer.State = "unreadable"
		answer.LastError, answer.ErrorClass = err.Error(), string(mail.ErrorClass(err))
		answer.NextStep = hintFor(err)
		return answer
	}
	for _, m := range summary.Mailboxes {
		answer.Mailboxes = append(answer.Mailboxes, mailboxStatus{string(m.Name), m.Seen, m.Quarantined, m.Excluded, m.Complete})
		answer.Messages += m.Seen
		answer.Quarantined += m.Quarantined
		answer.Excluded += m.Excluded
	}
	if summary.LastComplete != nil {
		answer.LastComplete = &summary.LastComplete.End
	}
	answer.State, answer.NextStep = "new", "run: mailpull run "+account.Name
	if answer.Messages > 0 {
		answer.State = "incomplete" // its first pass was cut off
	}
	if last := summary.LastPass; last != nil {
		answer.LastPass = &last.End
		answer.Missing, answer.MissingBytes = last.Missing, last.MissingBytes
		answer.judge(*last)
	}
	return answer
}

// judge tells the state from the last pass.
func (answer *accountAnswer) judge(last mail.Pass) {
	switch {
	case last.Complete:
		answer.State, answer.NextStep = "ok", "nothing to do"
		return
	case last.Missing > 0:
		answer.State = "incomplete"
	default:
		answer.State = "failed"
	}
	answer.LastError, answer.ErrorClass = last.Error, string(last.Class)
	answer.NextStep = last.Hint
	if answer.NextStep == "" {
		answer.NextStep = "run again: mailpull run " + answer.Account
	}
}

func readCheckpoint(path, account string) (*checkpoint.Summary, error) {
	dir, err := durable.OpenDir(path)
	if err != nil {
		return nil, err
	}
	defer dir.Close() // it was only read
	return checkpoint.Read(dir, account)
}

// liveAccount is what a daemon says of an account.
type liveAccount struct {
	Account string    `json:"account"`
	State   string    `json:"state"`
	NextRun time.Time `json:"next_run"`
	Running *struct {
		Planned     int     `json:"planned"`
		Done        int     `json:"done"`
		LeftBytes   int64   `json:"left_bytes"`
		LeftSeconds float64 `json:"left_seconds"`
	} `json:"running"`
}

// liveAccounts reads what a daemon says, by account; nil where none runs.
func liveAccounts(live json.RawMessage) map[string]liveAccount {
	var answer struct {
		Accounts []liveAccount `json:"accounts"`
	}
	if live == nil || json.Unmarshal(live, &answer) != nil {
		return nil
	}
	accounts := make(map[string]liveAccount, len(answer.Accounts))
	for _, one := range answer.Accounts {
		accounts[one.Account] = one
	}
	return accounts
}

// next says when a daemon pulls the account.
func (l liveAccount) next(now time.Time) string {
	switch d := l.NextRun.Sub(now); {
	case l.State == "running":
		return "now"
	case l.NextRun.IsZero():
		return "-"
	case d < time.Second:
		return "soon"
	default:
		return "in " + display.Roughly(d)
	}
}

// progress says how far the running pass has got; empty when none runs, or when
// it has found nothing to do yet.
func (l liveAccount) progress() string {
	p := l.Running
	if p == nil || p.Planned == 0 {
		return ""
	}
	text := fmt.Sprintf("%s/%s messages", display.Grouped(p.Done), display.Grouped(p.Planned))
	if left := display.Left(p.LeftBytes, time.Duration(p.LeftSeconds*float64(time.Second))); left != "" {
		text += ", " + left
	}
	return text
}

// writeStatus writes a table, and below it what needs attention.
func (a *app) writeStatus(answers []accountAnswer, live map[string]liveAccount) {
	now := time.Now()
	head := []string{"ACCOUNT", "SOURCE", "STATE", "MAILBOXES", "MESSAGES", "QUARANTINED", "EXCLUDED", "LAST COMPLETE PASS"}
	if live != nil {
		head = append(head, "DAEMON", "NEXT PASS")
	}
	t := newTable(a.stdout, head...)
	t.hideZeros = []string{"QUARANTINED", "EXCLUDED"}
	for _, s := range answers {
		complete := "never"
		if s.LastComplete != nil {
			complete = fmt.Sprintf("%s (%s)", s.LastComplete.Local().Format("2006-01-02 15:04"), ago(*s.LastComplete, now))
		}
		row := []string{s.Account, s.Source, s.State, display.Grouped(len(s.Mailboxes)), display.Grouped(s.Messages), display.Grouped(s.Quarantined), display.Grouped(s.Excluded), complete}
		if live != nil {
			l := live[s.Account]
			row = append(row, cmp.Or(l.State, "unknown"), l.next(now))
		}
		t.row(row...)
	}
	t.flush()
	for _, s := range answers {
		if text := live[s.Account].progress(); text != "" {
			fmt.Fprintf(a.stdout, "\n%s: running, %s\n", s.Account, text)
		}
		if s.State == "ok" {
			if s.Quarantined > 0 {
				fmt.Fprintf(a.stdout, "\n%s: some messages could not be had, see: mailpull quarantine list %s\n", s.Account, s.Account)
			}
			continue
		}
		fmt.Fprintln(a.stdout)
		if s.LastError != "" {
			fmt.Fprintf(a.stdout, "%s: %s\n", s.Account, s.LastError)
		}
		if s.Missing > 0 {
			fmt.Fprintf(a.stdout, "%s: %s messages are missing%s\n", s.Account, display.Grouped(s.Missing), inAll(s.MissingBytes))
		}
		for _, m := range s.Mailboxes {
			if !m.Complete {
				fmt.Fprintf(a.stdout, "%s: %s is not complete\n", s.Account, printable(m.Name))
			}
		}
		fmt.Fprintf(a.stdout, "%s: next: %s\n", s.Account, s.NextStep)
	}
}
