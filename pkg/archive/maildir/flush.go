package maildir

import (
	"errors"
	"fmt"
	"time"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// maxDirFlushes is how many directories are flushed one by one before one flush
// of the file system is cheaper.
const maxDirFlushes = 3

// lastDate is the latest modification time that is asked for: the end of the
// year 9999. File systems that know less use their own last one.
var lastDate = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// Flush implements mail.Batch: rungs 3 to 5.
func (b *batch) Flush(items map[mail.Key]mail.Item) error {
	defer b.Abort() // what is still in tmp/ then is not wanted
	b.settle()
	if err := b.keep(items); err != nil {
		return err
	}
	if len(items) == 0 && len(b.rekeys) == 0 {
		return nil
	}

	// Rung 3, barrier data: after it, and not before, the bytes of the whole
	// batch survive a power cut. A failed flush is never tried again: the
	// kernel has thrown the pages away and the next one would say yes.
	if err := b.flushData(items); err != nil {
		return err
	}
	// Rung 4: the messages become visible, each at once and whole.
	touched, err := b.rename(items)
	if err != nil {
		return err
	}
	if err := b.rekeyAll(touched); err != nil {
		return err
	}
	// Rung 5, barrier names: after it the messages cannot be lost any more.
	if err := b.store.flushNames(touched); err != nil {
		return b.store.diskError("deliver", "", err)
	}
	return nil
}

// keep checks that the batch can give what is asked for and drops the rest.
func (b *batch) keep(items map[mail.Key]mail.Item) error {
	if err := b.failure(); err != nil {
		return err
	}
	for key, item := range items {
		if m, ok := b.messages[key]; !ok || !m.written {
			return fmt.Errorf("maildir deliver %q: key %v is not in the batch", string(item.Ref.Mailbox), key)
		}
	}
	for key := range b.messages {
		if _, ok := items[key]; !ok {
			b.Drop(key)
		}
	}
	return nil
}

// flushData gives the files their dates and makes both durable.
func (b *batch) flushData(items map[mail.Key]mail.Item) error {
	for key, item := range items {
		m := b.messages[key]
		if err := m.setDate(item.Date); err != nil {
			return b.itemError(m, item, err)
		}
		if m.file == nil {
			continue
		}
		if err := m.flush(); err != nil {
			return b.itemError(m, item, err)
		}
	}
	if b.store.flushesFiles() {
		return nil
	}
	if err := b.store.syncFS(); err != nil {
		return b.store.diskError("deliver", "", err)
	}
	return nil
}

// setDate makes the modification time the message's date. One before 1970 is a
// server's mistake, and some file systems turn it into one far ahead.
func (m *message) setDate(date time.Time) error {
	switch {
	case date.IsZero():
		return nil
	case date.Unix() < 0:
		date = time.Unix(0, 0)
	case date.After(lastDate):
		date = lastDate
	}
	return m.tmp.SetTime(m.name, date)
}

// flush makes one file durable, where there is no flush for all of them.
func (m *message) flush() error {
	f := m.file
	m.file = nil
	return errors.Join(f.Sync(), f.Close())
}

// rename moves the messages to new/ and cur/ and returns which directories of
// which folders it changed.
func (b *batch) rename(items map[mail.Key]mail.Item) (map[*folder][]durable.Dir, error) {
	touched := make(map[*folder][]durable.Dir)
	now := time.Now()
	for key, item := range items {
		m := b.messages[key]
		d := b.folders[m.box.folder]
		name, inCur := fileName(m, item, now)
		to := d.new
		if inCur {
			to = d.cur
		}
		if err := m.tmp.Rename(m.name, to, name); err != nil {
			return nil, b.itemError(m, item, err)
		}
		// It is out of tmp/, and no longer the batch's to remove.
		delete(b.messages, key)
		touched[m.box.folder] = appendNew(touched[m.box.folder], to)
	}
	return touched, nil
}

func appendNew(dirs []durable.Dir, dir durable.Dir) []durable.Dir {
	for _, d := range dirs {
		if d == dir {
			return dirs
		}
	}
	return append(dirs, dir)
}

func (b *batch) itemError(m *message, item mail.Item, err error) error {
	e := b.store.diskError("deliver", m.box.name, err)
	e.UID, e.UIDL = item.Ref.UID, item.Ref.UIDL
	return e
}

// flushNames makes the names in the given directories durable, and those of
// the folders themselves where they may not be yet. The folders are acquired.
func (s *Store) flushNames(touched map[*folder][]durable.Dir) error {
	var all []durable.Dir
	for f, dirs := range touched {
		for _, d := range append(dirs, f.unsyncedChain()...) {
			all = appendNew(all, d)
		}
	}
	if err := s.flushDirs(all); err != nil {
		return err
	}
	for f := range touched {
		f.setSynced()
	}
	return nil
}

// flushDirs flushes directories, by one flush of the file system when there
// are many.
func (s *Store) flushDirs(dirs []durable.Dir) error {
	if len(dirs) > maxDirFlushes {
		if err := s.syncFS(); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	for _, d := range dirs {
		if err := d.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// syncFS flushes the file system, one call at a time. After one that failed
// none says yes: the kernel tells of lost bytes once, to whichever call comes
// first, and that may be a lane's which looks for keys while the ladder is
// about to flush the batch whose bytes they were.
func (s *Store) syncFS() error {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	if s.flushFailed != nil {
		return s.flushFailed
	}
	err := s.opts.Dir.SyncFS()
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		s.flushFailed = err
	}
	return err
}
