package pull

import (
	"errors"
	"fmt"

	"mailpull/pkg/mail"
)

const (
	// maxTries is how often one pass asks for a message that fails. The second
	// time can be another way of asking, or prove that it was not to blame.
	maxTries = 2

	// maxFruitless is how many sessions in a row may bring nothing but
	// failures before a mailbox is given up for this pass.
	maxFruitless = 32

	// maxTimeouts is how many sessions of a lane may end by a time-out and be
	// opened again: a silent server costs its account minutes, not hours.
	maxTimeouts = 3

	// maxFailed is how many messages of a mailbox may fail in one pass, or be
	// gone, before it is given up when more fail than come: each costs memory,
	// and a server can list millions.
	maxFailed = 5000

	// maxSuspects is how many messages that never failed before a pass keeps for
	// quarantine, of all mailboxes that it is done with: more than a checkpoint
	// takes, so that this says when it is full.
	maxSuspects = 12_000
)

// errFailing ends a mailbox in which too many messages fail.
var errFailing = errors.New("too many messages cannot be had")

// failures are the messages that this pass could not have, by their mailboxes.
// They are kept while the mailbox is in hand, so that none is asked for without
// end.
type failures map[mail.MailboxName]map[mail.Ref]failure

func (f failures) of(ref mail.Ref) failure { return f[ref.Mailbox][ref] }

func (f failures) set(ref mail.Ref, to failure) {
	if f[ref.Mailbox] == nil {
		f[ref.Mailbox] = make(map[mail.Ref]failure)
	}
	f[ref.Mailbox][ref] = to
}

// failure says how often a message failed and with what first. One that is
// gone from the server did not fail, and is not asked for again either.
type failure struct {
	times int
	first error
	gone  bool
}

// noteGone notes a message that the server listed and does not have any more. It
// is left out of the rest of the pass: asking again would bring nothing, and a
// session that brings nothing must not count as one that got further.
func (p *pass) noteGone(v *visit, ref mail.Ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures.set(ref, failure{times: maxTries, gone: true})
	v.noteGone(ref)
}

// noteFailure counts a failure of a message.
func (p *pass) noteFailure(ref mail.Ref, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.failures.of(ref)
	if f.times++; f.first == nil {
		f.first = err
		p.Log.Info("message failed", "err", err)
	}
	p.failures.set(ref, f)
}

// failing returns why the mailbox in hand is to be given up, or nil. What failed
// in another one is not held against it, nor what came of that in its favour.
func (p *pass) failing(box mail.MailboxName) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, came := len(p.failures[box]), p.wholeIn[box]
	if n <= max(maxFailed, came) {
		return nil
	}
	return &mail.Error{
		Op: "pull", Mailbox: box, Scope: mail.ScopeMailbox, Class: mail.ClassServer,
		Err: fmt.Errorf("%w: %d failed and %d came", errFailing, n, came),
	}
}

// failedIn returns how many messages of a mailbox in hand failed or are gone.
func (p *pass) failedIn(box mail.MailboxName) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.failures[box])
}

// cameWhole notes that a message came whole, and forgets that it failed before.
func (p *pass) cameWhole(ref mail.Ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.whole++
	p.wholeIn[ref.Mailbox]++
	delete(p.failures[ref.Mailbox], ref)
}

// someCame reports whether a message came whole in this pass.
func (p *pass) someCame() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.whole > 0
}

// failedOf returns how many of the messages that are missing failed, and what the
// first of them failed with. One that came whole after that, or that the server
// does not list any more, is not missing.
func (p *pass) failedOf(missing mail.Refs) (n int, first error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.failures[missing.Mailbox]) == 0 {
		return 0, nil
	}
	for ref := range missing.All {
		f := p.failures.of(ref)
		if f.times == 0 || f.gone {
			continue
		}
		if n++; n == 1 {
			first = f.first
		}
	}
	return n, first
}

// withoutFailed leaves out the messages that failed often enough in this pass:
// one broken message must not keep its mailbox from what stands behind it.
func (p *pass) withoutFailed(v *visit, refs mail.Refs) mail.Refs {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.failures[refs.Mailbox]) == 0 {
		return refs
	}
	rest := refs
	rest.UIDs, rest.UIDLs = refs.UIDs.Minus(p.failedUIDs(v, refs)), nil
	for _, uidl := range refs.UIDLs {
		ref := mail.Ref{Mailbox: refs.Mailbox, Validity: refs.Validity, UIDL: uidl}
		f := p.failures.of(ref)
		if f.gone {
			v.noteGone(ref)
		}
		if f.times < maxTries {
			rest.UIDLs = append(rest.UIDLs, uidl)
		}
	}
	return rest
}

// failedUIDs returns those of refs that are left out. The caller holds p.mu.
func (p *pass) failedUIDs(v *visit, refs mail.Refs) mail.UIDSet {
	var ranges []mail.UIDRange
	for ref, f := range p.failures[refs.Mailbox] {
		if f.times >= maxTries && ref.UID != 0 && ref.Validity == refs.Validity && refs.UIDs.Contains(ref.UID) {
			ranges = append(ranges, mail.UIDRange{Lo: ref.UID, Hi: ref.UID})
			if f.gone {
				v.noteGone(ref)
			}
		}
	}
	return mail.NewUIDSet(ranges)
}

// noteGone notes that a message was listed and is gone. The caller holds the
// pass's mutex.
func (v *visit) noteGone(ref mail.Ref) {
	if v.gone == nil {
		v.gone = make(map[mail.Ref]struct{})
	}
	v.gone[ref] = struct{}{}
}
