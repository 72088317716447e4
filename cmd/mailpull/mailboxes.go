package main

import (
	"strings"

	"github.com/spf13/cobra"

	"mailpull/pkg/config"
	"mailpull/pkg/daemon"
	"mailpull/pkg/display"
	"mailpull/pkg/mail"
)

// mailboxAnswer is one mailbox in the JSON answer. A nil number is one that
// the server did not tell.
type mailboxAnswer struct {
	Name       string   `json:"name"`
	Wire       string   `json:"wire_name"`
	SpecialUse []string `json:"special_use,omitempty"`
	Messages   *int     `json:"messages,omitempty"`
	Size       *int64   `json:"size_bytes,omitempty"`
	Selected   bool     `json:"selected"`
	Reason     string   `json:"reason"`
}

func (a *app) mailboxesCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "mailboxes ACCOUNT",
		Short:             "List an account's mailboxes on the server, and which are pulled",
		Args:              cobra.MatchAll(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeAccount,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := a.loadFor(args)
			if err != nil {
				return err
			}
			for _, account := range cfg.Accounts {
				if account.Name == args[0] {
					return a.listMailboxes(cmd, account, asJSON)
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// listMailboxes asks the server and prints its answer.
func (a *app) listMailboxes(cmd *cobra.Command, account config.Account, asJSON bool) error {
	log, err := a.logger(a.stderr)
	if err != nil {
		return err
	}
	session, err := daemon.NewSource(account, log.With("account", account.Name)).Open(cmd.Context())
	if err != nil {
		return &exitError{code: codeOf(err), err: err}
	}
	defer session.Abort()
	boxes, err := session.Mailboxes(cmd.Context())
	if err != nil {
		return &exitError{code: codeOf(err), err: err}
	}
	if err := session.Close(cmd.Context()); err != nil {
		log.Debug("session did not end politely", "err", err)
	}

	answers := make([]mailboxAnswer, len(boxes))
	for i, box := range boxes {
		answers[i] = answerFor(account, box)
	}
	if asJSON {
		return writeJSON(a.stdout, struct {
			SchemaVersion int             `json:"schema_version"`
			Account       string          `json:"account"`
			Mailboxes     []mailboxAnswer `json:"mailboxes"`
		}{schemaVersion, account.Name, answers})
	}
	t := newTable(a.stdout, "MAILBOX", "USE", "MESSAGES", "SIZE", "PULLED", "WHY")
	for _, m := range answers {
		t.row(printable(m.Name), strings.Join(m.SpecialUse, " "), optional(m.Messages, display.Grouped), optional(m.Size, display.Size), yesNo(m.Selected), m.Reason)
	}
	t.flush()
	return nil
}

func answerFor(account config.Account, box mail.Mailbox) mailboxAnswer {
	m := mailboxAnswer{Name: string(box.Name), Wire: box.Wire, SpecialUse: box.Use}
	if box.Status != nil {
		m.Messages = &box.Status.Messages
		if box.Status.Size >= 0 {
			m.Size = &box.Status.Size
		}
	}
	m.Selected, m.Reason = account.Mailboxes.Select(box)
	return m
}

// optional writes a number that may be unknown.
func optional[T any](n *T, write func(T) string) string {
	if n == nil {
		return "-"
	}
	return write(*n)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
