package imap

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"mailpull/pkg/mail"
)

// sink reads bodies and forgets them.
type sink struct{ messages int }

func (s *sink) Body(_ mail.Ref, _ int64, body io.Reader) error {
	_, err := io.Copy(io.Discard, body)
	return err
}

func (s *sink) Settle(_ mail.Item, outcome error) error {
	if outcome == nil {
		s.messages++
	}
	return nil
}

func (s *sink) Settled() error { return nil }

// BenchmarkFetch fetches 5,000 messages of 26 kB and compares that with
// draining the same answers from the bare connection in the same run.
func BenchmarkFetch(b *testing.B) {
	const n = 5000
	p := &peer{caps: "ESEARCH", messages: sized(n, 26<<10)}
	source := p.listen(b)
	var fetching, draining time.Duration
	b.SetBytes(n * 26 << 10)
	for b.Loop() {
		session, refs := selectInbox(b, source)
		began := time.Now()
		r := &sink{}
		if err := session.Fetch(context.Background(), refs, r); err != nil || r.messages != n {
			b.Fatalf("%d messages, %v", r.messages, err)
		}
		fetching += time.Since(began)
		session.Abort()
		draining += drainBare(b, source, n)
	}
	b.ReportMetric(fetching.Seconds()/draining.Seconds(), "times-the-drain")
	b.ReportMetric(draining.Seconds()/float64(b.N), "s-drain/op")
	b.ReportMetric(fetching.Seconds()/float64(b.N), "s-fetch/op")
}

// drainBare sends one FETCH for everything on a bare connection and returns
// how long it takes to read and forget the answer.
func drainBare(b *testing.B, source *Source, n int) time.Duration {
	b.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", source.options.Wire.Port))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	if _, err := fmt.Fprintf(conn, "z1 EXAMINE INBOX\r\nz2 UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])\r\n"); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewReaderSize(conn, 64<<10)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			b.Fatal(err)
		}
		if strings.HasPrefix(string(line), "z2 ") {
			return time.Since(began)
		}
	}
}
