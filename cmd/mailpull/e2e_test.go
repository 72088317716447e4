package main

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mailpull/pkg/demo"
	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/manifest"
)

// The end-to-end tests run the real program against a real Dovecot and look
// at the files of both, not at what either says.

// program runs mailpull with arguments and returns its exit code and what it
// wrote. The test binary is mailpull when it is told so; see TestMain.
func program(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := command(t, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
}

// command prepares a run of mailpull under its own name.
func command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("mailpull") // testscript.Main put it on PATH
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	// Under -race every process sleeps for a second before it ends, so that
	// other threads can still report; here that is a minute or more in all.
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	return cmd
}

// mustRun makes a run that has to succeed and, as under cron, say nothing.
func mustRun(t *testing.T, config string) {
	t.Helper()
	code, stdout, stderr := program(t, "run", "--config", config)
	if code != 0 || stdout != "" || stderr != "" {
		t.Fatalf("exit code %d, stdout %q, stderr:\n%s", code, stdout, stderr)
	}
}

// setup is a configuration in a folder of its own.
type setup struct {
	config, archive, state, extra string
}

// pointAt writes the configuration anew, with another source.
func (s setup) pointAt(t *testing.T, source string) {
	t.Helper()
	text := fmt.Sprintf("archive: %s\nstate: %s\naccounts:\n  - name: work\n%s    %s\n", s.archive, s.state, s.extra, source)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// configure writes a configuration with one account, named work.
func configure(t *testing.T, source, extra string) setup {
	t.Helper()
	dir := t.TempDir()
	s := setup{filepath.Join(dir, "config.yaml"), filepath.Join(dir, "mail"), filepath.Join(dir, "state"), extra}
	s.pointAt(t, source)
	return s
}

// login is the part of a configuration that signs in at addr.
func login(t testing.TB, addr, security, caFile string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("{ host: localhost, port: %s, security: %s, tls: { ca_file: %q }, username: %s, password: %s }",
		port, security, caFile, user, mailtest.DovecotPassword)
}

// user is whom the tests sign in as.
const user = "alice"

// ways are the four ways to reach a server that the README promises.
func ways(t *testing.T, d *mailtest.Dovecot) map[string]string {
	t.Helper()
	return map[string]string{
		"imap tls":      "imap: " + login(t, d.IMAPSAddr, "tls", d.CAFile),
		"imap starttls": "imap: " + login(t, d.IMAPAddr, "starttls", d.CAFile),
		"pop3 tls":      "pop3: " + login(t, d.POP3SAddr, "tls", d.CAFile),
		"pop3 starttls": "pop3: " + login(t, d.POP3Addr, "starttls", d.CAFile),
	}
}

// snapshot lists all files below a folder with what tells one from another.
func snapshot(t *testing.T, root string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		files = append(files, fmt.Sprintf("%s %d %s", rel, info.Size(), info.ModTime()))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

// archived is a message as the archive holds it, with the bytes of the wire.
type archived struct {
	body  string
	flags string
	date  time.Time
}

// readArchive reads what an account's folder holds, mailbox by mailbox, with
// the forms of line ends that the manifest names. It trusts no code of
// mailpull but the manifest's reader.
func readArchive(t *testing.T, s setup, layout string) map[string][]archived {
	t.Helper()
	forms := readForms(t, filepath.Join(s.state, "work"))
	root := filepath.Join(s.archive, "work")
	boxes := make(map[string][]archived)
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		folder, sub := filepath.Dir(filepath.Dir(path)), filepath.Base(filepath.Dir(path))
		if sub == "tmp" {
			t.Errorf("left in tmp: %s", path)
			return nil
		}
		rel, err := filepath.Rel(root, folder)
		if err != nil {
			return err
		}
		key, flags := takeApart(t, e.Name(), sub)
		form, ok := forms[key]
		if !ok {
			t.Errorf("not in the manifest: %s", path)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if want := fmt.Sprintf("S=%d", len(data)); !strings.Contains(e.Name(), want) {
			t.Errorf("%s: has no %s", e.Name(), want)
		}
		body := string(data)
		if form == mail.FormLF {
			body = strings.ReplaceAll(body, "\n", "\r\n")
		}
		name := folderName(rel, layout)
		boxes[name] = append(boxes[name], archived{body, flags, info.ModTime()})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return boxes
}

// takeApart reads key and flags from a file's name.
func takeApart(t *testing.T, name, sub string) (mail.Key, string) {
	t.Helper()
	base, info, _ := strings.Cut(name, ":2,")
	parts := strings.Split(base, ".")
	if len(parts) != 3 || !strings.HasPrefix(parts[2], "mailpull,S=") || (sub == "new") != (info == "") && sub == "new" {
		t.Fatalf("odd name %q in %s", name, sub)
	}
	key, ok := mail.ParseKey(parts[1])
	if !ok {
		t.Fatalf("odd key in %q", name)
	}
	return key, info
}

func readForms(t *testing.T, state string) map[mail.Key]mail.Form {
	t.Helper()
	dir, err := durable.OpenDir(state)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	m, err := manifest.Open(manifest.Options{Dir: dir, Account: "work"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	forms := make(map[mail.Key]mail.Form)
	if err := m.Scan(func(d mail.Delivery) error { forms[d.Key] = d.Form; return nil }); err != nil {
		t.Fatal(err)
	}
	return forms
}

// folderName turns a folder of the archive into the mailbox's name. The tests
// use names whose folders need no more than this.
func folderName(rel, layout string) string {
	if layout == "fs" {
		return rel
	}
	if rel == "." {
		return "INBOX"
	}
	return strings.ReplaceAll(strings.TrimPrefix(rel, "."), ".", "/")
}

// mustEqual compares what the archive holds with the server's own files: every
// byte that Dovecot sends and, over IMAP, flags and dates.
func mustEqual(t *testing.T, d *mailtest.Dovecot, mailbox string, got []archived, imap bool) {
	t.Helper()
	type entry struct {
		flags string
		date  int64
	}
	want := make(map[string][]entry)
	messages := d.Messages(user, mailbox)
	for _, m := range messages {
		body := string(mailtest.CRLF(m.Body))
		if !imap {
			body = string(demo.POP3Body([]byte(body)))
		}
		if !imap && body == "" {
			body = "\r\n" // what Dovecot sends for an empty message
		}
		want[body] = append(want[body], entry{letterFlags(m.Flags), m.Date.Unix()})
	}
	if len(got) != len(messages) {
		t.Errorf("%q: archive has %d messages, server %d", mailbox, len(got), len(messages))
	}
	for _, a := range got {
		entries := want[a.body]
		i := slices.IndexFunc(entries, func(e entry) bool {
			return !imap || e.flags == a.flags && e.date == a.date.Unix()
		})
		if i < 0 {
			t.Errorf("%q: the server has no message with flags %q, date %v and body %.70q; it has %v", mailbox, a.flags, a.date, a.body, entries)
			continue
		}
		want[a.body] = slices.Delete(entries, i, i+1)
	}
}

// letterFlags writes flags as Maildir does.
func letterFlags(flags []string) string {
	letters := map[string]string{`\Draft`: "D", `\Flagged`: "F", `\Answered`: "R", `\Seen`: "S", `\Deleted`: "T"}
	var out []string
	for _, f := range flags {
		out = append(out, letters[f])
	}
	slices.Sort(out)
	return strings.Join(out, "")
}

// fill gives the server some mailboxes of generated mail.
func fill(d *mailtest.Dovecot) []string {
	boxes := make(map[string][]demo.Message)
	for _, m := range demo.Messages() {
		// Dovecot 2.3 sends a NUL as 0x80, and does not double a dot that is
		// the first byte of a message: neither arrives as it is on its disk.
		if bytes.IndexByte(m.Body, 0) < 0 && !bytes.HasPrefix(m.Body, []byte(".")) {
			boxes[m.Mailbox] = append(boxes[m.Mailbox], m)
		}
	}
	names := []string{"INBOX", "Work", "Work/2024", "Sent", "Archive"}
	for _, name := range names {
		d.Deliver(user, name, boxes[name])
	}
	return names
}

func TestE2EEveryWay(t *testing.T) {
	t.Parallel()
	d := mailtest.StartDovecot(t, mailtest.DovecotOptions{})
	names := fill(d)
	for way, source := range ways(t, d) {
		for _, layout := range []string{"maildir++", "fs"} {
			t.Run(way+" "+layout, func(t *testing.T) {
				imap := strings.HasPrefix(way, "imap")
				s := configure(t, source, "    layout: "+layout+"\n")
				mustRun(t, s.config)
				boxes := readArchive(t, s, layout)
				for _, name := range names {
					if imap || name == "INBOX" {
						mustEqual(t, d, name, boxes[name], imap)
					}
				}
				before := snapshot(t, s.archive)
				mustRun(t, s.config)
				if after := snapshot(t, s.archive); !slices.Equal(before, after) {
					t.Errorf("a second run changed the archive: %d files, then %d", len(before), len(after))
				}
			})
		}
	}
}

// Several connections share the mailboxes, the batches and the checkpoint.
func TestE2ESeveralConnections(t *testing.T) {
	t.Parallel()
	d := mailtest.StartDovecot(t, mailtest.DovecotOptions{})
	names := fill(d)
	for i := range 30 {
		name := fmt.Sprintf("Many/%02d", i)
		d.Deliver(user, name, mailtest.Corpus(uint64(i), 20))
		names = append(names, name)
	}
	source := strings.Replace(ways(t, d)["imap tls"], "{ host", "{ connections: 4, host", 1)
	s := configure(t, source, "")
	mustRun(t, s.config)
	boxes := readArchive(t, s, "maildir++")
	for _, name := range names {
		mustEqual(t, d, name, boxes[name], true)
	}
	before := snapshot(t, s.archive)
	mustRun(t, s.config)
	if after := snapshot(t, s.archive); !slices.Equal(before, after) {
		t.Errorf("a second run changed the archive: %d files, then %d", len(before), len(after))
	}
}

// A message that cannot be fetched whole costs itself: Dovecot 2.3 does not
// double a dot that is a message's first byte, which ends the message early
// over POP3. What stands behind it arrives, and IMAP brings it whole.
func TestE2EMessageThatCannotBeFetched(t *testing.T) {
	t.Parallel()
	d := mailtest.StartDovecot(t, mailtest.DovecotOptions{})
	messages := mailtest.Corpus(3, 20)
	messages[4].Body = []byte(".\r\nhidden\r\n")
	messages[12].Body = []byte(".\r\nhidden too\r\n")
	d.Deliver(user, "INBOX", messages)

	s := configure(t, ways(t, d)["pop3 tls"], "")
	for try := range 2 {
		code, stdout, stderr := program(t, "run", "--config", s.config)
		if code != exitTemporary || stdout != "" || !strings.Contains(stderr, "does not mark the end of this message") {
			t.Fatalf("exit code %d, stderr %s", code, stderr)
		}
		if got := readArchive(t, s, "maildir++")["INBOX"]; len(got) != 18 {
			t.Errorf("archive has %d messages, want the 18 good ones", len(got))
		}
		mustRun(t, s.config) // quiet while they are in quarantine
		if try == 0 {
			s.mustRetry(t)
		}
	}
	byIMAP := configure(t, ways(t, d)["imap tls"], "")
	mustRun(t, byIMAP.config)
	mustEqual(t, d, "INBOX", readArchive(t, byIMAP, "maildir++")["INBOX"], true)
}

// A second Dovecot, pointed at the archive, shows the same mailboxes with the
// same messages, flags and dates: what it serves is pulled once more and must
// give the same archive.
func TestE2EReadBack(t *testing.T) {
	t.Parallel()
	d := mailtest.StartDovecot(t, mailtest.DovecotOptions{})
	names := fill(d)
	for _, name := range []string{"Entwürfe", "日本語", "Projects/Garden/Autumn", "Q&A"} {
		d.Deliver(user, name, []demo.Message{{Body: []byte("Subject: " + name + "\r\n\r\nx\r\n"), Date: time.Unix(1_600_000_000, 0)}})
		names = append(names, name)
	}
	for _, layout := range []string{mailtest.LayoutMaildirPP, mailtest.LayoutFS} {
		t.Run(layout, func(t *testing.T) {
			first := configure(t, ways(t, d)["imap tls"], "    layout: "+layout+"\n")
			mustRun(t, first.config)
			want := readArchive(t, first, layout)

			reader := mailtest.StartDovecot(t, mailtest.DovecotOptions{Archive: filepath.Join(first.archive, "work"), Layout: layout})
			reader.Own()
			second := configure(t, ways(t, reader)["imap tls"], "    layout: "+layout+"\n")
			mustRun(t, second.config)
			got := readArchive(t, second, layout)
			if len(got) != len(want) || len(want) < len(names) {
				t.Errorf("Dovecot shows %d mailboxes of %d", len(got), len(want))
			}
			for name := range want {
				compareArchives(t, name, got[name], want[name])
			}
		})
	}
}

func compareArchives(t *testing.T, name string, got, want []archived) {
	t.Helper()
	order := func(a, b archived) int {
		return cmp.Or(strings.Compare(a.body, b.body), a.date.Compare(b.date), strings.Compare(a.flags, b.flags))
	}
	normal := func(list []archived) []archived {
		for i := range list {
			list[i].body = string(mailtest.CRLF([]byte(list[i].body)))
		}
		slices.SortFunc(list, order)
		return list
	}
	if !slices.EqualFunc(normal(got), normal(want), func(a, b archived) bool { return order(a, b) == 0 }) {
		t.Errorf("%q: %d messages read back, %d archived, or they differ", name, len(got), len(want))
	}
}

// kill -9 at twenty places that the number of bytes sent by the server
// chooses, each followed by a run.
func TestE2EKillNine(t *testing.T) {
	t.Parallel()
	d := mailtest.StartDovecot(t, mailtest.DovecotOptions{})
	d.Deliver(user, "INBOX", mailtest.Corpus(7, 400))
	d.Deliver(user, "Work", mailtest.Corpus(8, 200))
	var total int64
	for _, name := range []string{"INBOX", "Work"} {
		for _, m := range d.Messages(user, name) {
			total += int64(len(m.Body))
		}
	}
	for way, addr := range map[string]string{"imap": d.IMAPSAddr, "pop3": d.POP3SAddr} {
		t.Run(way, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(len(way)+int(way[0]))))
			s := configure(t, way+": "+login(t, addr, "tls", d.CAFile), "")
			for range 20 {
				killAt(t, s, way, addr, d.CAFile, rng.Int64N(total/8))
				mustHoldPrefix(t, s)
			}
			s.pointAt(t, way+": "+login(t, addr, "tls", d.CAFile))
			mustRun(t, s.config)
			boxes := readArchive(t, s, "maildir++")
			mustEqual(t, d, "INBOX", boxes["INBOX"], way == "imap")
			if way == "imap" {
				mustEqual(t, d, "Work", boxes["Work"], true)
			}
			before := snapshot(t, s.archive)
			mustRun(t, s.config)
			if after := snapshot(t, s.archive); !slices.Equal(before, after) {
				t.Error("the run after the last one changed the archive")
			}
		})
	}
}

// killAt makes a run through a relay and kills it with SIGKILL when the server
// has sent that many bytes.
func killAt(t *testing.T, s setup, way, addr, caFile string, at int64) {
	t.Helper()
	reached := make(chan struct{})
	proxy := mailtest.NewProxy(t, addr, max(at, 1), func() { close(reached) })
	s.pointAt(t, way+": "+login(t, proxy.Addr, "tls", caFile))
	cmd := command(t, "run", "--config", s.config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // received below
	select {
	case <-reached:
		_ = cmd.Process.Kill() // it may have ended just now
		<-ended
	case err := <-ended:
		if err != nil {
			t.Errorf("the run ended by itself: %v", err)
		}
	}
}

// mustHoldPrefix checks that whatever stands in new and cur is whole: its
// size is the one in its name.
func mustHoldPrefix(t *testing.T, s setup) {
	t.Helper()
	for _, file := range snapshot(t, s.archive) {
		name, rest, _ := strings.Cut(file, " ")
		if strings.Contains(name, "tmp/") || name == ".mailpull-archive" {
			continue
		}
		var size, stored int64
		if _, err := fmt.Sscan(rest, &size); err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(name, "S=")
		if _, err := fmt.Sscanf(after, "%d,", &stored); err != nil || size != stored {
			t.Errorf("%s: has %d bytes", name, size)
		}
	}
}
