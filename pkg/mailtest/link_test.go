package mailtest

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// parrot says hello and repeats each line.
func parrot(conn net.Conn) {
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		return
	}
	lines := bufio.NewReader(conn)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if _, err := io.WriteString(conn, line); err != nil {
			return
		}
	}
}

// The client sees every byte in front of the cut and then the ending; what it
// dials next is whole.
func TestLinkCuts(t *testing.T) {
	t.Parallel()
	for how, want := range map[Ending]error{EndEOF: nil, EndReset: syscall.ECONNRESET, EndStall: os.ErrDeadlineExceeded} {
		t.Run(how.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				link := &Link{Serve: parrot, CutAt: 9, How: how}
				conn, _ := link.Dial(t.Context(), "", "")
				if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
					t.Fatal(err)
				}
				_, _ = io.WriteString(conn, "world\n")
				began := time.Now()
				got, err := io.ReadAll(conn)
				if string(got) != "hello\nwor" || !errors.Is(err, want) {
					t.Errorf("got %q, %v; want %v", got, err, want)
				}
				if waited := time.Since(began); how == EndStall && waited != time.Minute {
					t.Errorf("the deadline came after %v", waited)
				}
				_ = conn.Close()
				again, _ := link.Dial(t.Context(), "", "")
				if line, err := bufio.NewReader(again).ReadString('\n'); line != "hello\n" || err != nil {
					t.Errorf("the next connection said %q, %v", line, err)
				}
				_ = again.Close()
				link.Wait()
				if !link.WasCut() || link.Dials() != 2 {
					t.Errorf("cut %v, %d dials", link.WasCut(), link.Dials())
				}
			})
		})
	}
}

// A writer waits when the window is full, and goes on when there is room.
func TestPipeHasAWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, server := Pipe()
		text := strings.Repeat("x", 3*window)
		if err := server.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := io.WriteString(server, text)
		if n != window || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("wrote %d, %v", n, err)
		}
		if err := server.SetWriteDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		go func() { // ends with the last byte, which is read below
			_, _ = io.WriteString(server, text[n:])
			_ = server.Close()
		}()
		got, err := io.ReadAll(client)
		if len(got) != len(text) || err != nil {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
		if _, err := io.WriteString(client, "x"); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("writing to nobody: %v", err)
		}
	})
}
