package imap

import (
	"sync"

	"mailpull/pkg/mail"
)

// maxSuspects bounds what is remembered, and how often a server may break a
// connection before it is taken to be broken as a whole.
const maxSuspects = 32

// suspects remembers, for the sessions of one source, the messages whose
// answers broke a connection. go-imap cannot read some answers, such as a
// date that is none; the connection is then lost, and would be lost at the
// same place for ever. A suspect is left out of the sets and asked for alone
// and last, with nothing but its body; one that breaks even that is failed
// without being asked for, and stands trial again in the next pass.
type suspects struct {
	mu     sync.Mutex
	blamed map[mail.Ref]int // how often; never above twice
}

// blame blames a message for a lost connection. It reports whether the message
// is remembered: false means that too many are.
func (s *suspects) blame(ref mail.Ref) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blamed == nil {
		s.blamed = make(map[mail.Ref]int)
	}
	if _, known := s.blamed[ref]; !known && len(s.blamed) >= maxSuspects {
		return false
	}
	s.blamed[ref] = min(2, s.blamed[ref]+1)
	return true
}

// clear takes the blame from a message that came whole or is gone.
func (s *suspects) clear(ref mail.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.blamed, ref)
}

// among returns which of the refs are to be asked for alone, and which are
// condemned. The latter are given another trial the next time.
func (s *suspects) among(refs mail.Refs) (alone, condemned mail.UIDSet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ref, times := range s.blamed {
		if ref.Mailbox != refs.Mailbox || ref.Validity != refs.Validity {
			continue
		}
		switch {
		case !refs.UIDs.Contains(ref.UID): // nobody wants it any more
			delete(s.blamed, ref)
		case times < 2:
			alone.Add(ref.UID, ref.UID)
		default:
			condemned.Add(ref.UID, ref.UID)
			s.blamed[ref] = 1
		}
	}
	return alone, condemned
}
