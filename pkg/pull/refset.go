package pull

import "mailpull/pkg/mail"

// refSet is a set of refs in little memory, of any number of mailboxes: UIDs as
// ranges, and unique-ids as the keys that stand for them. It belongs to one
// goroutine until settle was called, and is only read afterwards. The zero value
// with an account is an empty set.
type refSet struct {
	account   string
	numbering map[numbering]*uidList
	uidls     mail.KeySet
}

// numbering is what a UID counts in.
type numbering struct {
	mailbox  mail.MailboxName
	validity mail.UIDValidity
}

func (s *refSet) add(ref mail.Ref) {
	if ref.UID == 0 {
		s.uidls = append(s.uidls, mail.NewKey(s.account, ref))
		return
	}
	of := numbering{ref.Mailbox, ref.Validity}
	list := s.numbering[of]
	if list == nil {
		if s.numbering == nil {
			s.numbering = make(map[numbering]*uidList)
		}
		list = &uidList{}
		s.numbering[of] = list
	}
	list.add(ref.UID)
}

// settle ends the filling.
func (s *refSet) settle() {
	s.uidls = mail.NewKeySet(s.uidls)
	for _, list := range s.numbering {
		list.settle()
	}
}

func (s *refSet) contains(ref mail.Ref) bool {
	if ref.UID == 0 {
		return len(s.uidls) > 0 && s.uidls.Contains(mail.NewKey(s.account, ref))
	}
	list := s.numbering[numbering{ref.Mailbox, ref.Validity}]
	return list != nil && list.uids.Contains(ref.UID)
}

// uidList collects UIDs in any order. Those that come one behind the other, as
// nearly all do, are one range.
type uidList struct {
	uids    mail.UIDSet // only settle makes it a set
	settled int         // its length then
}

func (l *uidList) add(uid mail.UID) {
	if n := len(l.uids); n > 0 && l.uids[n-1].Hi == uid-1 {
		l.uids[n-1].Hi = uid
		return
	}
	l.uids = append(l.uids, mail.UIDRange{Lo: uid, Hi: uid})
	if len(l.uids) > 2*l.settled+1024 {
		l.settle() // a manifest can name the same UIDs again and again
	}
}

func (l *uidList) settle() {
	l.uids = mail.NewUIDSet(l.uids)
	l.settled = len(l.uids)
}
