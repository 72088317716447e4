package imap

import (
	"net"

	"github.com/emersion/go-imap/v2/imapclient"
)

// writes is a connection that tells go-imap of a failed write once go-imap's
// reader has ended, which it does at once, because a connection that cannot be
// written to is closed. go-imap closes the channels of all commands at such an
// error, from the goroutine that wrote, while its reader may be sending a message
// into one of them.
type writes struct {
	net.Conn
	ended <-chan struct{} // the reader
}

// newClient puts go-imap on a connection.
func newClient(conn net.Conn) *imapclient.Client {
	w := &writes{Conn: conn}
	client := imapclient.New(w, nil) // which reads, and writes nothing by itself
	w.ended = client.Closed()
	return client
}

// Write implements net.Conn.
func (w *writes) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	if err != nil {
		<-w.ended
	}
	return n, err
}
