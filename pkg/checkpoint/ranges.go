package checkpoint

import "mailpull/pkg/mail"

// minFresh is how many ranges may wait to be merged at least.
const minFresh = 1024

// addUIDs adds to what is seen. UIDs above all others, the common case, cost
// nothing; others wait until there are enough of them to be worth a walk over
// the whole set, so that a journal in any order is read in O(n log n).
func (b *box) addUIDs(uids mail.UIDSet) {
	if len(uids) == 0 {
		return
	}
	if uids[0].Lo > b.seen.Max() {
		for _, r := range uids {
			b.seen.Add(r.Lo, r.Hi)
		}
		return
	}
	b.fresh = append(b.fresh, uids...)
	if len(b.fresh) > minFresh+len(b.seen)/4 {
		b.settle()
	}
}

// settle merges what waits; afterwards seen is the truth.
func (b *box) settle() {
	if len(b.fresh) == 0 {
		return
	}
	b.seen = merge(b.seen, mail.NewUIDSet(b.fresh))
	b.fresh = nil
}

// merge returns the union of two sets in one walk over both. Its result
// shares no memory with them.
func merge(s, t mail.UIDSet) mail.UIDSet {
	out := make(mail.UIDSet, 0, len(s)+len(t))
	for len(s) > 0 || len(t) > 0 {
		if len(s) == 0 || len(t) > 0 && t[0].Lo < s[0].Lo {
			s, t = t, s
		}
		r := s[0]
		s = s[1:]
		if n := len(out); n > 0 && r.Lo-1 <= out[n-1].Hi {
			out[n-1].Hi = max(out[n-1].Hi, r.Hi)
			continue
		}
		out = append(out, r)
	}
	return out
}

// seenCount returns how many messages are recorded.
func (b *box) seenCount() int {
	b.settle()
	return b.seen.Len() + len(b.uidls)
}
