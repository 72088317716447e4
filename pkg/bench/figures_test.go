package bench

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailpull/pkg/demo"
	"mailpull/pkg/display"
	"mailpull/pkg/mailtest"
)

// BenchmarkFigures prints figures of the documentation that compare with
// nobody: they are bounded by themselves. It wants the real binary in
// MAILPULL_BINARY; make bench builds it.
func BenchmarkFigures(b *testing.B) {
	binary := os.Getenv("MAILPULL_BINARY")
	if binary == "" {
		b.Skip("SKIPPED: MAILPULL_BINARY is not set: run make bench")
	}
	f := &figures{b: b, binary: binary}
	f.static()
	f.startUp()
	f.manyMessages()
	f.gaps()
	f.largeMessage()
	fmt.Println()
	for _, line := range f.lines {
		fmt.Println(line)
	}
	b.ReportMetric(0, "ns/op") // the time of this benchmark itself says nothing
}

// figures collects what is printed at the end.
type figures struct {
	b      *testing.B
	binary string
	lines  []string
}

func (f *figures) say(format string, args ...any) {
	f.lines = append(f.lines, fmt.Sprintf(format, args...))
}

// timed runs a program to its end.
func (f *figures) timed(args ...string) Run {
	f.b.Helper()
	return process{args: args, limit: 10 * time.Minute}.run(f.b)
}

// static looks whether the binary asks for a dynamic linker.
func (f *figures) static() {
	file, err := elf.Open(f.binary)
	if err != nil {
		f.b.Fatal(err)
	}
	defer file.Close()
	linked := "static"
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			linked = "NOT static"
		}
	}
	info, err := os.Stat(f.binary)
	if err != nil {
		f.b.Fatal(err)
	}
	f.say("binary: %s, %s", linked, display.Size(info.Size()))
}

func (f *figures) startUp() {
	var starts Row
	for range 21 {
		starts.Runs = append(starts.Runs, f.timed(f.binary, "version"))
	}
	median, _, _ := starts.Took()
	f.say("mailpull version: %v median of %d starts (limit 20ms)", median.Round(100*time.Microsecond), len(starts.Runs))
}

// manyMessages measures the peak of memory over a mailbox of 100,000 messages,
// at the first pass, at one without news, and with the checkpoint deleted.
func (f *figures) manyMessages() {
	const n = 100_000
	d := mailtest.StartDovecot(f.b, mailtest.DovecotOptions{})
	small := make([]demo.Message, n)
	for i := range small {
		small[i] = demo.Message{Body: fmt.Appendf(nil, "Subject: %d\r\nMessage-ID: <%d@example.com>\r\n\r\n%d\r\n", i, i, i), Date: time.Unix(1_600_000_000+int64(i), 0)}
	}
	d.Deliver("many", "INBOX", small)
	for _, protocol := range []string{"imap", "pop3"} {
		ours := mailpull(f.b, f.binary, f.b.TempDir(), taskOn(d, protocol, "many"))
		first := f.timed(ours.args...)
		mustCount(f.b, ours.mail, n)
		idle := f.timed(ours.args...)
		if err := os.Remove(filepath.Join(ours.home, "state", "many", "checkpoint")); err != nil {
			f.b.Fatal(err)
		}
		again := f.timed(ours.args...)
		mustCount(f.b, ours.mail, n)
		f.say("peak memory, %s, mailbox of %d messages (limit 33.6 MB): first pass %s in %v, no news %s in %v, checkpoint deleted %s in %v", protocol, n,
			display.Size(first.Peak), first.Took.Round(10*time.Millisecond), display.Size(idle.Peak), idle.Took.Round(time.Millisecond), display.Size(again.Peak), again.Took.Round(10*time.Millisecond))
	}
}

// largeMessage measures the peak of memory over one message of 100 MB.
func (f *figures) largeMessage() {
	d := mailtest.StartDovecot(f.b, mailtest.DovecotOptions{})
	line := strings.Repeat("0123456789abcdef", 4)[:62] + "\r\n"
	body := "Subject: large\r\n\r\n" + strings.Repeat(line, 100<<20/len(line))
	for name, text := range map[string]string{"lines": body, "odd": body + "no end"} {
		d.Deliver(name, "INBOX", []demo.Message{{Body: []byte(text)}})
		for _, protocol := range []string{"imap", "pop3"} {
			ours := mailpull(f.b, f.binary, f.b.TempDir(), taskOn(d, protocol, name))
			r := f.timed(ours.args...)
			mustCount(f.b, ours.mail, 1)
			f.say("peak memory, %s, one message of %s (%s; limit 33.6 MB): %s in %v", protocol, display.Size(int64(len(text))), name, display.Size(r.Peak), r.Took.Round(10*time.Millisecond))
		}
	}
}
