package maildir

import (
	"errors"
	"io"
	"io/fs"
	"maps"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// openTries is how often messages are looked for while readers rename them.
const openTries = 4

// Box is the archive's side of one mailbox. It implements mail.Box.
type Box struct {
	name   mail.MailboxName
	folder *folder
}

var _ mail.Box = (*Box)(nil)

// Name implements mail.Box.
func (b *Box) Name() mail.MailboxName { return b.name }

// Folder returns the path components of the mailbox's folder below the
// account's directory; none for INBOX in layout Maildirpp.
func (b *Box) Folder() []string { return append([]string(nil), b.folder.parts...) }

// Keys implements mail.Box. The messages returned are durable in name when it
// returns: a run that was cut off between rungs 4 and 5 leaves names which the
// disk may not hold yet, and the caller is about to remember that they are
// there.
func (b *Box) Keys(wanted func(mail.Key) bool) (mail.KeySet, error) {
	keys, err := b.keys(wanted)
	if err != nil {
		return nil, b.folder.store.boxError("list", b.name, err)
	}
	return mail.NewKeySet(keys), nil
}

func (b *Box) keys(wanted func(mail.Key) bool) ([]mail.Key, error) {
	d, err := b.folder.acquire()
	if err != nil {
		return nil, err
	}
	defer b.folder.release()

	var keys []mail.Key
	err = eachMessage(d, func(_ durable.Dir, _ string, key mail.Key) error {
		if wanted(key) {
			keys = append(keys, key)
		}
		return nil
	})
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	return keys, b.folder.store.flushNames(map[*folder][]durable.Dir{b.folder: {d.new, d.cur}})
}

// eachMessage calls fn for each file of ours in new/ and cur/. Readers move
// messages from new/ to cur/, so new/ is read first: a message that is moved
// meanwhile is seen twice and not never.
func eachMessage(d *dirs, fn func(dir durable.Dir, name string, key mail.Key) error) error {
	for _, dir := range []durable.Dir{d.new, d.cur} {
		err := dir.Names(func(name string, isDir bool) error {
			key, _, ok := parseName(name)
			if !ok || isDir {
				return nil
			}
			return fn(dir, name, key)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Read implements mail.Box. It looks through the folder once for all of the
// messages, and again only for those that a reader renames between our finding
// and our opening them.
func (b *Box) Read(wanted map[mail.Key]mail.Form, fn func(key mail.Key, body io.Reader) error) error {
	d, err := b.folder.acquire()
	if err != nil {
		return b.folder.store.boxError("read", b.name, err)
	}
	defer b.folder.release()

	left := maps.Clone(wanted)
	for range openTries {
		found, err := findKeys(d, left)
		if err != nil {
			return b.folder.store.boxError("read", b.name, err)
		}
		missed := false
		for _, p := range found {
			form, ok := left[p.key]
			if !ok {
				continue // a reader moved it while we looked, and it was seen twice
			}
			file, err := p.dir.Open(p.name)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				missed = true
				continue
			case err != nil:
				err = fn(p.key, b.told(unreadable{err}))
			default:
				err = b.readOne(file, form, p.key, fn)
			}
			delete(left, p.key)
			if err != nil {
				return err
			}
		}
		if !missed {
			return nil
		}
	}
	return nil
}

// unreadable is a file that cannot be opened.
type unreadable struct{ err error }

func (u unreadable) Read([]byte) (int, error) { return 0, u.err }

// readOne hands one file to fn, as the bytes of the wire.
func (b *Box) readOne(file durable.File, form mail.Form, key mail.Key, fn func(mail.Key, io.Reader) error) error {
	defer file.Close() // it is only read
	if form == mail.FormLF {
		return fn(key, b.told(&wireReader{file: file}))
	}
	return fn(key, b.told(file))
}

// told gives what fails in reading a file the mailbox and a hint.
func (b *Box) told(file io.Reader) io.Reader { return toldReader{file, b} }

type toldReader struct {
	io.Reader
	box *Box
}

// Read implements io.Reader.
func (r toldReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = r.box.folder.store.boxError("read", r.box.name, err)
	}
	return n, err
}
