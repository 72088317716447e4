package main

import (
	"debug/elf"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
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

// BenchmarkFigures prints the figures of the documentation. Times are given
// as ratios within one run, against a peer or a limit that is measured in the
// same minutes: single figures swing by a factor of two between machines and
// hours. It wants the real binary in MAILPULL_BINARY; make bench builds it.
func BenchmarkFigures(b *testing.B) {
	binary := os.Getenv("MAILPULL_BINARY")
	if binary == "" {
		b.Skip("SKIPPED: MAILPULL_BINARY is not set: run make bench")
	}
	f := &figures{b: b, binary: binary}
	f.static()
	f.startUp()
	f.firstPass()
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

// timing is one finished process: how long it took and its peak of memory.
type timing struct {
	took time.Duration
	peak int64 // bytes
}

// timed runs a program to its end, below the command peak.
func (f *figures) timed(args ...string) timing {
	f.b.Helper()
	out, err := exec.Command("peak", args...).CombinedOutput()
	if err != nil {
		f.b.Fatalf("%v: %v\n%s", args, err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var nanoseconds, kib int64
	if _, err := fmt.Sscanf(lines[len(lines)-1], "peak %d %d", &nanoseconds, &kib); err != nil {
		f.b.Fatalf("%v: %v\n%s", args, err, out)
	}
	return timing{time.Duration(nanoseconds), kib << 10}
}

// peak is a command for timed: it runs a program and prints how long that
// took, in nanoseconds, and the most memory it had, in KiB. It is a process of
// its own because a child's account of memory begins with that of the process
// that started it (execve(2) keeps it), and the benchmark's is large.
func peak() {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	begun := time.Now()
	err := cmd.Run()
	took := time.Since(begun)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		fmt.Fprintln(os.Stderr, "no account of resources on this system")
		os.Exit(1)
	}
	fmt.Printf("peak %d %d\n", took.Nanoseconds(), usage.Maxrss) // KiB on Linux: getrusage(2)
}

func median(runs []timing) timing {
	byTime := slices.SortedFunc(slices.Values(runs), func(a, b timing) int { return int(a.took - b.took) })
	peak := slices.MaxFunc(runs, func(a, b timing) int { return int(a.peak - b.peak) }).peak
	return timing{byTime[len(byTime)/2].took, peak}
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
	var runs []timing
	for range 21 {
		runs = append(runs, f.timed(f.binary, "version"))
	}
	f.say("mailpull version: %v median of %d starts (limit 20ms)", median(runs).took.Round(100*time.Microsecond), len(runs))
}

// account writes a configuration for a fresh archive and returns its path.
func (f *figures) account(dir string, d *mailtest.Dovecot, protocol, name string) string {
	f.b.Helper()
	addr := d.IMAPSAddr
	if protocol == "pop3" {
		addr = d.POP3SAddr
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		f.b.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		f.b.Fatal(err)
	}
	path := filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf(`archive: mail
state: state
accounts:
  - name: %s
    %s: { host: localhost, port: %s, tls: { ca_file: %q }, username: %s, password: %s }
`, name, protocol, port, d.CAFile, name, mailtest.DovecotPassword)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.b.Fatal(err)
	}
	return path
}

// firstPass compares a first pass over 10,000 messages with mbsync's, with
// its default flush, in turn, and with the raw drain of one connection.
func (f *figures) firstPass() {
	mbsync, err := exec.LookPath("mbsync")
	if err != nil {
		f.say("SKIPPED: first pass against mbsync: mbsync is not installed")
		return
	}
	const n = 10_000
	d := mailtest.StartDovecot(f.b, mailtest.DovecotOptions{})
	corpus := mailtest.Corpus(1, n)
	var bytes int64
	for _, m := range corpus {
		bytes += int64(len(m.Body))
	}
	d.Deliver("bench", "INBOX", corpus)

	var ours, theirs []timing
	var drains []time.Duration
	for i := range 4 { // the first round fills caches and does not count
		dir := f.b.TempDir()
		config := f.account(filepath.Join(dir, "mailpull"), d, "imap", "bench")
		a := f.timed(f.binary, "run", "--config", config)
		f.mustHold(filepath.Join(dir, "mailpull", "mail"), n)
		rc := mbsyncConfig(f.b, filepath.Join(dir, "mbsync"), d, "bench")
		p := f.timed(mbsync, "-q", "-c", rc, "-a")
		f.mustHold(filepath.Join(dir, "mbsync", "mail"), n)
		drain := f.drain(d, "bench")
		if i > 0 {
			ours, theirs, drains = append(ours, a), append(theirs, p), append(drains, drain)
		}
	}
	o, t := median(ours), median(theirs)
	slices.Sort(drains)
	f.say("first IMAP pass, %d messages, %s, durable:", n, display.Size(bytes))
	f.say("  mailpull %v (peak %s), mbsync %v (peak %s): ratio %.2f (limit 0.60)",
		o.took.Round(time.Millisecond), display.Size(o.peak), t.took.Round(time.Millisecond), display.Size(t.peak), o.took.Seconds()/t.took.Seconds())
	f.say("  spread: mailpull %v, mbsync %v", times(ours), times(theirs))
	f.say("  one connection drained and thrown away: %v", drains[len(drains)/2].Round(time.Millisecond))
}

func times(runs []timing) []string {
	var out []string
	for _, r := range runs {
		out = append(out, r.took.Round(10*time.Millisecond).String())
	}
	return out
}

// mbsyncConfig is a configuration for the same task: one way, into Maildir.
func mbsyncConfig(b *testing.B, dir string, d *mailtest.Dovecot, user string) string {
	b.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "mail"), 0o700); err != nil {
		b.Fatal(err)
	}
	_, port, err := net.SplitHostPort(d.IMAPSAddr)
	if err != nil {
		b.Fatal(err)
	}
	rc := filepath.Join(dir, "mbsyncrc")
	text := fmt.Sprintf(`IMAPAccount a
Host localhost
Port %s
User %s
Pass %s
SSLType IMAPS
CertificateFile %s
SystemCertificates no

IMAPStore far
Account a

MaildirStore near
Path %s/mail/
Inbox %s/mail/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns *
Sync Pull
Create Near
SyncState *
`, port, user, mailtest.DovecotPassword, d.CAFile, dir, dir)
	if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return rc
}

