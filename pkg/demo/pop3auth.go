package demo

import (
	"encoding/base64"
	"strings"
)

// auth does AUTH PLAIN, with or without an initial response (RFC 5034, RFC
// 4616).
func (s *pop3Session) auth(args string) {
	mechanism, response, initial := strings.Cut(args, " ")
	if !strings.EqualFold(mechanism, "PLAIN") {
		s.no("unknown mechanism")
		return
	}
	if !initial {
		s.printf("+ \r\n")
		var err error
		if response, err = s.readLine(); err != nil {
			s.done = true
			return
		}
	}
	if response == "*" {
		s.no("cancelled")
		return
	}
	raw, err := base64.StdEncoding.DecodeString(response)
	parts := strings.Split(string(raw), "\x00")
	if err != nil || len(parts) != 3 {
		s.no("not a PLAIN response")
		return
	}
	if parts[0] != "" && parts[0] != parts[1] {
		s.no("[AUTH] nobody may act for somebody else here")
		return
	}
	s.signIn(parts[1], parts[2])
}

// signIn opens the maildrop: the messages that INBOX holds now are this
// session's for its whole life.
func (s *pop3Session) signIn(username, password string) {
	if username != Username || password != Password {
		s.no("[AUTH] wrong name or password")
		return
	}
	store := s.server.store
	store.mu.Lock()
	s.box = store.find(inbox)
	store.mu.Unlock()
	s.drop = store.snapshot(s.box)
	s.deleted = make([]bool, len(s.drop))
	s.signedIn = true
	s.ok("signed in")
}
