package manifest

import (
	"errors"
	"testing"

	"mailpull/pkg/mail"
)

// The sum has what was appended, and a damaged list has none.
func TestBytes(t *testing.T) {
	t.Parallel()
	d := newDisk()
	f := mustOpen(t, d)
	if got, err := f.Bytes(); got != 0 || err != nil {
		t.Errorf("got %d, %v of an empty list, want 0", got, err)
	}
	var want int64
	for i, n := range []int64{0, 1, 1 << 40} {
		delivered := uid(mail.UID(i + 1))
		delivered.Size = n
		want += n
		check(t, f.Append([]mail.Delivery{delivered}))
	}
	if got, err := f.Bytes(); got != want || err != nil {
		t.Errorf("got %d, %v, want %d", got, err, want)
	}
	text := d.Bytes(fileName)
	text[len(text)/2] ^= 1
	d.Put(fileName, text)
	if got, err := f.Bytes(); got != 0 || !errors.Is(err, ErrDamaged) {
		t.Errorf("got %d, %v of a damaged list, want %v", got, err, ErrDamaged)
	}
}
