package mailtest

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A line takes its time for a round trip and for each byte, and passes on every
// byte and the way in which the server ends.
func TestLine(t *testing.T) {
	t.Parallel()
	const size = 100_000
	for how, want := range map[Ending]error{EndEOF: nil, EndReset: syscall.ECONNRESET} {
		synctest.Test(t, func(t *testing.T) {
			l := &Link{CutAt: size, How: how, Line: &Line{Rate: 10_000, Delay: 100 * time.Millisecond}}
			l.Serve = func(conn net.Conn) {
				if _, err := io.ReadFull(conn, make([]byte, 1)); err == nil {
					_, _ = conn.Write(make([]byte, size+1)) // it is cut
				}
			}
			conn, err := l.Dial(context.Background(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if _, err := conn.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(conn)
			if took, most := time.Since(began), 10*time.Second+200*time.Millisecond; took < most || took > most+time.Millisecond {
				t.Errorf("%s: it took %s, want %s", how, took, most)
			}
			if len(data) != size || !errors.Is(err, want) {
				t.Errorf("%s: %d bytes came, %v", how, len(data), err)
			}
			_ = conn.Close() // the server has gone
			l.Wait()
		})
	}
}

// A client that goes is noticed by its server, also when it did not read all.
func TestLineClientGoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &Link{Line: &Line{Rate: 10_000, Delay: 100 * time.Millisecond}}
		l.Serve = func(conn net.Conn) {
			for {
				if _, err := conn.Write(make([]byte, 1000)); err != nil {
					return
				}
			}
		}
		conn, err := l.Dial(context.Background(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, 5000)); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close() // it is all that this test is about
		l.Wait()
	})
}
