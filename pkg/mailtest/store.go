package mailtest

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"mailpull/pkg/mail"
)

// Store is a fake archive in memory. What was flushed outlives a stop; what
// was renamed and not flushed outlives it too, as after kill -9.
type Store struct {
	mu    sync.Mutex
	boxes map[mail.MailboxName]map[mail.Key]StoredMessage

	// Steps is asked before each thing the disk does; nil never stops.
	Steps *Steps
}

// StoredMessage is a file of a Store.
type StoredMessage struct {
	Body string
	Item mail.Item
}

// NewStore returns an empty archive.
func NewStore() *Store {
	return &Store{boxes: make(map[mail.MailboxName]map[mail.Key]StoredMessage)}
}

// Bodies returns what a mailbox holds, sorted.
func (s *Store) Bodies(name mail.MailboxName) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var bodies []string
	for _, m := range s.boxes[name] {
		bodies = append(bodies, m.Body)
	}
	slices.Sort(bodies)
	return bodies
}

// Change calls fn with the mailbox's files, to do what a mail reader or a bad
// disk does.
func (s *Store) Change(name mail.MailboxName, fn func(map[mail.Key]StoredMessage)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn(s.boxes[name])
}

func (s *Store) step(name string) error {
	if s.Steps == nil {
		return nil
	}
	if err := s.Steps.Do(name); err != nil {
		return &mail.Error{Op: "fake " + name, Scope: mail.ScopeAccount, Class: mail.ClassDisk, Err: err}
	}
	return nil
}

// Box implements pull.Store.
func (s *Store) Box(m mail.Mailbox) (mail.Box, error) {
	if err := s.step("box"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.boxes[m.Name] == nil {
		s.boxes[m.Name] = make(map[mail.Key]StoredMessage)
	}
	return &storeBox{store: s, name: m.Name}, nil
}

// NewBatch implements pull.Store.
func (s *Store) NewBatch() mail.Batch {
	return &storeBatch{store: s, files: make(map[mail.Key]storeFile)}
}

type storeBox struct {
	store *Store
	name  mail.MailboxName
}

// Name implements mail.Box.
func (b *storeBox) Name() mail.MailboxName { return b.name }

// Keys implements mail.Box.
func (b *storeBox) Keys(wanted func(mail.Key) bool) (mail.KeySet, error) {
	if err := b.store.step("keys"); err != nil {
		return nil, err
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	var keys []mail.Key
	for key := range b.store.boxes[b.name] {
		if wanted(key) {
			keys = append(keys, key)
		}
	}
	return mail.NewKeySet(keys), nil
}

// Read implements mail.Box.
func (b *storeBox) Read(wanted map[mail.Key]mail.Form, fn func(mail.Key, io.Reader) error) error {
	b.store.mu.Lock()
	files := maps.Clone(b.store.boxes[b.name])
	b.store.mu.Unlock()
	for key := range wanted {
		if m, ok := files[key]; ok {
			if err := fn(key, strings.NewReader(m.Body)); err != nil {
				return err
			}
		}
	}
	return nil
}

type storeFile struct {
	box  mail.MailboxName
	body []byte
}

type storeBatch struct {
	store *Store
	files map[mail.Key]storeFile
	rekey []rekeyed
	size  int64
}

type rekeyed struct {
	box      mail.MailboxName
	from, to mail.Key
}

// Add implements mail.Batch.
func (b *storeBatch) Add(box mail.Box, key mail.Key, body io.Reader) error {
	if err := b.store.step("write"); err != nil {
		return err
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	b.files[key] = storeFile{box.Name(), data}
	b.size += int64(len(data))
	return nil
}

// Drop implements mail.Batch.
func (b *storeBatch) Drop(key mail.Key) { delete(b.files, key) }

// Rekey implements mail.Batch.
func (b *storeBatch) Rekey(box mail.Box, from, to mail.Key) {
	b.rekey = append(b.rekey, rekeyed{box.Name(), from, to})
}

// Len implements mail.Batch.
func (b *storeBatch) Len() int { return len(b.files) }

// Size implements mail.Batch.
func (b *storeBatch) Size() int64 { return b.size }

// Seal implements mail.Batch.
func (b *storeBatch) Seal() (map[mail.Key]mail.Delivery, error) {
	if err := b.store.step("seal"); err != nil {
		return nil, err
	}
	sealed := make(map[mail.Key]mail.Delivery)
	for key, f := range b.files {
		sealed[key] = mail.Delivery{Key: key, Size: int64(len(f.body)), SHA256: sha256.Sum256(f.body), Form: mail.FormWire}
	}
	return sealed, nil
}

// Flush implements mail.Batch.
func (b *storeBatch) Flush(items map[mail.Key]mail.Item) error {
	if err := b.store.step("flush data"); err != nil {
		return err
	}
	keys := slices.SortedFunc(maps.Keys(items), mail.Key.Compare)
	for _, key := range keys {
		if err := b.store.step("rename"); err != nil {
			return err
		}
		f, ok := b.files[key]
		if !ok {
			return errors.New("fake store: flush of a message that is not in the batch")
		}
		b.store.mu.Lock()
		_, taken := b.store.boxes[f.box][key]
		if !taken {
			b.store.boxes[f.box][key] = StoredMessage{Body: string(f.body), Item: items[key]}
		}
		b.store.mu.Unlock()
		if taken {
			return &mail.Error{Op: "fake rename", Scope: mail.ScopeAccount, Class: mail.ClassDisk, Err: fs.ErrExist}
		}
	}
	for _, r := range b.rekey {
		if err := b.store.step("rekey"); err != nil {
			return err
		}
		b.store.Change(r.box, func(files map[mail.Key]StoredMessage) {
			if m, ok := files[r.from]; ok {
				delete(files, r.from)
				files[r.to] = m
			}
		})
	}
	return b.store.step("flush names")
}

// Abort implements mail.Batch.
func (b *storeBatch) Abort() { b.files = nil }
