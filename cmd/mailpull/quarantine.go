package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mailpull/pkg/checkpoint"
	"mailpull/pkg/config"
	"mailpull/pkg/display"
	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// minKey is how much of a key a person must type. By chance, two of ten
// thousand keys begin alike in so many letters once in twenty thousand times.
const minKey = 8

// quarantineAnswer is one message in the JSON answer of quarantine list.
type quarantineAnswer struct {
	Account    string     `json:"account"`
	Mailbox    string     `json:"mailbox"`
	Validity   uint32     `json:"uidvalidity,omitempty"`
	UID        uint32     `json:"uid,omitempty"`
	UIDL       string     `json:"uidl,omitempty"`
	Key        string     `json:"key"`
	Tries      int        `json:"tries"`
	First      time.Time  `json:"first_failure"`
	Last       time.Time  `json:"last_failure"`
	Next       *time.Time `json:"next_try,omitempty"` // none when it is ignored
	Ignored    bool       `json:"ignored"`
	ErrorClass string     `json:"error_class"`
	Reason     string     `json:"reason"`
}

func (a *app) quarantineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quarantine",
		Short: "List the messages that could not be had, have them tried again or ignored",
		Long: `List the messages that could not be had, have them tried again or ignored.

A message that fails goes into quarantine: runs leave it alone for an hour,
after each further failure for longer, and at last for a week. It leaves
quarantine when it arrives or when the server does not list it any more.`,
	}
	cmd.AddCommand(a.quarantineList(), a.quarantineRetry(), a.quarantineIgnore())
	return cmd
}

func (a *app) quarantineList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "list [ACCOUNT...]",
		Short:             "List the messages in quarantine, without asking any server",
		ValidArgsFunction: a.completeAccounts,
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := a.loadFor(args)
			if err != nil {
				return err
			}
			return a.listQuarantine(cfg, args, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) quarantineRetry() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "retry ACCOUNT [KEY...]",
		Short: "Have the next run ask for messages again, also for ignored ones",
		Long: `Have the next run ask for messages again, also for ignored ones. KEY is the
message's key as quarantine list shows it, or its first 8 letters or more.`,
		ValidArgsFunction: a.completeAccount,
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return usage("quarantine retry needs an account")
			case all && len(args) > 1:
				return usage("--all and keys do not go together")
			case !all && len(args) == 1:
				return usage("quarantine retry needs a key or --all; see: mailpull quarantine list %s", args[0])
			}
			return a.changeQuarantine(args[0], args[1:], func(q *mail.Quarantined) {
				q.Ignored, q.Next = false, time.Now()
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all messages of the account")
	return cmd
}

func (a *app) quarantineIgnore() *cobra.Command {
	return &cobra.Command{
		Use:   "ignore ACCOUNT KEY...",
		Short: "Never ask for messages again",
		Long: `Never ask for messages again, until quarantine retry names them. KEY is the
message's key as quarantine list shows it, or its first 8 letters or more.`,
		ValidArgsFunction: a.completeAccount,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usage("quarantine ignore needs an account and a key; see: mailpull quarantine list")
			}
			return a.changeQuarantine(args[0], args[1:], func(q *mail.Quarantined) { q.Ignored = true })
		},
	}
}

// listQuarantine prints what is in quarantine of the accounts named, or of all.
// An account whose checkpoint cannot be read does not hide the others.
func (a *app) listQuarantine(cfg *config.Config, names []string, asJSON bool) error {
	answers := []quarantineAnswer{}
	var codes []int
	for _, account := range cfg.Accounts {
		if len(names) > 0 && !slices.Contains(names, account.Name) {
			continue
		}
		entries, err := readQuarantine(cfg, account.Name)
		if err != nil {
			a.explain(account.Name, err)
			codes = append(codes, codeOf(err))
		}
		for _, q := range entries {
			answers = append(answers, answerForQuarantined(account.Name, q))
		}
	}
	var err error
	if asJSON {
		err = writeJSON(a.stdout, struct {
			SchemaVersion int                `json:"schema_version"`
			Messages      []quarantineAnswer `json:"messages"`
		}{schemaVersion, answers})
	} else {
		a.writeQuarantine(answers)
	}
	if code := worst(codes); err == nil && code != exitOK {
		return &exitError{code: code}
	}
	return err
}

// readQuarantine reads what is in quarantine of an account; nothing is when
// there is no checkpoint yet.
func readQuarantine(cfg *config.Config, account string) ([]mail.Quarantined, error) {
	summary, err := readCheckpoint(filepath.Join(cfg.State, account), account)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return summary.Quarantined, nil
}

func answerForQuarantined(account string, q mail.Quarantined) quarantineAnswer {
	answer := quarantineAnswer{
		Account: account, Mailbox: string(q.Ref.Mailbox), Validity: uint32(q.Ref.Validity),
		UID: uint32(q.Ref.UID), UIDL: string(q.Ref.UIDL), Key: mail.NewKey(account, q.Ref).String(),
		Tries: q.Tries, First: q.First, Last: q.Last, Ignored: q.Ignored,
		ErrorClass: string(q.Class), Reason: q.Reason,
	}
	if !q.Ignored {
		answer.Next = &q.Next
	}
	return answer
}

