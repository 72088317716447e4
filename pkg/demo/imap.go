package demo

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"sync"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// imapListeners is the IMAP server's two doors. The library serves what comes
// in through them; its own Close is not used, because it does not wait.
type imapListeners struct {
	listeners []net.Listener
	conns     *conns
}

// serveIMAP serves IMAP on both listeners, the second one inside TLS. The
// accept loops are in wg.
func serveIMAP(wg *sync.WaitGroup, store *store, config *tls.Config, plain, secure net.Listener) *imapListeners {
	l := &imapListeners{listeners: []net.Listener{plain, secure}, conns: &conns{}}
	server := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return &imapSession{store: store}, nil, nil
		},
		Caps:         imapCaps(),
		Logger:       log.New(io.Discard, "", 0),
		TLSConfig:    config,
		InsecureAuth: true, // loopback only
	})
	doors := []net.Listener{
		&trackingListener{Listener: plain, conns: l.conns},
		tls.NewListener(&trackingListener{Listener: secure, conns: l.conns}, config),
	}
	for _, door := range doors {
		// It ends when the listener is closed, and Server.Close waits for it.
		wg.Go(func() { _ = server.Serve(door) })
	}
	return l
}

// imapCaps is what the session can do beyond what the library always offers.
// IMAP4rev2 is left out: go-imap's client sends mailbox names as raw UTF-8 as
// soon as a server speaks of it.
func imapCaps() imap.CapSet {
	return imap.CapSet{
		imap.CapIMAP4rev1:    {},
		imap.CapNamespace:    {},
		imap.CapUIDPlus:      {},
		imap.CapESearch:      {},
		imap.CapListExtended: {},
		imap.CapListStatus:   {},
		imap.CapStatusSize:   {},
		imap.CapSpecialUse:   {},
		imap.CapChildren:     {},
		imap.CapLiteralPlus:  {},
	}
}

func (l *imapListeners) close() error {
	var err error
	for _, listener := range l.listeners {
		err = errors.Join(err, listener.Close())
	}
	l.conns.closeAll()
	return err
}

// trackingListener hands out connections that conns knows of.
type trackingListener struct {
	net.Listener
	conns *conns
}

// Accept implements net.Listener.
func (l *trackingListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.conns.add(conn) {
			return &trackedConn{Conn: conn, conns: l.conns}, nil
		}
	}
}

// trackedConn leaves conns when it is closed, which is the last thing that
// the library does with it.
type trackedConn struct {
	net.Conn
	conns *conns
}

// Close implements net.Conn.
func (c *trackedConn) Close() error {
	err := c.Conn.Close()
	c.conns.remove(c.Conn)
	return err
}
