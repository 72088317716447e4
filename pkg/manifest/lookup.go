package manifest

import (
	"mailpull/pkg/mail"
	"mailpull/pkg/record"
)

// Scan calls fn for each delivery, in the order of the lines, and stops at
// its first error, which is returned as it is. Every hash is checked on the
// way; when one does not match the error wraps ErrDamaged and names the line,
// and fn has seen what stands before that line.
func (f *File) Scan(fn func(mail.Delivery) error) error {
	var stop error
	err := f.read(func(number int, body []byte) error {
		_, d, err := parse(string(body))
		if err != nil {
			return &record.Damage{Line: number, Reason: err.Error()}
		}
		stop = fn(d)
		return stop
	})
	if stop != nil {
		return stop
	}
	return err
}

// Bytes reads the whole list and returns the sum of the sizes of every delivery
// in it, as on the wire. Every hash is checked on the way; a
// million lines take about two seconds, so a daemon asks once, when it starts. A
// message that was delivered again under another ref, because the server
// renumbered its mailbox, is counted for each.
func (f *File) Bytes() (sum int64, err error) {
	err = f.Scan(func(d mail.Delivery) error {
		sum += d.Size
		return nil
	})
	if err != nil {
		return 0, err
	}
	return sum, nil
}

// read walks over what is durable now, through a descriptor of its own.
func (f *File) read(fn func(number int, body []byte) error) error {
	f.mu.Lock()
	size, dead := f.size, f.err
	f.mu.Unlock()
	if dead != nil {
		return dead
	}
	file, err := f.dir.Open(fileName)
	if err != nil {
		return f.failure(err)
	}
	defer file.Close() // it was only read
	if err := walk(file, size, fn); err != nil {
		return f.failure(err)
	}
	return nil
}
