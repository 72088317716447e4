package maildir

import (
	"errors"
	"io"
	"io/fs"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// openTries is how often a message is looked for while readers rename it.
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

// Keys implements mail.Box. The messages found are durable in name when it
// returns: a run that was cut off between rungs 4 and 5 leaves names which the
// disk may not hold yet, and the caller is about to remember that they are
// there.
func (b *Box) Keys() (mail.KeySet, error) {
	keys, err := b.keys()
	if err != nil {
		return nil, b.folder.store.boxError("list", b.name, err)
	}
	return mail.NewKeySet(keys), nil
}

func (b *Box) keys() ([]mail.Key, error) {
	d, err := b.folder.acquire()
	if err != nil {
		return nil, err
	}
	defer b.folder.release()

	var keys []mail.Key
	err = eachMessage(d, func(_ durable.Dir, _ string, key mail.Key) error {
		keys = append(keys, key)
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

// Open implements mail.Box. The caller closes the reader.
func (b *Box) Open(key mail.Key, form mail.Form) (io.ReadCloser, error) {
	file, err := b.find(key)
	if err != nil {
		return nil, b.folder.store.boxError("read", b.name, err)
	}
	if form != mail.FormLF {
		return file, nil
	}
	return &expanded{wireReader{file: file}, file}, nil
}

// expanded reads the bytes of the wire from a file in FormLF.
type expanded struct {
	wireReader
	io.Closer
}

// errFound ends a search.
var errFound = errors.New("found")

// find opens the file with the key, again when a reader renames it between our
// finding and our opening it.
func (b *Box) find(key mail.Key) (durable.File, error) {
	d, err := b.folder.acquire()
	if err != nil {
		return nil, err
	}
	defer b.folder.release()

	for range openTries {
		var file durable.File
		err := eachMessage(d, func(dir durable.Dir, name string, k mail.Key) (err error) {
			if k != key {
				return nil
			}
			if file, err = dir.Open(name); err != nil {
				return err
			}
			return errFound
		})
		switch {
		case errors.Is(err, errFound):
			return file, nil
		case err == nil:
			return nil, &fs.PathError{Op: "find", Path: d.cur.Path() + "/*." + key.String() + suffix + "*", Err: fs.ErrNotExist}
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	return nil, &fs.PathError{Op: "find", Path: d.cur.Path() + "/*." + key.String() + suffix + "*", Err: fs.ErrNotExist}
}
