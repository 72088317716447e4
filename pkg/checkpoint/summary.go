package checkpoint

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// Summary is what a checkpoint tells a person.
type Summary struct {
	Account string
	Source  string

	// Mailboxes are sorted by name.
	Mailboxes []MailboxSummary

	// Quarantined are the messages in quarantine, in the order of their refs.
	Quarantined []mail.Quarantined

	// LastPass is the last pass, LastComplete the last one that was complete,
	// LastFailed the last one with an error, whose class, text and hint it
	// holds. Nil means that there was none; all three can be the same pass.
	LastPass     *mail.Pass
	LastComplete *mail.Pass
	LastFailed   *mail.Pass
}

// MailboxSummary is what a checkpoint tells of one mailbox.
type MailboxSummary struct {
	Name     mail.MailboxName
	Validity mail.UIDValidity

	// Seen is how many messages are recorded as delivered.
	Seen int

	// Complete is set when nothing was missing after the last delivery.
	// Server is how many messages the server listed when nothing was missing
	// last; -1 when that never was.
	Complete bool
	Server   int

	// Excluded is how many messages of the server were left out then.
	Excluded int

	// Quarantined is how many messages are in quarantine.
	Quarantined int
}

// Read reads an account's checkpoint without changing anything and without
// the account's lock, also while a pass is writing it: a group that is not
// finished is left out. fs.ErrNotExist says that there is no checkpoint yet;
// other errors are those of Open.
func Read(dir durable.Dir, account string) (*Summary, error) {
	s, head, err := readState(dir)
	if err == nil {
		err = header{account, head.source}.check(head)
	}
	if err != nil {
		return nil, failure(account, filepath.Join(dir.Path(), fileName), err)
	}
	return s.summary(head), nil
}

// View reads an account's checkpoint in the folder at path, for whoever wants to
// know what is new. It changes nothing, needs no lock, and may be called while a
// pass writes the file; where there is no file nothing is known. Every method of
// the File that would write returns an error, and it need not be closed. The
// errors are those of Open.
func View(path, account, source string) (*File, error) {
	f := &File{head: header{account, source}, state: newState()}
	f.err = failure(account, filepath.Join(path, fileName), errView)
	dir, err := durable.OpenDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, failure(account, filepath.Join(path, fileName), err)
	}
	defer dir.Close() // it was only read
	s, head, err := readState(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		err = f.head.check(head)
		if err != nil && f.head.mayReplace(head, s) {
			return f, nil // as Open makes it anew
		}
	}
	if err != nil {
		return nil, failure(account, filepath.Join(path, fileName), err)
	}
	f.state = s
	return f, nil
}

func readState(dir durable.Dir) (*state, header, error) {
	file, err := dir.Open(fileName)
	if err != nil {
		return nil, header{}, err
	}
	defer file.Close() // it was only read
	size, err := file.Size()
	if err != nil {
		return nil, header{}, err
	}
	s, found, err := load(file, size)
	return s, found.header, err
}

func (s *state) summary(head header) *Summary {
	out := &Summary{Account: head.account, Source: head.source}
	for _, b := range s.boxes {
		m := MailboxSummary{Name: b.name, Validity: b.validity, Seen: b.seenCount(), Complete: b.complete, Server: -1, Quarantined: len(b.held)}
		if b.completed {
			m.Server, m.Excluded = b.listed, b.excluded.Messages
		}
		out.Mailboxes = append(out.Mailboxes, m)
		out.Quarantined = append(out.Quarantined, b.quarantined()...)
	}
	slices.SortFunc(out.Mailboxes, func(a, b MailboxSummary) int {
		return strings.Compare(string(a.Name), string(b.Name))
	})
	slices.SortFunc(out.Quarantined, func(a, b mail.Quarantined) int { return mail.CompareRefs(a.Ref, b.Ref) })
	out.LastPass = s.pass(func(mail.Pass) bool { return true })
	out.LastComplete = s.pass(isComplete)
	out.LastFailed = s.pass(isFailed)
	return out
}

// pass returns a copy of the last pass that is so, or nil.
func (s *state) pass(is func(mail.Pass) bool) *mail.Pass {
	i := last(s.passes, is)
	if i < 0 {
		return nil
	}
	p := s.passes[i]
	return &p
}
