package pull

import "mailpull/pkg/mail"

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
)

// failures is what went wrong with single messages in this pass.
type failures map[mail.Ref]failure

type failure struct {
	times int
	first error
}

// noteFailure counts a failure of a message.
func (p *pass) noteFailure(ref mail.Ref, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.failures[ref]
	if f.times++; f.first == nil {
		f.first = err
	}
	p.failures[ref] = f
	if f.times == 1 {
		p.Log.Warn("message failed", "err", err)
	}
}

// withoutFailed leaves out the messages that failed often enough in this pass:
// one broken message must not keep its mailbox from what stands behind it.
func (p *pass) withoutFailed(v *visit, refs mail.Refs) mail.Refs {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.failures) == 0 {
		return refs
	}
	var skip mail.UIDSet
	rest := refs
	rest.UIDLs = nil
	for ref, f := range p.failures {
		if f.times >= maxTries && ref.UID != 0 && ref.Mailbox == refs.Mailbox && refs.UIDs.Contains(ref.UID) {
			skip.Add(ref.UID, ref.UID)
			v.fail(f.first)
		}
	}
	rest.UIDs = refs.UIDs.Minus(skip)
	for _, uidl := range refs.UIDLs {
		f := p.failures[mail.Ref{Mailbox: refs.Mailbox, Validity: refs.Validity, UIDL: uidl}]
		if f.times >= maxTries {
			v.fail(f.first)
			continue
		}
		rest.UIDLs = append(rest.UIDLs, uidl)
	}
	return rest
}

// fail keeps the first thing that went wrong with a message of the visit.
func (v *visit) fail(err error) {
	if v.err == nil {
		v.err = err
	}
}
