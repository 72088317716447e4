package demo

import (
	"net"
	"sync"
)

// conns knows the open connections of one server, so that closing the server
// closes them and waits until whoever serves them is done.
type conns struct {
	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
	wg     sync.WaitGroup
}

// add takes a connection in, or closes it when the server is closing.
func (c *conns) add(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = conn.Close() // nobody talked on it yet
		return false
	}
	if c.open == nil {
		c.open = make(map[net.Conn]struct{})
	}
	c.open[conn] = struct{}{}
	c.wg.Add(1)
	return true
}

// remove forgets a connection whose goroutine is ending.
func (c *conns) remove(conn net.Conn) {
	c.mu.Lock()
	_, known := c.open[conn]
	delete(c.open, conn)
	c.mu.Unlock()
	if known {
		c.wg.Done()
	}
}

// closeAll closes every connection and waits until each was removed.
func (c *conns) closeAll() {
	c.mu.Lock()
	c.closed = true
	for conn := range c.open {
		_ = conn.Close() // the other side learns it by the end of the stream
	}
	c.mu.Unlock()
	c.wg.Wait()
}
