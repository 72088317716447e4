package mailtest

import (
	"compress/flate"
	"io"
	"net"
)

// Deflated returns a connection on which a server goes on after COMPRESS
// DEFLATE (RFC 4978): what is written goes over conn as a deflate stream, with a
// flush behind each write, and what is read is inflated from r, which is conn or
// what stands before it.
func Deflated(conn net.Conn, r io.Reader) net.Conn {
	w, err := flate.NewWriter(conn, flate.DefaultCompression)
	if err != nil {
		panic(err) // there is such a level
	}
	return &deflated{Conn: conn, in: flate.NewReader(r), out: w}
}

type deflated struct {
	net.Conn
	in  io.Reader
	out *flate.Writer
}

// Read implements net.Conn.
func (d *deflated) Read(p []byte) (int, error) { return d.in.Read(p) }

// Write implements net.Conn.
func (d *deflated) Write(p []byte) (int, error) {
	n, err := d.out.Write(p)
	if err == nil {
		err = d.out.Flush()
	}
	return n, err
}