func (a *app) writeQuarantine(answers []quarantineAnswer) {
	now := time.Now()
	t := newTable(a.stdout, "ACCOUNT", "MAILBOX", "UID/UIDL", "KEY", "TRIES", "NEXT", "REASON")
	for _, m := range answers {
		place := printable(m.UIDL)
		if m.UID != 0 {
			place = fmt.Sprint(m.UID)
		}
		t.row(m.Account, printable(m.Mailbox), place, m.Key, display.Grouped(m.Tries), m.next(now), printable(m.Reason))
	}
	t.flush()
}

// next says when the message is asked for again.
func (m quarantineAnswer) next(now time.Time) string {
	switch {
	case m.Next == nil:
		return "never"
	case mail.Quarantined{Next: *m.Next}.Due(now):
		return "next run"
	}
	return m.Next.Local().Format("2006-01-02 15:04")
}

// changeQuarantine changes those messages of an account in quarantine whose
// keys are named, or all, under the account's lock.
func (a *app) changeQuarantine(account string, keys []string, change func(*mail.Quarantined)) error {
	cfg, err := a.loadFor([]string{account})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(cfg.Accounts, func(c config.Account) bool { return c.Name == account })
	if err := a.changeLocked(cfg, cfg.Accounts[i], keys, change); err != nil {
		if exit, ok := errors.AsType[*exitError](err); ok {
			return exit
		}
		return &exitError{code: codeOf(err), err: err}
	}
	return nil
}

func (a *app) changeLocked(cfg *config.Config, account config.Account, keys []string, change func(*mail.Quarantined)) error {
	path := filepath.Join(cfg.State, account.Name)
	lock, err := durable.TakeLock(filepath.Join(path, "lock"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return noneOf(account.Name, keys)
	case errors.Is(err, durable.ErrLocked):
		return &exitError{code: exitTemporary, err: &mail.Error{
			Op: "quarantine", Scope: mail.ScopeAccount, Class: mail.ClassLocal, Err: err,
			Hint: "a run has the account in hand; try again when it is done",
		}}
	case err != nil:
		return &mail.Error{Op: "lock", Scope: mail.ScopeAccount, Class: mail.ClassDisk, Err: err, Hint: durable.Hint(err)}
	}
	defer func() { _ = lock.Release() }() // the process's end releases it too

	entries, err := readQuarantine(cfg, account.Name)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return noneOf(account.Name, keys)
	}
	if entries, err = pick(account.Name, entries, keys); err != nil {
		return err
	}
	for i := range entries {
		change(&entries[i])
	}
	return a.writeEntries(path, account, entries)
}

// writeEntries records the entries of an account, whose lock the caller holds.
func (a *app) writeEntries(path string, account config.Account, entries []mail.Quarantined) error {
	log, err := a.logger(a.stderr)
	if err != nil {
		return err
	}
	dir, err := durable.OpenDir(path)
	if err != nil {
		return &mail.Error{Op: "state", Scope: mail.ScopeAccount, Class: mail.ClassDisk, Err: err, Hint: durable.Hint(err)}
	}
	defer dir.Close() // what had to be durable is flushed by then
	file, err := checkpoint.Open(checkpoint.Options{
		Dir: dir, Account: account.Name, Source: string(account.Protocol), Log: log.With("account", account.Name),
	})
	if err != nil {
		return err
	}
	defer file.Close() // as above
	if err := file.Quarantine(entries); err != nil {
		return err
	}
	return file.Commit(nil)
}

// noneOf is for an account with nothing in quarantine: to have all of it tried
// again is done, but a key that was named is not there.
func noneOf(account string, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	return usage("nothing of %s is in quarantine", account)
}

// pick returns the entries whose keys begin as named, or all when none is.
func pick(account string, entries []mail.Quarantined, prefixes []string) ([]mail.Quarantined, error) {
	if len(prefixes) == 0 {
		return entries, nil
	}
	var picked []mail.Quarantined
	for _, prefix := range prefixes {
		if len(prefix) < minKey {
			return nil, usage("key %q is too short; write its first %d letters or more", prefix, minKey)
		}
		var found []mail.Quarantined
		for _, q := range entries {
			if strings.HasPrefix(mail.NewKey(account, q.Ref).String(), prefix) {
				found = append(found, q)
			}
		}
		switch len(found) {
		case 0:
			return nil, usage("no message of %s in quarantine has a key that begins with %q; see: mailpull quarantine list %s", account, prefix, account)
		case 1:
			picked = append(picked, found[0])
		default:
			return nil, usage("%d messages of %s have a key that begins with %q; write more of it", len(found), account, prefix)
		}
	}
	return picked, nil
}
