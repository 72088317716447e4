package pull_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

// crowd are messages that stand in server, archive and manifest without costing
// the test any memory, with the UIDs from 1 on.
type crowd struct {
	n    mail.UID
	look func() // called now and then while the archive's keys are read
}

func (c crowd) ref(uid mail.UID) mail.Ref {
	return mail.Ref{Mailbox: mail.Inbox, Validity: 7, UID: uid}
}

type crowdSource struct {
	*mailtest.Server
	crowd
}

func (s crowdSource) Open(ctx context.Context) (pull.Session, error) {
	session, err := s.Server.Open(ctx)
	return crowdSession{session, s.crowd}, err
}

type crowdSession struct {
	pull.Session
	crowd
}

func (s crowdSession) Select(ctx context.Context, box mail.Mailbox) (mail.Refs, mail.Status, error) {
	refs, status, err := s.Session.Select(ctx, box)
	refs.UIDs = mail.UIDSet{{Lo: 1, Hi: s.n}}.Union(refs.UIDs)
	status.Messages += int(s.n)
	return refs, status, err
}

type crowdStore struct {
	*mailtest.Store
	crowd
}

func (s crowdStore) Box(m mail.Mailbox) (mail.Box, error) {
	box, err := s.Store.Box(m)
	return crowdBox{box, s.crowd}, err
}

type crowdBox struct {
	mail.Box
	crowd
}

func (b crowdBox) Keys(wanted func(mail.Key) bool) (mail.KeySet, error) {
	keys, err := b.Box.Keys(wanted)
	for uid := mail.UID(1); uid <= b.n; uid++ {
		if key := mail.NewKey("work", b.ref(uid)); wanted(key) {
			keys = append(keys, key)
		}
		if uid%(b.n/2) == 0 {
			b.look()
		}
	}
	return mail.NewKeySet(keys), err
}

type crowdManifest struct {
	*mailtest.Manifest
	crowd
}

func (m crowdManifest) Scan(fn func(mail.Delivery) error) error {
	for uid := mail.UID(1); uid <= m.n; uid++ {
		if err := fn(mail.Delivery{Item: mail.Item{Ref: m.ref(uid)}, Key: mail.NewKey("work", m.ref(uid))}); err != nil {
			return err
		}
	}
	return m.Manifest.Scan(fn)
}

// forgotten makes a world whose checkpoint is gone, for a crowd of n. Beside
// that it has ten messages which the archive got under another UIDVALIDITY.
func forgotten(t *testing.T, n mail.UID) *world {
	t.Helper()
	w := newWorld(box("INBOX", letters(10)...))
	inbox := w.server.Box("INBOX")
	inbox.Validity = 6
	w.mustComplete(t)
	w.checkpoint = mailtest.NewCheckpoint()
	inbox.Validity = 7
	for i := range inbox.Messages {
		inbox.Messages[i].UID += n
	}
	inbox.UIDNext += n
	return w
}

// with puts the crowd beside what the world holds.
func (c crowd) with(w *world) func(*pull.Options) {
	return func(o *pull.Options) {
		o.Source, o.Store, o.Manifest = crowdSource{w.server, c}, crowdStore{w.store, c}, crowdManifest{w.manifest, c}
	}
}

// TestLargeMailboxIsMatched has what the archive holds of a large mailbox found
// again in memory that is bounded. A list of all keys and its copies would need
// twice as much. The test is not parallel because it looks at everybody's heap.
func TestLargeMailboxIsMatched(t *testing.T) {
	const n = 200_000
	w := forgotten(t, n)
	before, peak := liveHeap(), uint64(0)
	c := crowd{n, func() { peak = max(peak, liveHeap()) }}
	r := w.mustComplete(t, c.with(w))

	if r.New != 0 || r.Mailboxes[0].Archived != n+10 || w.server.Fetched != 20 {
		t.Errorf("got %+v, %d bodies fetched", r, w.server.Fetched)
	}
	w.check(t, "INBOX")
	const limit = 3_000_000
	if grown := int64(peak) - int64(before); grown > limit || peak == 0 {
		t.Errorf("%d bytes of memory, at most %d are allowed", grown, limit)
	}
}

// A pass that is cancelled while it looks for what the archive holds is
// interrupted, and no fault of the disk.
func TestMatchingIsInterrupted(t *testing.T) {
	t.Parallel()
	for stop := 1; ; stop++ {
		w := forgotten(t, 10)
		ctx, cancel := context.WithCancel(t.Context())
		looks := 0
		_, err := w.run(ctx, nil, crowd{10, func() {
			if looks++; looks == stop {
				cancel()
			}
		}}.with(w))
		cancel()
		if looks < stop {
			if err != nil {
				t.Errorf("the whole pass: %v", err)
			}
			return
		}
		if !errors.Is(err, pull.ErrInterrupted) {
			t.Errorf("cancelled at look %d: %v", stop, err)
		}
		w.mustComplete(t, crowd{10, func() {}}.with(w))
		w.check(t, "INBOX")
	}
}

// Mailboxes with little new in them share a load, and not more of them than the
// pass may have folders open.
func TestManyMailboxesShareLoads(t *testing.T) {
	t.Parallel()
	w := newWorld()
	for i := range 300 {
		w.server.Box(mail.MailboxName(fmt.Sprint("box ", i))).Add("a", "b")
	}
	steps := &mailtest.Steps{}
	if _, err := w.run(t.Context(), steps, func(o *pull.Options) { o.Batch.Messages = 1000 }); err != nil {
		t.Fatal(err)
	}
	loads := 0
	for i := range steps.Count() {
		if steps.Name(i+1) == "append" {
			loads++
		}
	}
	if loads != 3 {
		t.Errorf("300 mailboxes in %d loads, want 128 in each of the first two and the rest in the third", loads)
	}
}

func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
