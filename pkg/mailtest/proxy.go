package mailtest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy is a TCP relay on loopback that counts what the server sends and can
// call a function when a byte is reached: a place in a conversation without a
// clock.
type Proxy struct {
	// Addr is where to connect.
	Addr string

	target string
	sent   atomic.Int64
	at     int64
	reach  func()
	once   sync.Once
	ends   sync.WaitGroup
}

// NewProxy relays to target until the test ends. When the server has sent at
// bytes in all, reach is called once; at 0 never calls it.
func NewProxy(t testing.TB, target string, at int64, reach func()) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, at: at, reach: reach}
	p.ends.Go(func() { // Cleanup waits for it
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.ends.Go(func() { p.relay(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // it ends the loop above
		p.ends.Wait()
	})
	return p
}

// Sent returns how many bytes the server has sent in all.
func (p *Proxy) Sent() int64 { return p.sent.Load() }

// relay copies both ways until either side is done.
func (p *Proxy) relay(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	up := make(chan struct{})
	go func() { // it ends when either connection is closed, below
		defer close(up)
		_, _ = io.Copy(server, client) // an end is an end, however it comes
		_ = server.Close()
	}()
	_, _ = io.Copy(counted{client, p}, server)
	_ = client.Close()
	_ = server.Close()
	<-up
}

type counted struct {
	io.Writer
	proxy *Proxy
}

func (c counted) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	if total := c.proxy.sent.Add(int64(n)); c.proxy.at > 0 && total >= c.proxy.at {
		c.proxy.once.Do(c.proxy.reach)
	}
	return n, err
}
