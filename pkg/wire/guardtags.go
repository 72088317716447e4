package wire

import (
	"net"
	"slices"
	"time"
)

// tags follows what go-imap writes and keeps the tags of the commands that
// have no answer yet. go-imap sends no literals here: its mailbox names are
// encoded, and the capabilities for literals without waiting are kept from it.
type tags struct {
	open   []string
	inLine bool   // behind the tag of a line
	tag    []byte // of the line that is being written
}

// wrote looks at bytes on their way to the server. A tag counts once its
// command is complete.
func (t *tags) wrote(p []byte) (complete bool) {
	for _, c := range p {
		switch {
		case c == '\n':
			if t.inLine {
				t.open = append(t.open, string(t.tag))
				complete = true
			}
			t.tag, t.inLine = t.tag[:0], false
		case c == ' ':
			t.inLine = true
		case !t.inLine:
			t.tag = append(t.tag, c)
		}
	}
	return complete
}

// answered takes a tag away and reports whether it was open.
func (t *tags) answered(tag string) bool {
	i := slices.Index(t.open, tag)
	if i < 0 {
		return false
	}
	t.open = slices.Delete(t.open, i, i+1)
	return true
}

func (t *tags) none() bool { return len(t.open) == 0 }

// Write sends what go-imap wrote and notes the commands in it.
func (g *Guard) Write(p []byte) (int, error) {
	g.mu.Lock()
	if g.tags.wrote(p) {
		g.conn.Await()
	}
	g.mu.Unlock()
	return g.conn.Write(p)
}

// Close closes the connection. It may be called any number of times.
func (g *Guard) Close() error { return g.conn.Close() }

// LocalAddr returns the connection's near end.
func (g *Guard) LocalAddr() net.Addr { return g.conn.LocalAddr() }

// RemoteAddr returns the connection's far end.
func (g *Guard) RemoteAddr() net.Addr { return g.conn.RemoteAddr() }

// SetDeadline does nothing: the limits are ours.
func (g *Guard) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing: the limits are ours.
func (g *Guard) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing: the limits are ours.
func (g *Guard) SetWriteDeadline(time.Time) error { return nil }
