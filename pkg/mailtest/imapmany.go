package mailtest

import (
	"sort"
	"strings"

	"mailpull/pkg/mail"
)

// IMAPMany are messages of an IMAPBox that are made when somebody asks for
// them: a mailbox of a million costs the server no memory. They stand in front
// of those that the box keeps, which are there for what arrives later.
type IMAPMany struct {
	uids   mail.UIDSet
	before []int // messages in front of each range of uids
	count  int
	make   func(uid mail.UID) IMAPMessage
}

// NewIMAPMany returns the messages that body makes, one for each UID. It may be
// called for several connections at once, and must give the same bytes each time
// for the same UID.
func NewIMAPMany(uids mail.UIDSet, body func(uid mail.UID) string) *IMAPMany {
	m := &IMAPMany{uids: uids, make: func(uid mail.UID) IMAPMessage { return IMAPMessage{UID: uid, Body: body(uid)} }}
	for _, r := range uids {
		m.before = append(m.before, m.count)
		m.count += int(r.Hi-r.Lo) + 1
	}
	return m
}

// len returns how many messages there are; nil has none.
func (m *IMAPMany) len() int {
	if m == nil {
		return 0
	}
	return m.count
}

// set returns the UIDs.
func (m *IMAPMany) set() mail.UIDSet {
	if m == nil {
		return nil
	}
	return m.uids
}

// each makes those messages that a set as in a command names, by UID or by
// sequence number.
func (m *IMAPMany) each(set string, byUID bool, fn func(seq int, m IMAPMessage)) {
	if m == nil {
		return
	}
	for part := range strings.SplitSeq(set, ",") {
		lo, hi := setEnds(part)
		if byUID {
			m.byUID(lo, hi, fn)
		} else {
			m.byNumber(lo, hi, fn)
		}
	}
}

func (m *IMAPMany) byUID(lo, hi int, fn func(seq int, m IMAPMessage)) {
	first := sort.Search(len(m.uids), func(i int) bool { return int(m.uids[i].Hi) >= lo })
	for i := first; i < len(m.uids) && int(m.uids[i].Lo) <= hi; i++ {
		r := m.uids[i]
		for uid := max(lo, int(r.Lo)); uid <= min(hi, int(r.Hi)); uid++ {
			fn(m.before[i]+uid-int(r.Lo)+1, m.make(mail.UID(uid)))
		}
	}
}

func (m *IMAPMany) byNumber(lo, hi int, fn func(seq int, m IMAPMessage)) {
	for seq := max(lo, 1); seq <= min(hi, m.count); seq++ {
		i := sort.Search(len(m.before), func(i int) bool { return m.before[i] >= seq }) - 1
		fn(seq, m.make(m.uids[i].Lo+mail.UID(seq-1-m.before[i])))
	}
}
