package wire

import (
	"net"
	"sync"
	"time"
)

// Events is told of the connections of an account. Its methods may be called
// from any goroutine and must return at once.
type Events interface {
	// Connected says that a connection was made, and Closed that it was closed;
	// each Connected has one Closed.
	Connected()
	Closed()

	// Certificate says until when the certificate is good that the server
	// showed and that was verified.
	Certificate(notAfter time.Time)
}

// silent is the Events of connections that nobody watches.
type silent struct{}

func (silent) Connected()            {}
func (silent) Closed()               {}
func (silent) Certificate(time.Time) {}

// reported is a connection whose end is told, once.
type reported struct {
	net.Conn
	events Events
	once   sync.Once
}

// report tells that a connection was made, and returns it.
func report(conn net.Conn, events Events) net.Conn {
	events.Connected()
	return &reported{Conn: conn, events: events}
}

// Close closes the connection.
func (r *reported) Close() error {
	err := r.Conn.Close()
	r.once.Do(r.events.Closed)
	return err
}
