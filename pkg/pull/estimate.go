package pull

import "mailpull/pkg/mail"

// maxAbout bounds what an estimate makes of one mailbox, 35 TB: whatever sizes a
// server tells, the sum of a hundred thousand mailboxes fits.
const maxAbout = 1 << 45

// about returns about how many bytes n messages of a mailbox have: by the mean
// size of its messages where the server tells their sum (STATUS=SIZE of RFC 8438,
// or POP3's STAT), else by that of what this pass delivered. 0 means that nobody
// knows. v may be nil.
func (p *pass) about(box mail.Mailbox, v *visit, n int) int64 {
	mean := 0.0
	if v != nil {
		mean = v.status.MeanSize()
	}
	if mean == 0 {
		mean = box.Status.MeanSize()
	}
	if mean == 0 {
		mean = p.meanDelivered()
	}
	return int64(min(mean*float64(n), maxAbout))
}

// meanDelivered returns the mean size of the messages that this pass delivered,
// 0 where there is none.
func (p *pass) meanDelivered() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, messages := range p.delivered {
		n += messages
	}
	return float64(p.result.Bytes) / float64(max(n, 1))
}

// share returns what part of the bytes belongs to some of the messages.
func share(bytes int64, some, messages int) int64 {
	return int64(float64(bytes) * float64(some) / float64(max(messages, 1)))
}
