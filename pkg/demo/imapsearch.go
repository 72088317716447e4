package demo

import (
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// Search implements imapserver.Session for sets, flags, sizes, days and NOT.
// Any other key is refused rather than answered wrongly.
func (s *imapSession) Search(kind imapserver.NumKind, c *imap.SearchCriteria, _ *imap.SearchOptions) (*imap.SearchData, error) {
	if !searchable(c) {
		return nil, errRefused()
	}
	data := &imap.SearchData{}
	var seqs imap.SeqSet
	var uids imap.UIDSet
	for i, m := range s.view {
		num := uint32(i + 1)
		if !s.matches(num, m, c) {
			continue
		}
		if kind == imapserver.NumKindUID {
			num = m.uid
			uids.AddNum(imap.UID(num))
		} else {
			seqs.AddNum(num)
		}
		if data.Count++; data.Min == 0 {
			data.Min = num
		}
		data.Max = num
	}
	data.All = seqs
	if kind == imapserver.NumKindUID {
		data.All = uids
	}
	return data, nil
}

// searchable reports whether the criteria hold nothing but what matches looks
// at.
func searchable(c *imap.SearchCriteria) bool {
	if !c.SentSince.IsZero() || !c.SentBefore.IsZero() {
		return false
	}
	if len(c.Header)+len(c.Body)+len(c.Text)+len(c.Or) > 0 || c.ModSeq != nil {
		return false
	}
	for i := range c.Not {
		if !searchable(&c.Not[i]) {
			return false
		}
	}
	return true
}

func (s *imapSession) matches(seq uint32, m *message, c *imap.SearchCriteria) bool {
	flags := s.store.flagsOf(m)
	for _, set := range c.SeqNum {
		if !s.inSet(set, seq, m) {
			return false
		}
	}
	for _, set := range c.UID {
		if !s.inSet(set, seq, m) {
			return false
		}
	}
	for _, f := range c.Flag {
		if !hasFlag(flags, string(f)) {
			return false
		}
	}
	for _, f := range c.NotFlag {
		if hasFlag(flags, string(f)) {
			return false
		}
	}
	size := int64(len(m.body))
	if c.Larger != 0 && size <= c.Larger || c.Smaller != 0 && size >= c.Smaller {
		return false
	}
	if !onDay(m.date, c.Since, c.Before) {
		return false
	}
	return !slices.ContainsFunc(c.Not, func(not imap.SearchCriteria) bool { return s.matches(seq, m, &not) })
}

// onDay reports whether a message arrived on a day from since on and before the
// other one, by the day that its INTERNALDATE is written with (RFC 9051 section
// 6.4.4). A zero day is no bound.
func onDay(date, since, before time.Time) bool {
	year, month, day := date.Date()
	arrived := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	return (since.IsZero() || !arrived.Before(since)) && (before.IsZero() || arrived.Before(before))
}
