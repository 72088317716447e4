package pull_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mailpull/pkg/archive/maildir"
	"mailpull/pkg/checkpoint"
	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/manifest"
	"mailpull/pkg/pull"
)

// disks is an account's real folders. Each process opens them anew.
type disks struct {
	archive, state string
	server         *mailtest.Server
}

func newDisks(t *testing.T) *disks {
	t.Helper()
	dir := t.TempDir()
	d := &disks{archive: filepath.Join(dir, "mail"), state: filepath.Join(dir, "state"), server: mailtest.NewServer()}
	for _, path := range []string{d.archive, d.state} {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	d.server.Box("INBOX").Add(letters(6)...).Add("bare\nline feeds\n")
	d.server.Box("INBOX").Messages[2].Item.Flags = []string{`\Seen`, `\Flagged`}
	d.server.Box("Work/2024").Add("a\r\n", "b\r\n", strings.Repeat("large\r\n", 100_000))
	return d
}

// process is one run of mailpull on these folders, with every operation on
// them taken from steps.
func (d *disks) process(t *testing.T, steps *mailtest.Steps) (pull.Result, error) {
	t.Helper()
	archive, err := durable.OpenDir(d.archive)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	state, err := durable.OpenDir(d.state)
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()

	stateDisk := mailtest.Disk(state, steps)
	c, err := checkpoint.Open(checkpoint.Options{Dir: stateDisk, Account: "work", Source: "imap"})
	if err != nil {
		return pull.Result{}, err
	}
	defer c.Close() // what it says after a stop does not matter
	m, err := manifest.Open(manifest.Options{Dir: stateDisk, Account: "work"})
	if err != nil {
		return pull.Result{}, err
	}
	defer m.Close()
	s, err := maildir.Open(maildir.Options{Dir: mailtest.Disk(archive, steps), Layout: maildir.Maildirpp})
	if err != nil {
		return pull.Result{}, err
	}
	return pull.Run(t.Context(), pull.Options{
		Account: "work", Source: d.server, Store: s, Checkpoint: c, Manifest: m,
		Batch: pull.Bounds{Messages: 4},
	})
}

// check is the oracle over the real files: nothing lost, nothing doubled,
// nothing partial, and the manifest proves the bytes.
func (d *disks) check(t *testing.T) {
	t.Helper()
	dir, err := durable.OpenDir(d.archive)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	store, err := maildir.Open(maildir.Options{Dir: dir, Layout: maildir.Maildirpp})
	if err != nil {
		t.Fatal(err)
	}
	lines := d.manifest(t)
	for _, name := range []mail.MailboxName{"INBOX", "Work/2024"} {
		box, err := store.Box(mail.Mailbox{Name: name, Wire: string(name), Delimiter: '/'})
		if err != nil {
			t.Fatal(err)
		}
		want := d.server.Box(name).Messages
		keys, err := box.Keys(mailtest.EveryKey)
		if err != nil || len(keys) != len(want) {
			t.Fatalf("%q has %d keys, want %d; %v", name, len(keys), len(want), err)
		}
		for _, m := range want {
			key := mail.NewKey("work", mail.Ref{Mailbox: name, Validity: 7, UID: m.UID})
			line, ok := lines[key]
			if !ok {
				t.Fatalf("%q uid %d is not in the manifest", name, m.UID)
			}
			var body []byte
			err := box.Read(map[mail.Key]mail.Form{key: line.Form}, func(_ mail.Key, r io.Reader) (err error) {
				body, err = io.ReadAll(r)
				return err
			})
			if err != nil || string(body) != m.Body || line.Size != int64(len(m.Body)) {
				t.Fatalf("%q uid %d: got %.60q, want %.60q; %v", name, m.UID, body, m.Body, err)
			}
		}
	}
	if files := countFiles(t, d.archive); files != 10 {
		t.Fatalf("%d files in the archive, want 10: something is left in tmp/ or doubled", files)
	}
}

func (d *disks) manifest(t *testing.T) map[mail.Key]mail.Delivery {
	t.Helper()
	dir, err := durable.OpenDir(d.state)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	m, err := manifest.Open(manifest.Options{Dir: dir, Account: "work"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	lines := make(map[mail.Key]mail.Delivery)
	if err := m.Scan(func(d mail.Delivery) error { lines[d.Key] = d; return nil }); err != nil {
		t.Fatal(err)
	}
	return lines
}

func countFiles(t *testing.T, root string) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(root, func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// stopEverywhere stops one process at each of its disk operations, lets the next one run to its end, and looks.
func stopEverywhere(t *testing.T, stop func(n int) *mailtest.Steps, look func(t *testing.T, name string, first error)) {
	t.Helper()
	count := &mailtest.Steps{}
	if _, err := newDisks(t).process(t, count); err != nil {
		t.Fatal(err)
	}
	if count.Count() < 100 {
		t.Fatalf("only %d operations: the test has lost its grip", count.Count())
	}
	for n := 1; n <= count.Count(); n++ {
		d := newDisks(t)
		steps := stop(n)
		_, first := d.process(t, steps)
		look(t, steps.Name(n), first)
		if _, err := d.process(t, &mailtest.Steps{}); err != nil {
			t.Fatalf("stopped at %d (%s): the next run failed: %v", n, steps.Name(n), err)
		}
		d.check(t)
		before := d.server.Fetched
		if r, err := d.process(t, &mailtest.Steps{}); err != nil || r.New != 0 || d.server.Fetched != before {
			t.Fatalf("stopped at %d (%s): a later run still found work: %+v, %v", n, steps.Name(n), r, err)
		}
		if t.Failed() {
			t.Fatalf("stopped at %d (%s)", n, steps.Name(n))
		}
	}
}

func TestKilledAtEveryDiskOperation(t *testing.T) {
	t.Parallel()
	kill := func(n int) *mailtest.Steps { return mailtest.StopAt(n, mailtest.ErrKilled) }
	stopEverywhere(t, kill, func(*testing.T, string, error) {})
}

// A full disk is reported as such, wherever it is met, and loses nothing.
func TestFullDiskAtEveryOperation(t *testing.T) {
	t.Parallel()
	harmless := []string{"close", "remove", "names", "sync", "open"}
	full := func(n int) *mailtest.Steps { return mailtest.FailAt(n, syscall.ENOSPC) }
	stopEverywhere(t, full, func(t *testing.T, name string, first error) {
		if first == nil && (slices.Contains(harmless, name) || name == "none") {
			return // "none": lanes and ladder took fewer steps this time
		}
		if !errors.Is(first, syscall.ENOSPC) || mail.ErrorClass(first) != mail.ClassDisk || mail.ErrorHint(first) == "" {
			t.Errorf("%s: got %v, class %s, hint %q", name, first, mail.ErrorClass(first), mail.ErrorHint(first))
		}
	})
}
