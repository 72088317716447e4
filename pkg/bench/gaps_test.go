package bench

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"mailpull/pkg/checkpoint"
	"mailpull/pkg/display"
	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/manifest"
)

// gaps measures passes without news over a mailbox of a million messages with a
// gap behind every second one, the worst that ranges of UIDs can meet in
// practice. The checkpoint is written as a first pass would have left it: a
// million files take minutes to make, and are not looked at.
func (f *figures) gaps() {
	const n = 1_000_000
	var uids mail.UIDSet
	for i := range mail.UID(n) {
		uid := 1 + i + i/2
		uids.Add(uid, uid)
	}
	dir := f.b.TempDir()
	t, stop := manyServer(f.b, dir, uids)
	defer stop()
	ours := mailpull(f.b, f.binary, dir, t)
	f.recordAll(filepath.Join(dir, "state", t.user), t.user, uids)
	if err := os.MkdirAll(filepath.Join(ours.mail, t.user, "cur"), 0o700); err != nil { // an archive that is missing is refused
		f.b.Fatal(err)
	}
	var idle Row
	for range 5 {
		idle.Runs = append(idle.Runs, f.timed(ours.args...))
	}
	took, _, _ := idle.Took()
	f.say("no news, mailbox of %d messages in %d ranges of UIDs (limit 1s, 33.6 MB): %v, peak %s",
		n, len(uids), took.Round(time.Millisecond), display.Size(idle.Peak()))
}

// recordAll writes the records of an account that has all of its INBOX. The
// manifest has one line, because an empty one would be refused beside them.
func (f *figures) recordAll(path, account string, uids mail.UIDSet) {
	f.b.Helper()
	must := func(err error) {
		f.b.Helper()
		if err != nil {
			f.b.Fatal(err)
		}
	}
	must(os.MkdirAll(path, 0o700))
	dir, err := durable.OpenDir(path)
	must(err)
	defer dir.Close() // all is durable by then
	file, err := checkpoint.Open(checkpoint.Options{Dir: dir, Account: account, Source: "imap"})
	must(err)
	defer file.Close()
	all := mail.Refs{Mailbox: mail.Inbox, Validity: 7, UIDs: uids}
	for refs := range slices.Chunk(slices.Collect(all.All), 100_000) {
		must(file.Commit(refs))
	}
	status := mail.Status{Validity: 7, UIDNext: uids.Max() + 1, Messages: uids.Len()}
	must(file.Complete(mail.Inbox, status, uids.Len(), mail.Excluded{}))
	list, err := manifest.Open(manifest.Options{Dir: dir, Account: account})
	must(err)
	defer list.Close()
	must(list.Append([]mail.Delivery{{Item: mail.Item{Ref: mail.Ref{Mailbox: mail.Inbox, Validity: 7, UID: 1}}}}))
	must(file.EndPass(mail.Pass{Start: time.Now(), End: time.Now(), Complete: true}))
}
