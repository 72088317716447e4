package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// wan is the network of most tests: 50 ms to the server and back.
var wan = Link{Delay: 25 * time.Millisecond}

// over runs a client and a server at the ends of a link, in a bubble, and
// returns what was counted.
func over(link Link, client, server func(net.Conn)) Trips {
	up, down := &pacer{link: link}, &pacer{link: link}
	return overPaced(up, down, client, server)
}

func overPaced(up, down *pacer, client, server func(net.Conn)) Trips {
	near, nearEnd := net.Pipe()
	farEnd, far := net.Pipe()
	var count counter
	var all sync.WaitGroup
	all.Go(func() { relay(nearEnd, farEnd, up, down, &count) })
	all.Go(func() { server(far); _ = far.Close() })
	client(near)
	_ = near.Close()
	all.Wait()
	var t Trips
	count.add(&t)
	return t
}

// echo answers each line.
func echo(conn net.Conn) {
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if _, err := fmt.Fprintf(conn, "%s\n", lines.Text()); err != nil {
			return
		}
	}
}

// A dialog pays a round trip for each question, and one for the connection.
func TestDialogPaysEachRoundTrip(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		trips := over(wan, func(conn net.Conn) {
			answers := bufio.NewReader(conn)
			for range 9 {
				fmt.Fprintln(conn, "question")
				if line, err := answers.ReadString('\n'); err != nil || line != "question\n" {
					t.Error(line, err)
				}
			}
			if got := time.Since(begin); got != 500*time.Millisecond {
				t.Errorf("it took %v", got)
			}
		}, echo)
		if trips.Longest != 10 || trips.Up != 81 || trips.Down != 81 {
			t.Errorf("%+v", trips)
		}
	})
}

// Questions that are sent together pay one.
func TestQuestionsTogetherPayOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		trips := over(wan, func(conn net.Conn) {
			go fmt.Fprint(conn, strings.Repeat("question\n", 50)) // the pipe has no room of its own
			answers := bufio.NewReader(conn)
			for range 50 {
				if _, err := answers.ReadString('\n'); err != nil {
					t.Error(err)
				}
			}
			if got := time.Since(begin); got != 100*time.Millisecond {
				t.Errorf("it took %v", got)
			}
		}, echo)
		if trips.Longest != 2 {
			t.Errorf("%+v", trips)
		}
	})
}

// A server that speaks first is heard a round trip after the connection.
func TestGreetingTakesARoundTrip(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		trips := over(wan, func(conn net.Conn) {
			if line, err := bufio.NewReader(conn).ReadString('\n'); line != "hello\n" {
				t.Error(line, err)
			}
			if got := time.Since(begin); got != 100*time.Millisecond {
				t.Errorf("it took %v", got)
			}
		}, func(conn net.Conn) { fmt.Fprintln(conn, "hello") })
		if trips.Longest != 2 {
			t.Errorf("%+v", trips)
		}
	})
}

// Two connections share what a link carries, and each byte arrives in its
// order.
func TestRateIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		link := Link{Delay: 25 * time.Millisecond, Rate: 1 << 20}
		up, down := &pacer{link: link}, &pacer{link: link}
		body := make([]byte, 3<<20)
		for i := range body {
			body[i] = byte(rand.IntN(256))
		}
		begin := time.Now()
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				overPaced(up, down, func(conn net.Conn) {
					if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, body) {
						t.Errorf("%d bytes that differ, %v", len(got), err)
					}
				}, func(conn net.Conn) { _, _ = conn.Write(body) })
			})
		}
		both.Wait()
		if got, want := time.Since(begin), 6*time.Second+100*time.Millisecond; got < want-time.Millisecond || got > want+time.Millisecond {
			t.Errorf("it took %v, not %v", got, want)
		}
	})
}

// What is under way is bounded when nobody reads.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		written := 0
		over(wan, func(conn net.Conn) { time.Sleep(time.Hour) }, func(conn net.Conn) {
			for {
				n, err := conn.Write(make([]byte, 10_000))
				if written += n; err != nil {
					return
				}
			}
		})
		if written < window || written > window+2*maxChunk {
			t.Errorf("%d bytes were taken", written)
		}
	})
}

// The end of one side is not the end of the other, and a proxy counts all of
// its connections.
func TestHalfCloseIsPassedOn(t *testing.T) {
	t.Parallel()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			got, err := io.ReadAll(conn) // it ends when the client has said all
			if err == nil {
				_, err = conn.Write(bytes.ToUpper(got))
			}
			if cerr := conn.Close(); err != nil || cerr != nil {
				t.Error(err, cerr)
			}
		}
	})
	p, err := NewProxy(server.Addr().String(), Link{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		conn, err := net.Dial("tcp", p.Addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, "words")
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Error(err)
		}
		if got, err := io.ReadAll(conn); err != nil || string(got) != "WORDS" {
			t.Errorf("%q, %v", got, err)
		}
		_ = conn.Close()
	}
	if got := p.Trips(); got != (Trips{Connections: 2, Up: 10, Down: 10, Longest: 2, Sum: 4}) {
		t.Errorf("%+v", got)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	_ = server.Close()
	all.Wait()
}

// A proxy closes while a client says nothing, and where nobody listens.
func TestProxyCloses(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, target := range []string{l.Addr().String(), "127.0.0.1:0"} {
		p, err := NewProxy(target, Link{})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", p.Addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if n, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("%d bytes", n)
		}
		_ = conn.Close()
	}
}
