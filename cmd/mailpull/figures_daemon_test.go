package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailpull/pkg/demo"
	"mailpull/pkg/mailtest"
)

// BenchmarkFiguresThousand prints what a daemon with a thousand accounts costs
// at rest, after each was pulled once, and how long a scrape of it takes.
func BenchmarkFiguresThousand(b *testing.B) {
	server, err := demo.Start(demo.Options{Messages: []demo.Message{{Body: []byte("Subject: one\r\n\r\ntext\r\n")}, {Body: []byte("Subject: two\r\n\r\ntext\r\n")}}})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close() // the daemon has ended
	s, listen := thousand(b, server)
	d := serve(b, s)
	for begin := time.Now(); s.complete() < 1000; time.Sleep(time.Second) { // they are spread over 50 seconds
		if time.Since(begin) > 3*time.Minute {
			b.Fatalf("only %d accounts were pulled", s.complete())
		}
	}
	before := d.cpu(b)
	time.Sleep(20 * time.Second)
	burnt := d.cpu(b) - before
	var scrapes []time.Duration
	size := 0
	for range 21 {
		begin := time.Now()
		size = scrape(b, listen)
		scrapes = append(scrapes, time.Since(begin))
	}
	slices.Sort(scrapes)
	rss := d.rss(b)
	b.ReportMetric(float64(rss)/1e6, "MB")
	b.ReportMetric(burnt.Seconds()/20*100, "%cpu")
	b.ReportMetric(scrapes[10].Seconds()*1000, "ms/scrape")
	b.ReportMetric(scrapes[20].Seconds()*1000, "ms/most")
	b.ReportMetric(float64(size)/1e6, "MB/scrape")
	b.ReportMetric(0, "ns/op")
	_, _ = d.stop(b, syscall.SIGTERM) // its end is not measured
}

// thousand writes a configuration with a thousand accounts on one server.
func thousand(b *testing.B, server *demo.Server) (s setup, listen string) {
	b.Helper()
	dir := b.TempDir()
	s = setup{config: filepath.Join(dir, "config.yaml"), archive: filepath.Join(dir, "mail"), state: filepath.Join(dir, "state")}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	listen = l.Addr().String()
	_ = l.Close() // the daemon takes the port
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, server.CAFile(), 0o600); err != nil {
		b.Fatal(err)
	}
	host, port, err := net.SplitHostPort(server.IMAPSAddr())
	if err != nil {
		b.Fatal(err)
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "archive: %s\nstate: %s\ndaemon: { listen: %q, passes: 8, connections_per_host: 20 }\ndefaults: { every: 24h }\naccounts:\n", s.archive, s.state, listen)
	for i := range 1000 {
		fmt.Fprintf(&text, "  - { name: a%d, imap: { host: %s, port: %s, tls: { ca_file: %q }, username: %s, password: %q } }\n", i, host, port, ca, demo.Username, demo.Password)
	}
	if err := os.WriteFile(s.config, text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	return s, listen
}

// complete counts the accounts whose records say that a pass has ended.
func (s setup) complete() int {
	files, _ := filepath.Glob(filepath.Join(s.state, "*", "manifest"))
	n := 0
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.Size() > 300 {
			n++
		}
	}
	return n
}

// scrape reads the metrics and returns their size.
func scrape(b *testing.B, addr string) int {
	b.Helper()
	answer, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close() // it was only read
	n, err := io.Copy(io.Discard, answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		b.Fatal(answer.Status, err)
	}
	return int(n)
}

// rss is the memory of the daemon in bytes.
func (s *service) rss(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	kilobytes, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return kilobytes << 10
}

// cpu is the time that the daemon has computed.
func (s *service) cpu(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // a hundred ticks in a second, see proc(5)
}

// BenchmarkFiguresDrain prints how long a drain takes in the middle of a message
// of 100 MB, and sees that the next daemon brings it.
func BenchmarkFiguresDrain(b *testing.B) {
	d := mailtest.StartDovecot(b, mailtest.DovecotOptions{})
	body := append([]byte("Subject: large\r\n\r\n"), bytes.Repeat([]byte("0123456789012345678901234567890123456789012345678901234567890123456789\r\n"), 100_000_000/72)...)
	d.Deliver(user, "INBOX", []demo.Message{{Body: body, Date: time.Unix(1_700_000_000, 0)}})
	var times []time.Duration
	for range 5 {
		s := daemonSetup(b, d, "")
		daemon := serve(b, s)
		within(b, "a part of the message is there", func() bool { return s.partial() > 1<<20 })
		took, err := daemon.stop(b, syscall.SIGTERM)
		if err != nil {
			b.Fatal(err)
		}
		if s.arrived("work") == 0 { // else it was faster than the signal
			times = append(times, took)
		}
		again := serve(b, s)
		within(b, "the message is there", func() bool { return s.arrived("work") == 1 })
		_, _ = again.stop(b, syscall.SIGTERM) // its end is not measured
	}
	if len(times) == 0 {
		b.Fatal("no drain came in the middle of the message")
	}
	slices.Sort(times)
	b.ReportMetric(times[len(times)/2].Seconds()*1000, "ms/median")
	b.ReportMetric(times[len(times)-1].Seconds()*1000, "ms/most")
	b.ReportMetric(float64(len(times)), "drains")
	b.ReportMetric(0, "ns/op")
}

// partial is how many bytes of messages lie in tmp.
func (s setup) partial() int64 {
	entries, _ := os.ReadDir(filepath.Join(s.archive, "work", "tmp")) // none before the first pass
	var n int64
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			n += info.Size()
		}
	}
	return n
}
