package bench

import (
	"net"
	"sync"
	"time"
)

// window is how many bytes of one direction of one connection may be under way
// when nobody says otherwise: about what Linux gives a TCP connection.
const window = 4 << 20

// Link is what a network does to connections. A zero Link changes nothing.
type Link struct {
	// Delay is how long a byte is under way, in one direction: half a round
	// trip.
	Delay time.Duration

	// Rate is how many bytes per second each direction carries, all
	// connections together; 0 is no limit.
	Rate int64
}

// window returns how many bytes may be under way in one direction of a
// connection: enough to fill the link, and bounded.
func (l Link) window() int {
	return max(window, int(2*l.Delay.Seconds()*float64(l.Rate)))
}

// pacer gives bytes their turn on one direction of a link. It may be used from
// several goroutines.
type pacer struct {
	link Link
	mu   sync.Mutex
	free time.Time // when the link has sent all that was given to it
}

// arrival returns when n bytes that are sent now have arrived at the other end.
func (p *pacer) arrival(n int) time.Time {
	now := time.Now()
	if p.link.Rate == 0 {
		return now.Add(p.link.Delay)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.free.Before(now) {
		p.free = now
	}
	p.free = p.free.Add(time.Duration(float64(n) / float64(p.link.Rate) * float64(time.Second)))
	return p.free.Add(p.link.Delay)
}

// relay joins a client that connects now with its server and returns when both
// are done or either is broken. Each side's end reaches the other behind the
// last byte. The first bytes wait for the handshake of TCP, which costs a round
// trip of its own.
func relay(client, server net.Conn, up, down *pacer, count *counter) {
	part := func() {
		_ = client.Close() // what fails here is parted already
		_ = server.Close()
	}
	defer part()
	asked, answered := newQueue(up.link.window()), newQueue(down.link.window())
	var copies sync.WaitGroup
	begin := func(whole func() bool) {
		copies.Go(func() {
			if !whole() {
				part()
			}
		})
	}

	time.Sleep(2 * up.link.Delay) // SYN and its answer: now the client may speak
	begin(func() bool { return asked.fill(client, up, count.fromClient) })
	begin(func() bool { return asked.drain(server, count.atServer) })
	time.Sleep(down.link.Delay) // the client's ACK: now the server may
	begin(func() bool { return answered.fill(server, down, count.fromServer) })
	begin(func() bool { return answered.drain(client, count.atClient) })
	copies.Wait()
}
