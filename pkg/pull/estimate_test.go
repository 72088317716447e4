package pull_test

import (
	"errors"
	"math"
	"testing"

	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
)

// A pass that leaves messages says about how large they are: as large as all of
// the mailbox are in the mean, or as those that came.
func TestLeftBytes(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int64{"told": 30_000, "not told": -1} {
		w := newWorld(box(mail.Inbox, letters(30)...))
		w.server.Box(mail.Inbox).Size = size
		r, err := w.run(t.Context(), nil, func(o *pull.Options) { o.Newest = 10 })
		if !errors.Is(err, pull.ErrUnfinished) || r.Left != 20 {
			t.Fatalf("got %+v, %v", r, err)
		}
		want := int64(20_000)
		if size < 0 {
			want = 20 * r.Bytes / 10
		}
		if r.LeftBytes != want || r.MissingBytes != want {
			t.Errorf("size %s: got %d and %d bytes, want %d", name, r.LeftBytes, r.MissingBytes, want)
		}
		if r := w.mustComplete(t); r.LeftBytes != 0 || r.MissingBytes != 0 {
			t.Errorf("size %s, at the end: got %+v", name, r)
		}
	}
}

// A server that lies about sizes makes no number that is none.
func TestLeftBytesOfALiar(t *testing.T) {
	t.Parallel()
	w := newWorld(box(mail.Inbox, letters(30)...), box("Work", letters(30)...))
	w.server.Box(mail.Inbox).Size = math.MaxInt64
	w.server.Box("Work").Size = math.MaxInt64
	r, _ := w.run(t.Context(), nil, func(o *pull.Options) { o.Newest = 1 })
	if r.LeftBytes <= 0 || r.LeftBytes > 1<<50 {
		t.Errorf("got %d", r.LeftBytes)
	}
}
