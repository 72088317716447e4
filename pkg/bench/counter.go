package bench

import "sync"

// Trips is what went through a proxy.
type Trips struct {
	Connections int
	Up, Down    int64 // bytes from the clients, and to them

	// Longest is how many round trips the longest connection waited for, one
	// behind the other, and Sum the same over all connections. The handshake
	// of TCP is one of them.
	Longest, Sum int64
}

// counter counts the round trips of one connection. A client's byte belongs to
// the round behind the last that was answered to it, and a server's byte to
// that of the last byte which it has heard. So commands that are sent together
// are one round, and a stream without questions is one too. It looks at no
// content and works through TLS as well, whose own round trips it counts.
type counter struct {
	mu       sync.Mutex
	up, down int64
	heard    int64 // the last round of which a byte reached the server
	answered int64 // the last round of which an answer reached the client
}

// fromClient returns the round of n bytes that the client sends now.
func (c *counter) fromClient(n int) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up += int64(n)
	return c.answered + 1
}

// atServer notes that bytes of a round reach the server.
func (c *counter) atServer(_ int, round int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = max(c.heard, round)
}

// fromServer returns the round of bytes that the server sends now. What it
// says before it heard anything answers the end of the handshake.
func (c *counter) fromServer(int) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(c.heard, 1)
}

// atClient notes that n bytes of a round reach the client.
func (c *counter) atClient(n int, round int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down += int64(n)
	c.answered = max(c.answered, round)
}

// add adds the connection to those before it.
func (c *counter) add(t *Trips) {
	c.mu.Lock()
	defer c.mu.Unlock()
	rounds := c.answered + 1 // the handshake
	t.Connections++
	t.Up += c.up
	t.Down += c.down
	t.Longest = max(t.Longest, rounds)
	t.Sum += rounds
}
