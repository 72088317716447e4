package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
)

// Compression says when an IMAP server is asked to compress what it sends.
type Compression string

// The words for it.
const (
	CompressAuto   Compression = "auto" // where it pays, see IMAP.Compress
	CompressAlways Compression = "always"
	CompressNever  Compression = "never"
)

// MayCompress reports whether Compress should be called: the server announces
// COMPRESS=DEFLATE (RFC 4978), was not asked yet on this connection, and it pays,
// because the line is slow and the server not on this machine or in its own
// network. The options can say otherwise.
func (c *IMAP) MayCompress(slow bool) bool {
	return !c.compressTried && c.Has("COMPRESS=DEFLATE") && c.pays(slow)
}

// Compress has the server compress what it sends from now on, where MayCompress
// says so. It asks once on a connection, and a refusal is no error.
//
// It is for a caller who fetches. Who signs in, lists and waits does without: no
// pass without news pays the round trip, and no connection that only waits the
// memory. The password is not in the stream, either.
//
// What holds for Aside holds here: go-imap must have no command in flight, and
// any error ends the connection, but for one of class local. A stream that is
// damaged later ends it with ErrDamaged.
func (c *IMAP) Compress(ctx context.Context) error {
	c.compressTried = true
	return c.takeOver(ctx, c.compress)
}

// Compressed reports whether the server compresses what it sends.
func (c *IMAP) Compressed() bool { return c.in.inflater != nil }

// pays decides as the options say.
func (c *IMAP) pays(slow bool) bool {
	switch c.options.Compress {
	case CompressAlways:
		return true
	case CompressNever:
		return false
	}
	return slow && !isNear(c.conn.RemoteAddr())
}

// isNear reports whether an address is of this machine or a private network,
// where a server compresses more slowly than the network carries. What is no
// address of the network is near, too.
func isNear(addr net.Addr) bool {
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return true
	}
	ip := at.Addr().Unmap()
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
}

// compress asks, and from the answer on everything is compressed, both ways
// (RFC 4978 section 3).
func (c *IMAP) compress() error {
	status, err := c.ask("COMPRESS DEFLATE", nil)
	if err != nil {
		_ = c.in.fail(err) // it may be a BYE, and the connection still open
		return err
	}
	if !status.OK() {
		c.options.Log.Debug("imap server does not compress", "answer", status.String())
		return nil
	}
	c.in.inflate()
	c.conn.deflate()
	c.options.Log.Debug("imap session compressed", "addr", c.options.address())
	return nil
}

// inflate has the stream inflate what comes from now on. What was read behind
// the last line is compressed already.
func (s *imapStream) inflate() {
	ahead := bytes.Clone(s.buf[s.r:s.w])
	s.r, s.w = 0, 0
	s.inflater = newInflater(io.MultiReader(bytes.NewReader(ahead), s.conn))
}

// receive reads from the connection, through the inflater if there is one. What
// a server sent before it hung up is read to its end. But one that we closed
// ends at once, or little on the wire could go on being much for long.
func (s *imapStream) receive(p []byte) (int, error) {
	if s.inflater == nil {
		return s.conn.Read(p)
	}
	if err := s.conn.Err(); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	n, err := s.inflater.Read(p)
	if err != nil && err == s.inflater.err {
		err = s.conn.fail(err)
	}
	return n, err
}

// deflate has Write write a deflate stream from now on.
func (c *Conn) deflate() {
	c.mu.Lock()
	c.deflates = true
	c.mu.Unlock()
}

// outgoing returns what p is on the wire.
func (c *Conn) outgoing(p []byte) []byte {
	c.mu.Lock()
	deflates := c.deflates
	c.mu.Unlock()
	if !deflates {
		return p
	}
	return stored(p)
}

// stored returns p in stored blocks of a deflate stream (RFC 1951 section
// 3.2.4). We send commands, and they are so short beside what they ask for that
// to compress them would save nothing but cost memory. An empty block stands
// behind them as zlib writes it to flush: some servers look at nothing before it.
func stored(p []byte) []byte {
	const most = 0xffff
	out := make([]byte, 0, len(p)+5*(len(p)/most+2))
	for more := true; more; {
		more = len(p) > 0
		n := min(len(p), most)
		out = append(out, 0, byte(n), byte(n>>8), byte(^n), byte(^n>>8))
		out = append(out, p[:n]...)
		p = p[n:]
	}
	return out
}