// mustHold counts the messages of an archive.
func (f *figures) mustHold(dir string, want int) {
	f.b.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if parent := filepath.Base(filepath.Dir(path)); err == nil && !e.IsDir() && (parent == "cur" || parent == "new") {
			n++
		}
		return err
	})
	if err != nil || n != want {
		f.b.Fatalf("%s holds %d messages, want %d; %v", dir, n, want, err)
	}
}

// drain reads the whole mailbox over one connection and throws it away: what
// the network and the server need.
func (f *figures) drain(d *mailtest.Dovecot, user string) time.Duration {
	f.b.Helper()
	conn, err := net.Dial("tcp", d.IMAPAddr)
	if err != nil {
		f.b.Fatal(err)
	}
	defer conn.Close()
	begun := time.Now()
	_, err = fmt.Fprintf(conn, "a LOGIN %s %s\r\nb EXAMINE INBOX\r\nc UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])\r\nd LOGOUT\r\n", user, mailtest.DovecotPassword)
	if err != nil {
		f.b.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		f.b.Fatal(err)
	}
	return time.Since(begun)
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
		dir := f.b.TempDir()
		config := f.account(dir, d, protocol, "many")
		first := f.timed(f.binary, "run", "--config", config)
		f.mustHold(filepath.Join(dir, "mail"), n)
		idle := f.timed(f.binary, "run", "--config", config)
		if err := os.Remove(filepath.Join(dir, "state", "many", "checkpoint")); err != nil {
			f.b.Fatal(err)
		}
		again := f.timed(f.binary, "run", "--config", config)
		f.mustHold(filepath.Join(dir, "mail"), n)
		f.say("peak memory, %s, mailbox of %d messages (limit 33.6 MB): first pass %s in %v, no news %s in %v, checkpoint deleted %s in %v", protocol, n,
			display.Size(first.peak), first.took.Round(10*time.Millisecond), display.Size(idle.peak), idle.took.Round(time.Millisecond), display.Size(again.peak), again.took.Round(10*time.Millisecond))
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
			dir := f.b.TempDir()
			r := f.timed(f.binary, "run", "--config", f.account(dir, d, protocol, name))
			f.mustHold(filepath.Join(dir, "mail"), 1)
			f.say("peak memory, %s, one message of %s (%s; limit 33.6 MB): %s in %v", protocol, display.Size(int64(len(text))), name, display.Size(r.peak), r.took.Round(10*time.Millisecond))
		}
	}
}
