package pull

import (
	"errors"

	"mailpull/pkg/mail"
)

// ErrUnfinished is the cause of a pass that left messages for another one,
// because Options.Newest or Options.Yield asked for it. Nothing failed.
var ErrUnfinished = errors.New("messages are left for the next pass")

// Unfinished returns the error of a pass that left something for another one.
func Unfinished() error {
	return &mail.Error{Op: "pull", Scope: mail.ScopeAccount, Class: mail.ClassLocal, Err: ErrUnfinished}
}

// newest cuts what a visit asks for down to the newest messages. UIDs grow
// with each message (RFC 9051 section 2.3.1.1), and a POP3 server lists its
// messages in the order of their arrival.
func (p *pass) newest(v *visit, fresh mail.Refs) mail.Refs {
	extra := fresh.Len() - p.Newest
	if p.Newest <= 0 || extra <= 0 {
		return fresh
	}
	v.left = extra
	p.mu.Lock()
	p.unfinished = true
	p.mu.Unlock()
	_, fresh = fresh.Cut(extra)
	return fresh
}

// yields reports whether the pass is to end because others wait. Once it is,
// it stays so for all lanes.
func (p *pass) yields() bool {
	if p.Yield == nil {
		return false
	}
	p.mu.Lock()
	yielded := p.yielded
	p.mu.Unlock()
	if yielded || !p.Yield() {
		return yielded
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.yielded, p.unfinished = true, true
	return true
}

// leftOver returns how many of the missing messages of a mailbox were left for
// another pass; failed of them were not, and neither was what the pass is done
// with because it gave the mailbox up. The caller does not hold p.mu.
func (p *pass) leftOver(box mail.MailboxName, v *visit, missing, failed int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ended := p.ended[box]
	switch {
	case p.yielded && !ended:
		return max(0, missing-failed)
	case v != nil:
		return min(v.left, missing)
	}
	return 0
}
