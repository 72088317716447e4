package imap

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"

	"mailpull/pkg/mail"
)

// box is a receiver that holds Session.Fetch to its contract and remembers
// what came.
type box struct {
	t testing.TB

	bodies  map[mail.UID]string // handed over and not settled
	whole   map[mail.UID]string
	items   map[mail.UID]mail.Item
	failed  map[mail.UID]error
	groups  int
	onBody  func(ref mail.Ref) error
	pending int // settled since the last Settled
}

func newBox(t testing.TB) *box {
	return &box{
		t:      t,
		bodies: map[mail.UID]string{},
		whole:  map[mail.UID]string{},
		items:  map[mail.UID]mail.Item{},
		failed: map[mail.UID]error{},
	}
}

func (b *box) Body(ref mail.Ref, size int64, body io.Reader) error {
	if b.settled(ref.UID) {
		b.t.Errorf("uid %d: a body after its settlement", ref.UID)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("reading: %w", err)
	}
	if size >= 0 && int64(len(data)) != size {
		b.t.Errorf("uid %d: %d bytes ended well, announced were %d", ref.UID, len(data), size)
	}
	b.bodies[ref.UID] = string(data)
	if b.onBody != nil {
		return b.onBody(ref)
	}
	return nil
}

func (b *box) Settle(item mail.Item, outcome error) error {
	uid := item.Ref.UID
	if b.settled(uid) {
		b.t.Errorf("uid %d: settled twice", uid)
	}
	b.items[uid] = item
	b.pending++
	if outcome != nil {
		b.failed[uid] = outcome
		delete(b.bodies, uid)
		if !errors.Is(outcome, mail.ErrGone) && mail.ErrorScope(outcome) != mail.ScopeMessage {
			b.t.Errorf("uid %d: settled with %v, which is not of its scope", uid, outcome)
		}
		return nil
	}
	body, ok := b.bodies[uid]
	if !ok {
		b.t.Errorf("uid %d: settled without a body", uid)
	}
	b.whole[uid] = body
	delete(b.bodies, uid)
	return nil
}

// Settled forgets the bodies that were not settled, as the engine does when
// it hands over its batch.
func (b *box) Settled() error {
	if b.pending == 0 {
		b.t.Error("a group without a settlement")
	}
	b.pending = 0
	b.groups++
	clear(b.bodies)
	return nil
}

func (b *box) settled(uid mail.UID) bool {
	_, ok := b.items[uid]
	return ok
}

// check compares what came with what the peer has: each of the refs must be
// settled, and the whole ones must be the peer's bytes.
func (b *box) check(refs mail.Refs, messages []message) {
	b.t.Helper()
	if b.pending != 0 {
		b.t.Errorf("%d settlements without the end of their group", b.pending)
	}
	if len(b.items) != refs.Len() {
		b.t.Errorf("%d refs were settled, want %d", len(b.items), refs.Len())
	}
	b.checkWhole(messages)
}

// checkWhole compares the whole messages with the peer's.
func (b *box) checkWhole(messages []message) {
	b.t.Helper()
	served := make(map[mail.UID]string, len(messages))
	for _, m := range messages {
		served[m.uid] = m.body
	}
	for uid, body := range b.whole {
		want, ok := served[uid]
		if !ok {
			b.t.Errorf("uid %d: the peer has no such message", uid)
		} else if body != want {
			b.t.Errorf("uid %d: got %d bytes that are not the %d of the peer", uid, len(body), len(want))
		}
	}
}

// wantWhole checks which messages came whole.
func (b *box) wantWhole(uids ...mail.UID) {
	b.t.Helper()
	if got := slices.Sorted(maps.Keys(b.whole)); !slices.Equal(got, uids) {
		b.t.Errorf("whole are %v, want %v; failed: %v", got, uids, b.failed)
	}
}
