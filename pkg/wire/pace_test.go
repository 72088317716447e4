package wire

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mailtest"
)

// paced returns a connection to a server that sends so many bytes at once and
// hangs up.
func paced(n int, limits Limits, paces ...*Pace) *Conn {
	client, server := mailtest.Pipe()
	go func() { // it ends with the client
		_, _ = io.Copy(server, bytes.NewReader(make([]byte, n)))
		_ = server.Close()
	}()
	c := newConn(client, limits.WithDefaults(), nil)
	c.paces = paces
	return c
}

// A limit is kept to a second's part, by one connection and by several together,
// and the lowest of two holds.
func TestPace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		connections int
		paces       []*Pace
		want        time.Duration
	}{
		"one":        {1, []*Pace{NewPace(10_000)}, 100 * time.Second},
		"two":        {2, []*Pace{NewPace(10_000)}, 200 * time.Second},
		"the lowest": {1, []*Pace{NewPace(100_000_000), NewPace(20_000)}, 50 * time.Second},
		"none":       {1, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				var group sync.WaitGroup
				for range c.connections {
					conn := paced(1_000_000, Limits{Response: 5 * time.Second}, c.paces...)
					conn.Await() // what we wait for ourselves is not the server's fault
					group.Go(func() {
						if n, err := io.Copy(io.Discard, conn); n != 1_000_000 && c.want > 0 || err != nil && err != net.ErrClosed {
							t.Errorf("%d bytes came, %v", n, err)
						}
						_ = conn.Close() // it has ended
					})
				}
				group.Wait()
				if took := time.Since(begin); took < c.want*9/10 || took > c.want*11/10 {
					t.Errorf("it took %s, want %s", took, c.want)
				}
			})
		})
	}
}

func TestNoPace(t *testing.T) {
	t.Parallel()
	if NewPace(0) != nil || NewPace(-1) != nil {
		t.Error("no limit is a limit")
	}
}
