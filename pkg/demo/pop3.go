package demo

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
)

// pop3Server is a POP3 server over the store's INBOX: RFC 1939 with CAPA and
// PIPELINING (RFC 2449), STLS (RFC 2595), AUTH PLAIN (RFC 5034) and response
// codes (RFC 3206).
//
// There is no lock on the maildrop: a session works on the messages that were
// there when it signed in, and these can not change, which is all that the
// lock is for (RFC 1939 section 4). So a client whose connection broke can
// come back at once.
type pop3Server struct {
	store     *store
	config    *tls.Config
	listeners []net.Listener
	conns     conns
}

// servePOP3 serves POP3 on both listeners, the second one inside TLS. The
// accept loops are in wg.
func servePOP3(wg *sync.WaitGroup, store *store, config *tls.Config, plain, secure net.Listener) *pop3Server {
	s := &pop3Server{store: store, config: config, listeners: []net.Listener{plain, secure}}
	// Both end when their listener is closed, and Server.Close waits for them.
	wg.Go(func() { s.accept(plain, false) })
	wg.Go(func() { s.accept(secure, true) })
	return s
}

func (s *pop3Server) accept(l net.Listener, secure bool) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // closed; the system has no other error for loopback
		}
		if !s.conns.add(conn) {
			return
		}
		// It ends when the connection does, and closeAll waits for it.
		go func() {
			defer s.conns.remove(conn)
			defer func() { _ = conn.Close() }() // the client may have closed it first
			newPOP3Session(s, conn, secure).serve()
		}()
	}
}

func (s *pop3Server) close() error {
	var err error
	for _, l := range s.listeners {
		err = errors.Join(err, l.Close())
	}
	s.conns.closeAll()
	return err
}
