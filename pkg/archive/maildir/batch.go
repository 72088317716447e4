package maildir

import (
	"crypto/sha256"
	"errors"
	"io"
	"sync"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// Writing goes on beside reading in this many goroutines per batch, with at
// most this many messages waiting. More writers gain nothing: the file system
// serialises the creation of files in one directory.
const (
	writers     = 2
	queueLength = 64
)

// batch implements mail.Batch. Its methods are called from one goroutine; the
// writers that it owns end in Seal or Abort.
type batch struct {
	store *Store

	// folders are kept open from the first message in them to the end.
	folders map[*folder]*dirs

	jobs    chan job // nil until the first small message
	writing sync.WaitGroup

	rekeys []rekey

	mu       sync.Mutex
	messages map[mail.Key]*message
	size     int64
	err      error  // the first error in writing
	panicked string // what a writer panicked with, and where
}

// errPanicked stands for a writer's panic until Seal tells of it.
var errPanicked = &mail.Error{
	Op: "maildir deliver", Scope: mail.ScopeAccount, Class: mail.ClassLocal, Err: errors.New("internal error"),
}

// message is one message on its way through tmp/. What is known of it belongs
// to whoever writes it until the batch is sealed; only dropped and written are
// guarded by the batch's mutex.
type message struct {
	key    mail.Key
	box    *Box
	tmp    durable.Dir
	name   string       // in tmp
	file   durable.File // open until its flush, where files are flushed one by one
	wire   int64        // size on the wire
	sum    [sha256.Size]byte
	id     string // Message-ID
	form   mail.Form
	stored int64 // size of the file

	// virtual is the size of the file with each lone LF counted as CRLF, which
	// is what Dovecot calls so.
	virtual int64

	dropped bool
	written bool
}

// errOtherStore refuses a box that another store gave out.
var errOtherStore = errors.New("maildir deliver: the box is of another store")

// job is a small message to write, with its bytes.
type job struct {
	m    *message
	wire []byte
}

var _ mail.Batch = (*batch)(nil)

// NewBatch implements pull.Store.
func (s *Store) NewBatch() mail.Batch {
	return &batch{
		store:    s,
		folders:  make(map[*folder]*dirs),
		messages: make(map[mail.Key]*message),
	}
}

// Add implements mail.Batch: rung 1. A key that the batch holds already is
// replaced.
func (b *batch) Add(box mail.Box, key mail.Key, body io.Reader) error {
	if err := b.failure(); err != nil {
		return err
	}
	own, ok := box.(*Box)
	if !ok || own.folder.store != b.store {
		return errOtherStore
	}
	m, err := b.newMessage(own, key)
	if err != nil {
		return b.fail(own, err)
	}

	buf, whole, err := b.store.buffers.read(body, b.store.small)
	if err != nil {
		b.store.buffers.put(buf)
		return err
	}
	if !whole {
		return b.addLarge(m, buf, body)
	}
	b.hold(m, int64(len(buf)))
	b.enqueue(job{m, buf})
	return nil
}

// newMessage names a message and opens its folder.
func (b *batch) newMessage(box *Box, key mail.Key) (*message, error) {
	if err := b.store.begin(); err != nil {
		return nil, err
	}
	d, err := b.open(box.folder)
	if err != nil {
		return nil, err
	}
	b.Drop(key)
	return &message{key: key, box: box, tmp: d.tmp, name: tmpName(b.store.number.Add(1), key)}, nil
}

// open opens a folder until the batch ends.
func (b *batch) open(f *folder) (*dirs, error) {
	if d, ok := b.folders[f]; ok {
		return d, nil
	}
	d, err := f.acquire()
	if err == nil {
		b.folders[f] = d
	}
	return d, err
}

// hold makes the batch answer for a message.
func (b *batch) hold(m *message, size int64) {
	m.wire = size
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages[m.key] = m
	b.size += size
}

// enqueue hands a small message to the writers. It waits while too much waits
// to be written: the network is slowed down, memory is not used up.
func (b *batch) enqueue(j job) {
	if b.jobs == nil {
		jobs := make(chan job, queueLength)
		for range writers {
			b.writing.Go(func() { b.write(jobs) }) // Seal and Abort wait for them
		}
		b.jobs = jobs
	}
	b.store.queue.take(cap(j.wire))
	b.jobs <- j
}

// settle waits for the writers.
func (b *batch) settle() {
	if b.jobs != nil {
		close(b.jobs)
		b.jobs = nil
	}
	b.writing.Wait()
}

// Drop implements mail.Batch.
func (b *batch) Drop(key mail.Key) {
	b.mu.Lock()
	m, ok := b.messages[key]
	if !ok {
		b.mu.Unlock()
		return
	}
	delete(b.messages, key)
	b.size -= m.wire
	m.dropped = true
	written := m.written
	b.mu.Unlock()

	// One that is not written yet is its writer's to remove.
	if written {
		m.discard()
	}
}

// rekey is a message of the archive that is to have another key.
type rekey struct {
	box      *Box
	from, to mail.Key
}

// Rekey implements mail.Batch.
func (b *batch) Rekey(box mail.Box, from, to mail.Key) {
	own, ok := box.(*Box)
	if !ok || own.folder.store != b.store {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.err = errors.Join(b.err, errOtherStore) // told by Flush
		return
	}
	b.rekeys = append(b.rekeys, rekey{own, from, to})
}

// discard closes and removes a message's file in tmp/. What can not be removed
// is not a message, and the next opening of the folder tries again.
func (m *message) discard() {
	if m.file != nil {
		_ = m.file.Close()
		m.file = nil
	}
	_ = m.tmp.Remove(m.name)
}

// Len implements mail.Batch.
func (b *batch) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.messages)
}

// Size implements mail.Batch.
func (b *batch) Size() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.size
}

// Seal implements mail.Batch.
func (b *batch) Seal() (map[mail.Key]mail.Delivery, error) {
	b.settle()
	if b.panicked != "" {
		panic(b.panicked) // where somebody stands ready for it
	}
	if err := b.failure(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	sealed := make(map[mail.Key]mail.Delivery, len(b.messages))
	for key, m := range b.messages {
		sealed[key] = mail.Delivery{
			Key: key, Size: m.wire, SHA256: m.sum, Form: m.form, MessageID: m.id,
		}
	}
	return sealed, nil
}

// Abort implements mail.Batch.
func (b *batch) Abort() {
	b.settle()
	for key := range b.messages {
		b.Drop(key)
	}
	b.end()
}

// end lets go of the folders.
func (b *batch) end() {
	for f := range b.folders {
		f.release()
	}
	clear(b.folders)
}

// fail remembers the first error in writing, after which only Abort makes
// sense, and returns it.
func (b *batch) fail(box *Box, err error) error {
	var known *mail.Error
	if !errors.As(err, &known) {
		known = b.store.diskError("deliver", box.name, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = known
	}
	return b.err
}

func (b *batch) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}
