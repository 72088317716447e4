package pop3

import (
	"context"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/wire"
)

// drain reads bodies and keeps nothing.
type drain struct{ bytes int64 }

func (d *drain) Body(_ mail.Ref, _ int64, body io.Reader) error {
	n, err := io.Copy(io.Discard, body)
	d.bytes += n
	return err
}
func (d *drain) Settle(mail.Item, error) error { return nil }
func (d *drain) Settled() error                { return nil }

// BenchmarkFetch reads 2,000 messages of 28 KB from a server on loopback, and
// the same bytes from a connection that is just drained, in turn. Only the
// ratio counts: it is what commands, the strict reader and the session add.
func BenchmarkFetch(b *testing.B) {
	body := strings.Repeat(strings.Repeat("x", 76)+"\r\n", 28_000/78)
	drop := &maildrop{bodies: slices.Repeat([]string{body}, 2000), answers: map[string]string{}}
	answer := "+OK\r\n" + mailtest.DotStuffed(body)
	for i := range drop.bodies {
		number := strconv.Itoa(i + 1)
		drop.answers["RETR "+number] = answer
		drop.answers["UIDL "+number] = "+OK " + number + " " + string(drop.uidl(i)) + "\r\n"
	}
	total := int64(len(drop.bodies) * len(body))
	b.SetBytes(total)
	var fetched, drained time.Duration
	for b.Loop() {
		begin := time.Now()
		if n := fetchAll(b, drop); n != total {
			b.Fatalf("fetched %d bytes, want %d", n, total)
		}
		fetched += time.Since(begin)
		begin = time.Now()
		drainAll(b, answer, len(drop.bodies))
		drained += time.Since(begin)
	}
	b.ReportMetric(fetched.Seconds()/drained.Seconds(), "x-drained")
	b.ReportMetric(fetched.Seconds()/float64(b.N), "s-fetch/op")
	b.ReportMetric(drained.Seconds()/float64(b.N), "s-drain/op")
}

func fetchAll(b *testing.B, drop *maildrop) int64 {
	l := loopback(b)
	var server sync.WaitGroup
	server.Go(func() {
		if conn, err := l.Accept(); err == nil {
			drop.serve(conn)
		}
	})
	source := drop.dialled(wire.Limits{}, func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
	})
	var d drain
	if err := whole(b.Context(), source, &d); err != nil {
		b.Fatal(err)
	}
	server.Wait()
	return d.bytes
}

func drainAll(b *testing.B, answer string, times int) {
	l := loopback(b)
	var server sync.WaitGroup
	server.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for range times {
			if _, err := io.WriteString(conn, answer); err != nil {
				return
			}
		}
	})
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	// io.Copy would use splice and never see the bytes.
	buf := make([]byte, 64<<10)
	for err == nil {
		_, err = conn.Read(buf)
	}
	server.Wait()
}
