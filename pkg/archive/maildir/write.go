package maildir

import (
	"crypto/sha256"
	"fmt"
	"runtime/debug"

	"mailpull/pkg/mail"
)

// write is a writer: rung 1 for small messages, until the batch is settled.
// After an error it only gives memory back.
func (b *batch) write(jobs <-chan job) {
	for j := range jobs {
		if b.wanted(j.m) {
			b.guardedWrite(j)
		}
		size := cap(j.wire)
		b.store.buffers.put(j.wire)
		b.store.queue.give(size)
	}
}

// guardedWrite keeps a panic for whoever owns the batch: on a goroutine of the
// batch's own it would end every account's pass and not only this one.
func (b *batch) guardedWrite(j job) {
	defer func() {
		if v := recover(); v != nil {
			text := fmt.Sprintf("%v, in a writer:\n%s", v, debug.Stack())
			_ = b.fail(j.m.box, errPanicked) // told by the next Add
			b.mu.Lock()
			defer b.mu.Unlock()
			b.panicked = text
		}
	}()
	b.writeSmall(j)
}

// wanted reports whether a message is still to be written.
func (b *batch) wanted(m *message) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err == nil && !m.dropped
}

func (b *batch) writeSmall(j job) {
	m := j.m
	m.sum = sha256.Sum256(j.wire)
	m.id = messageID(j.wire)

	var ends lines
	ends.see(j.wire)
	data := j.wire
	if ends.proper() {
		m.form, m.virtual = mail.FormLF, m.wire
		data = dropCR(data)
	} else {
		var cr bool
		m.form, m.virtual = mail.FormWire, m.wire+loneLFs(data, &cr)
	}
	m.stored = int64(len(data))

	if err := m.create(data, b.store.flushesFiles()); err != nil {
		m.discard()
		_ = b.fail(m.box, err) // told by the next Add or Seal
		return
	}
	b.finishWriting(m)
}

// create makes the message's file in tmp/ with all its bytes. keep leaves it
// open for its flush.
func (m *message) create(data []byte, keep bool) error {
	f, err := m.tmp.Create(m.name)
	if err != nil {
		return err
	}
	m.file = f
	if _, err := f.Write(data); err != nil || keep {
		return err
	}
	m.file = nil
	return f.Close()
}

// finishWriting marks a message as written, or removes it when it was dropped
// meanwhile.
func (b *batch) finishWriting(m *message) {
	b.mu.Lock()
	m.written = true
	dropped := m.dropped
	b.mu.Unlock()
	if dropped {
		m.discard()
	}
}
