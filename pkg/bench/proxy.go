package bench

import (
	"net"
	"sync"
)

// Proxy is a slow network in front of one server: whoever connects to Addr
// speaks with the server over a Link. It needs no privilege and no module of
// the kernel.
//
// It does not know TCP's slow start and loses nothing, so a real network of
// the same delay is slower, for every program alike.
type Proxy struct {
	// Addr is where to connect, on loopback.
	Addr string

	target   string
	up, down pacer
	listener net.Listener
	relays   sync.WaitGroup

	mu     sync.Mutex
	open   map[net.Conn]*counter
	ended  Trips
	closed bool
}

// NewProxy begins to listen. The caller closes the proxy.
func NewProxy(target string, link Link) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		Addr: l.Addr().String(), target: target, listener: l,
		up: pacer{link: link}, down: pacer{link: link}, open: make(map[net.Conn]*counter),
	}
	p.relays.Go(p.accept) // Close waits for it
	return p, nil
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		count := p.remember(client)
		p.relays.Go(func() {
			defer p.forget(client)
			server, err := net.Dial("tcp", p.target)
			if err != nil {
				_ = client.Close() // which says that there is no server
				return
			}
			relay(client, server, &p.up, &p.down, count)
		})
	}
}

func (p *Proxy) remember(client net.Conn) *counter {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := new(counter)
	p.open[client] = count
	if p.closed {
		_ = client.Close() // Close has not seen it
	}
	return count
}

func (p *Proxy) forget(client net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[client].add(&p.ended)
	delete(p.open, client)
}

// Trips returns what went through until now. It may be called at any time.
func (p *Proxy) Trips() Trips {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.ended
	for _, c := range p.open {
		c.add(&t)
	}
	return t
}

// Close ends all connections and returns when nothing of the proxy runs any
// more.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for client := range p.open {
		_ = client.Close() // its relay ends
	}
	p.mu.Unlock()
	p.relays.Wait()
	return err
}
