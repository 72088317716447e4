// Package demo is a mail server in a box: an IMAP server and a POP3 server on
// free loopback ports that serve the same mailboxes from memory. It lets a
// person try mailpull without an account, and it lets a test talk to servers
// that hand out every body byte for byte.
//
// Both servers hold the same store. POP3 shows its INBOX. What the generated
// messages are, see Messages; that the same bytes come back however often one
// asks is what both protocols promise here, and what common server libraries,
// which parse mail and write it anew, do not.
package demo

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
)

// Username and Password sign in to both servers.
const (
	Username = "demo"
	Password = "demo-password"
)

// Options says what a Server serves. The zero value serves nothing but an
// empty INBOX.
type Options struct {
	// Messages are delivered in this order. Each mailbox is made when its
	// first message arrives; INBOX is always there. The bodies are not copied
	// and must not be changed afterwards.
	Messages []Message

	// Mailboxes are made even when no message is in them.
	Mailboxes []string
}

// Server is a running pair of servers. Its methods may be called from any
// goroutine.
type Server struct {
	store *store
	cert  certificate
	imap  *imapListeners
	pop3  *pop3Server
	wg    sync.WaitGroup // the accept loops; Close waits for them

	addrs addrs
	once  sync.Once
	err   error // of the first Close
}

type addrs struct{ imap, imaps, pop3, pop3s string }

// Start opens four listeners on 127.0.0.1, on ports that the system chooses,
// and serves until Close. Nothing is written to disk.
func Start(o Options) (*Server, error) {
	cert, err := newCertificate()
	if err != nil {
		return nil, fmt.Errorf("demo certificate: %w", err)
	}
	listeners, err := listenAll(4)
	if err != nil {
		return nil, fmt.Errorf("demo server: %w", err)
	}

	s := &Server{store: newStore(o), cert: cert}
	s.addrs = addrs{
		imap:  listeners[0].Addr().String(),
		imaps: listeners[1].Addr().String(),
		pop3:  listeners[2].Addr().String(),
		pop3s: listeners[3].Addr().String(),
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert.pair}, MinVersion: tls.VersionTLS12}
	s.imap = serveIMAP(&s.wg, s.store, config, listeners[0], listeners[1])
	s.pop3 = servePOP3(&s.wg, s.store, config, listeners[2], listeners[3])
	return s, nil
}

// listenAll opens n listeners, or none.
func listenAll(n int) ([]net.Listener, error) {
	listeners := make([]net.Listener, 0, n)
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			for _, open := range listeners {
				err = errors.Join(err, open.Close())
			}
			return nil, err
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// IMAPAddr returns host:port of IMAP in the clear, with STARTTLS on offer.
func (s *Server) IMAPAddr() string { return s.addrs.imap }

// IMAPSAddr returns host:port of IMAP inside TLS.
func (s *Server) IMAPSAddr() string { return s.addrs.imaps }

// POP3Addr returns host:port of POP3 in the clear, with STLS on offer.
func (s *Server) POP3Addr() string { return s.addrs.pop3 }

// POP3SAddr returns host:port of POP3 inside TLS.
func (s *Server) POP3SAddr() string { return s.addrs.pop3s }

// CAFile returns the certificate to trust, as PEM: what a ca_file holds. It
// was made by Start, is good for 127.0.0.1 and localhost, and its private key
// never leaves the process.
func (s *Server) CAFile() []byte { return s.cert.pem }

// Append delivers a message, as new mail arrives: a waiting IMAP client is
// told, a POP3 session sees it at its next sign-in.
func (s *Server) Append(m Message) { s.store.deliver(m) }

// Served tells how many bodies left the servers since Start.
func (s *Server) Served() Served { return s.store.served() }

// Close closes the listeners and every connection, and returns once nothing
// of the server runs any more. It may be called any number of times.
func (s *Server) Close() error {
	s.once.Do(func() {
		s.err = errors.Join(s.imap.close(), s.pop3.close())
		s.wg.Wait()
	})
	return s.err
}
