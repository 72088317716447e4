package mailtest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mailpull/pkg/demo"
)

// Deliver puts messages into a mailbox of a user by writing Maildir files: as
// they are, in order, flagged ones into cur and others into new, with the time
// as their modification time. The mailbox is made where it is missing; levels
// are parted by "/". Keywords are not kept, and what a message says of its
// mailbox is ignored. Dovecot sends the messages with CRLF line ends, see CRLF.
//
// Nothing is flushed to disk. It must not be called for the same mailbox from
// two goroutines before the mailbox exists.
func (d *Dovecot) Deliver(user, mailbox string, messages []demo.Message) {
	d.t.Helper()
	dir := d.mailbox(user, mailbox)
	for _, sub := range []string{"cur", "new", "tmp"} {
		d.mkdirOwned(filepath.Join(dir, sub))
	}
	for _, m := range messages {
		if err := d.deliver(dir, m); err != nil {
			d.t.Fatalf("deliver to dovecot: %v", err)
		}
	}
}

func (d *Dovecot) deliver(dir string, m demo.Message) error {
	// Dovecot gives out UIDs in the order of the number before the first dot.
	n := d.delivered.Add(1)
	base := fmt.Sprintf("%d.M%dP1.mailtest,S=%d", 1_000_000_000+n, n, len(m.Body))
	path := filepath.Join(dir, "new", base)
	if letters := infoLetters(m.Flags); letters != "" {
		path = filepath.Join(dir, "cur", base+":2,"+letters)
	}
	if err := os.WriteFile(path, m.Body, 0o600); err != nil {
		return err
	}
	if err := d.own(path); err != nil {
		return err
	}
	if m.Date.IsZero() {
		return nil
	}
	return os.Chtimes(path, m.Date, m.Date)
}

// DeliverLarge delivers one message of size bytes that write makes, so that it
// need not be held in memory.
func (d *Dovecot) DeliverLarge(user, mailbox string, size int64, write func(io.Writer)) {
	d.t.Helper()
	dir := d.mailbox(user, mailbox)
	for _, sub := range []string{"cur", "new", "tmp"} {
		d.mkdirOwned(filepath.Join(dir, sub))
	}
	n := d.delivered.Add(1)
	path := filepath.Join(dir, "new", fmt.Sprintf("%d.M%dP1.mailtest,S=%d", 1_000_000_000+n, n, size))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	write(f)
	if err := errors.Join(f.Close(), d.own(path)); err != nil {
		d.t.Fatal(err)
	}
}

// mailbox returns the folder of a user's mailbox.
func (d *Dovecot) mailbox(user, mailbox string) string {
	return filepath.Join(d.mailDir(), user, filepath.FromSlash(mailbox))
}

// Messages reads the messages of a user's mailbox from the server's own files,
// in the order of delivery, as they are on disk: whatever clients did to their
// flags, and without those that clients removed.
func (d *Dovecot) Messages(user, mailbox string) []demo.Message {
	d.t.Helper()
	type file struct{ path, name string }
	var files []file
	for _, sub := range []string{"cur", "new"} {
		dir := filepath.Join(d.mailbox(user, mailbox), sub)
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.t.Fatal(err)
		}
		for _, e := range entries {
			files = append(files, file{filepath.Join(dir, e.Name()), e.Name()})
		}
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })

	messages := make([]demo.Message, 0, len(files))
	for _, f := range files {
		body, err := os.ReadFile(f.path)
		if err != nil {
			d.t.Fatal(err)
		}
		info, err := os.Stat(f.path)
		if err != nil {
			d.t.Fatal(err)
		}
		_, letters, _ := strings.Cut(f.name, ":2,")
		messages = append(messages, demo.Message{
			Mailbox: mailbox, Body: body, Flags: infoFlags(letters), Date: info.ModTime().Truncate(time.Second).UTC(),
		})
	}
	return messages
}

// infoPairs are the flags that Maildir keeps, in the order of their letters.
func infoPairs() [][2]string {
	return [][2]string{
		{"D", `\Draft`}, {"F", `\Flagged`}, {"R", `\Answered`}, {"S", `\Seen`}, {"T", `\Deleted`},
	}
}

func infoLetters(flags []string) string {
	var letters strings.Builder
	for _, pair := range infoPairs() {
		if slices.Contains(flags, pair[1]) {
			letters.WriteString(pair[0])
		}
	}
	return letters.String()
}

func infoFlags(letters string) []string {
	var flags []string
	for _, pair := range infoPairs() {
		if strings.Contains(letters, pair[0]) {
			flags = append(flags, pair[1])
		}
	}
	return flags
}

// Own lets Dovecot read the archive of its options and whatever mailpull wrote
// to it since: as root it gives the files to the user that Dovecot reads mail
// as, and lets others pass through the folders above, which must be in the
// folder for temporary files. It does nothing for anybody else.
func (d *Dovecot) Own() {
	d.t.Helper()
	if d.options.Archive == "" || !d.owner.handsOverFiles {
		return
	}
	err := filepath.WalkDir(d.options.Archive, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return d.own(path)
	})
	if err != nil {
		d.t.Fatalf("hand the archive to dovecot: %v", err)
	}
	temp := filepath.Clean(os.TempDir())
	for dir := filepath.Dir(d.options.Archive); dir != temp; dir = filepath.Dir(dir) {
		if !strings.HasPrefix(dir, temp+string(filepath.Separator)) {
			d.t.Fatalf("hand the archive to dovecot: %s is not below %s", d.options.Archive, temp)
		}
		info, err := os.Stat(dir)
		if err != nil {
			d.t.Fatal(err)
		}
		if err := os.Chmod(dir, info.Mode().Perm()|0o011); err != nil {
			d.t.Fatal(err)
		}
	}
}

// own gives a file or folder to the user that mail belongs to.
func (d *Dovecot) own(path string) error {
	if !d.owner.handsOverFiles {
		return nil
	}
	return os.Lchown(path, d.owner.uid, d.owner.gid)
}

// mkdirOwned makes a folder and those above it that are missing, all of them
// the mail owner's.
func (d *Dovecot) mkdirOwned(dir string) {
	d.t.Helper()
	if _, err := os.Stat(dir); err == nil {
		return
	}
	d.mkdirOwned(filepath.Dir(dir))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		d.t.Fatal(err)
	}
	if err := d.own(dir); err != nil {
		d.t.Fatal(err)
	}
}
