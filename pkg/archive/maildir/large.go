package maildir

import (
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"strconv"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// large writes a message that is too big to be held in memory. It hopes that
// the message can be kept with LF and writes it so; at the first line that ends
// otherwise it begins a second file, with the wire's bytes had back from the
// first.
type large struct {
	m     *message
	hash  hash.Hash
	ends  lines
	again bool // the second file is begun

	// cr tells whether the last byte was CR, once the second file is begun.
	cr bool
}

// errWrite marks the errors that are the disk's and not the body's.
type errWrite struct{ error }

func (e errWrite) Unwrap() error { return e.error }

// addLarge streams a message to tmp/: rung 1 in the goroutine that reads it. buf
// holds its beginning.
func (b *batch) addLarge(m *message, buf []byte, body io.Reader) error {
	defer func() { b.store.buffers.put(buf) }()
	m.id = messageID(buf)

	l := &large{m: m, hash: sha256.New()}
	err := l.stream(buf, body)
	if err == nil && !b.store.flushesFiles() {
		err = l.close()
	}
	if err != nil {
		m.discard()
		var ours errWrite
		if errors.As(err, &ours) {
			return b.fail(m.box, ours.error)
		}
		return err
	}
	m.written = true
	b.hold(m, m.wire)
	return nil
}

// stream writes what is in buf and then the rest of body, through buf.
func (l *large) stream(buf []byte, body io.Reader) error {
	f, err := l.m.tmp.Create(l.m.name)
	if err != nil {
		return errWrite{err}
	}
	l.m.file = f
	if err := l.piece(buf); err != nil {
		return err
	}
	for empty := 0; ; empty++ {
		n, err := body.Read(buf[:cap(buf)])
		if n > 0 {
			empty = 0
			if err := l.piece(buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF: // and nothing that wraps it: a torn body may
			return l.finish()
		case err != nil:
			return err
		case empty == maxEmptyReads:
			return io.ErrNoProgress
		}
	}
}

// piece takes the next bytes of the wire. It changes p.
func (l *large) piece(p []byte) error {
	l.hash.Write(p)
	l.m.wire += int64(len(p))
	if !l.again {
		if l.ends.see(p) {
			return l.write(dropCR(p))
		}
		if err := l.beginAgain(); err != nil {
			return err
		}
	}
	l.m.virtual += int64(len(p)) + loneLFs(p, &l.cr)
	return l.write(p)
}

// finish settles the form, once the whole message was seen.
func (l *large) finish() error {
	l.m.sum = [sha256.Size]byte(l.hash.Sum(nil))
	if !l.again && !l.ends.proper() {
		if err := l.beginAgain(); err != nil {
			return err
		}
	}
	l.m.form = mail.FormWire
	if !l.again {
		l.m.form, l.m.virtual = mail.FormLF, l.m.wire
	}
	return nil
}

// beginAgain writes a second file with the bytes of the wire so far, had back
// from the first, and removes the first.
func (l *large) beginAgain() error {
	m := l.m
	err := m.file.Close()
	m.file = nil
	if err != nil {
		return errWrite{err}
	}
	first, err := m.tmp.Open(m.name)
	if err != nil {
		return errWrite{err}
	}
	defer first.Close() // only read

	// The name must be another one, and one that sweep knows.
	old := m.name
	m.name = secondName(old)
	defer func() { _ = m.tmp.Remove(old) }() // else the next sweep does
	second, err := m.tmp.Create(m.name)
	if err != nil {
		return errWrite{err}
	}
	m.file, m.stored, l.again = second, 0, true
	return l.copyBack(first)
}

// copyBack writes what the first file holds as it stood on the wire.
func (l *large) copyBack(first durable.File) error {
	n, err := io.Copy(second{l}, &wireReader{file: first})
	if err != nil {
		return errWrite{err}
	}
	l.m.virtual = n
	if l.ends.cr {
		// It was dropped in the hope of its LF.
		l.m.virtual++
		l.cr = true
		return l.write([]byte{'\r'})
	}
	return nil
}

// second is the writing end of the second file.
type second struct{ l *large }

// Write implements io.Writer.
func (s second) Write(p []byte) (int, error) {
	return len(p), s.l.write(p)
}

// write appends to the message's file.
func (l *large) write(p []byte) error {
	n, err := l.m.file.Write(p)
	l.m.stored += int64(n)
	if err != nil {
		return errWrite{err}
	}
	return nil
}

func (l *large) close() error {
	f := l.m.file
	l.m.file = nil
	if err := f.Close(); err != nil {
		return errWrite{err}
	}
	return nil
}

// secondName is the name of a message's second file in tmp/: the number gets
// one digit more, which no other number of this run has.
func secondName(name string) string {
	return strconv.Itoa(2) + name
}
