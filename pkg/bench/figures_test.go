package bench

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailpull/pkg/checkpoint"
	"mailpull/pkg/demo"
	"mailpull/pkg/display"
	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/manifest"
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
	f.million()
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

// million measures passes without news over a mailbox of a million messages. The
// checkpoint is written as a first pass would have left it: a million files take
// minutes to make, and are not looked at.
func (f *figures) million() {
	const n = 1_000_000
	for _, gap := range []mail.UID{0, 1} { // behind every second message
		var uids mail.UIDSet
		for i := range mail.UID(n) {
			uid := 1 + i + i/2*gap
			uids.Add(uid, uid)
		}
		box := mailtest.NewIMAPBox("INBOX")
		box.Many = mailtest.NewIMAPMany(uids, func(uid mail.UID) string { return fmt.Sprintf("Subject: %d\r\n\r\n", uid) })
		server := &mailtest.IMAPServer{Caps: "ESEARCH LIST-STATUS SASL-IR AUTH=PLAIN", Boxes: []*mailtest.IMAPBox{box}}
		config := f.pulled(f.listen(server), uids)
		var runs []timing
		for range 5 {
			runs = append(runs, f.timed(f.binary, "run", "--config", config))
		}
		idle := median(runs)
		f.say("no news, mailbox of %d messages in %d ranges of UIDs (limit 1s, 33.6 MB): %v, peak %s, %d commands a pass",
			n, len(uids), idle.took.Round(time.Millisecond), display.Size(idle.peak), len(server.Heard(""))/len(runs))
	}
}

// listen serves IMAP on a loopback port until the benchmark ends.
func (f *figures) listen(server *mailtest.IMAPServer) (port int) {
	f.b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.b.Fatal(err)
	}
	f.b.Cleanup(func() { _ = l.Close() }) // the loop below ends
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go server.Serve(conn) // it ends with its client
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// pulled writes a configuration, and a checkpoint that has all of INBOX. The
// manifest has one line, because an empty one would be refused beside it.
func (f *figures) pulled(port int, uids mail.UIDSet) (config string) {
	f.b.Helper()
	path := f.b.TempDir()
	text := fmt.Sprintf("archive: mail\nstate: state\naccounts:\n  - { name: big, imap: { host: 127.0.0.1, port: %d, security: none, username: me, password: x } }\n", port)
	config = filepath.Join(path, "config.yaml")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		f.b.Fatal(err)
	}
	state := filepath.Join(path, "state", "big")
	for _, made := range []string{state, filepath.Join(path, "mail", "big", "cur")} { // an archive that is missing is refused as well
		if err := os.MkdirAll(made, 0o700); err != nil {
			f.b.Fatal(err)
		}
	}
	dir, err := durable.OpenDir(state)
	if err != nil {
		f.b.Fatal(err)
	}
	defer dir.Close() // all is durable by then
	file, err := checkpoint.Open(checkpoint.Options{Dir: dir, Account: "big", Source: "imap"})
	if err != nil {
		f.b.Fatal(err)
	}
	defer file.Close()
	all := mail.Refs{Mailbox: mail.Inbox, Validity: 7, UIDs: uids}
	for refs := range slices.Chunk(slices.Collect(all.All), 100_000) {
		if err := file.Commit(refs); err != nil {
			f.b.Fatal(err)
		}
	}
	status := mail.Status{Validity: 7, UIDNext: uids.Max() + 1, Messages: uids.Len()}
	if err := file.Complete(mail.Inbox, status, uids.Len(), mail.Excluded{}); err != nil {
		f.b.Fatal(err)
	}
	list, err := manifest.Open(manifest.Options{Dir: dir, Account: "big"})
	if err != nil {
		f.b.Fatal(err)
	}
	defer list.Close()
	if err := list.Append([]mail.Delivery{{Item: mail.Item{Ref: mail.Ref{Mailbox: mail.Inbox, Validity: 7, UID: 1}}}}); err != nil {
		f.b.Fatal(err)
	}
	if err := file.EndPass(mail.Pass{Start: time.Now(), End: time.Now(), Complete: true}); err != nil {
		f.b.Fatal(err)
	}
	return config
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
