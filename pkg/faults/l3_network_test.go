package faults

import (
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"sync/atomic"
	"time"
)

const (
	// l3Idle is the idle time-out of the accounts, the shortest that can be
	// configured.
	l3Idle = 5 * time.Second

	// l3Endless is how long a client may sit before a silent server until it
	// counts as one that waits for ever. The whole opening may take a minute.
	l3Endless = 90 * time.Second

	// l3Opening is about what a server sends until a client is signed in. Most
	// of the stalls there are ended by the server soon: a minute each would
	// leave little else to happen.
	l3Opening = 4000
)

// l3How is what a faulty network does to a connection.
type l3How byte

const (
	l3None     l3How = iota
	l3EOF            // the server hangs up
	l3Reset          // ECONNRESET
	l3Silence        // no byte any more, and no end
	l3Noise          // garbage between two bytes, and on it goes
	l3NoiseEOF       // garbage, and the server hangs up
)

// l3Tally counts the faults that happened, and not those that were planned
// behind the end of a connection.
type l3Tally struct {
	connections, cuts, stalls, endless, garbage, refused, certificates, full atomic.Int64
	kills, midRound, rounds, judged, removed, renumbered, retired            atomic.Int64
}

// l3Conn is the server's side of a connection over a faulty network. All of it
// belongs to the goroutine that serves the connection.
type l3Conn struct {
	net.Conn
	tcp   *net.TCPConn // the same one
	tally *l3Tally
	rng   *rand.Rand

	how  l3How
	up   bool  // the fault is in what the client sends
	left int64 // bytes until it strikes

	opening bool // it strikes before the client is signed in
}

// l3Network plans the fault of a connection: less than half have one. Where it
// strikes is as likely below a hundred bytes as between ten and a hundred
// thousand, so that openings, listings and bodies all have their share.
func l3Network(conn *net.TCPConn, rng *rand.Rand, tally *l3Tally, calm bool) *l3Conn {
	tally.connections.Add(1)
	c := &l3Conn{Conn: conn, tcp: conn, tally: tally, rng: rng}
	if calm || rng.IntN(100) >= 40 {
		return c
	}
	c.left = int64(math.Exp(rng.Float64()*math.Log(500_000))) - 1
	c.opening = c.left < l3Opening
	switch n := rng.IntN(100); {
	case n < 30:
		c.how = l3EOF
	case n < 60:
		c.how = l3Reset
	case n < 70:
		c.how = l3Silence
	case n < 85:
		c.how = l3Noise
	default:
		c.how = l3NoiseEOF
	}
	c.up = c.how <= l3Reset && rng.IntN(4) == 0
	if c.up {
		c.left = int64(rng.IntN(600)) // a client says little
	}
	return c
}

// Read implements net.Conn.
func (c *l3Conn) Read(p []byte) (int, error) {
	if !c.up || c.how == l3None {
		return c.Conn.Read(p)
	}
	if c.left <= 0 {
		return 0, c.strike()
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// Write implements net.Conn.
func (c *l3Conn) Write(p []byte) (int, error) {
	if c.up || c.how == l3None || int64(len(p)) <= c.left {
		c.left -= int64(len(p))
		return c.Conn.Write(p)
	}
	n, err := c.Conn.Write(p[:c.left])
	if err != nil {
		return n, err
	}
	if err := c.strike(); err != nil {
		return n, err
	}
	rest, err := c.Conn.Write(p[n:])
	return n + rest, err
}

// strike does what was planned. It returns nil when the connection goes on.
func (c *l3Conn) strike() error {
	how := c.how
	c.how = l3None
	switch how {
	case l3EOF:
		c.tally.cuts.Add(1)
	case l3Reset:
		c.tally.cuts.Add(1)
		_ = c.tcp.SetLinger(0) // without it the connection ends politely, which is a cut too
	case l3Silence:
		c.tally.stalls.Add(1)
		c.stall()
	case l3Noise, l3NoiseEOF:
		c.tally.garbage.Add(1)
		if _, err := c.Conn.Write(l3Garbage(c.rng)); err != nil || how == l3Noise {
			return err
		}
	}
	_ = c.Close() // the client sees it end
	return net.ErrClosed
}

// stall is silent until the client goes, or, in most openings, for a second.
func (c *l3Conn) stall() {
	patience, patient := l3Endless, true
	if c.opening && c.rng.IntN(16) > 0 {
		patience, patient = time.Second, false
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	_, err := io.Copy(io.Discard, c.Conn)
	if patient && errors.Is(err, os.ErrDeadlineExceeded) {
		c.tally.endless.Add(1)
	}
}

// l3Garbage returns bytes that stand for nothing in IMAP or POP3. Bytes that
// could be meant, such as a digit in a message, nobody can tell from the truth
// where there is no TLS.
func l3Garbage(rng *rand.Rand) []byte {
	garbage := make([]byte, 1+rng.IntN(64))
	for i := range garbage {
		garbage[i] = byte(0x80 + rng.IntN(0x80))
		if rng.IntN(4) == 0 {
			garbage[i] = byte(1 + rng.IntN(8))
		}
	}
	return garbage
}
