package faults

import (
	"math/rand/v2"
	"sync"
	"testing"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// t3 cuts the power at every operation of a pass.
type t3 struct {
	*diskAccount
	rnd    *rand.Rand
	random int // states that are drawn at each operation, beside the enumerated
	again  int // of how many states one is cut a second time
	every  int // of how many moments one is looked at
	states int
	seen   map[t3State]bool
}

// t3State is what makes one state another one than all before.
type t3State struct {
	disk  uint64
	acked int
}

// t3Moment is the disk at one operation, and what was acknowledged by then.
type t3Moment struct {
	op    string
	disk  *mailtest.MemDisk
	acked int
}

// moments makes a pass on a disk, which ends as the pass leaves it, and returns
// the disk before each of its operations.
func (s *t3) moments(t testing.TB, disk *mailtest.MemDisk) ([]t3Moment, *acknowledged) {
	t.Helper()
	notes := &acknowledged{}
	var mu sync.Mutex
	var all []t3Moment
	note := func(op mailtest.Op) error {
		mu.Lock()
		defer mu.Unlock()
		acked := len(notes.upTo())
		all = append(all, t3Moment{opName(len(all)+1, op), disk.Clone(), acked})
		return nil
	}
	disk.Before(note)
	if _, err := s.on(disk, notes).pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	disk.Before(nil)
	_ = note(mailtest.Op{Kind: "the end"})
	return all, notes
}

// cut judges every state that a power cut can leave at any moment of a pass
// over the disk, and returns the first that breaks a promise.
func (s *t3) cut(t testing.TB, disk *mailtest.MemDisk) (where string, breaches []mailtest.Breach) {
	t.Helper()
	moments, notes := s.moments(t, disk)
	for i, m := range moments {
		if i%s.every != 0 {
			continue
		}
		for left := range m.disk.States(s.rnd, s.random) {
			if !s.isNew(left, m.acked) {
				continue
			}
			if breaches := s.afterwards(t, left, notes.refs[:m.acked], s.states%4 == 0); len(breaches) > 0 {
				return m.op, breaches
			}
			if s.again > 0 && s.states%s.again == 0 {
				if where, breaches := s.cutAgain(t, left, m.acked, notes); len(breaches) > 0 {
					return m.op + ", then " + where, breaches
				}
			}
		}
	}
	return "", nil
}

// cutAgain cuts the power while the next pass makes good what the first cut
// left, at some of its operations.
func (s *t3) cutAgain(t testing.TB, left *mailtest.MemDisk, acked int, before *acknowledged) (where string, breaches []mailtest.Breach) {
	t.Helper()
	moments, notes := s.moments(t, left.Clone())
	for range 4 {
		m := moments[s.rnd.IntN(len(moments))]
		refs := append(before.refs[:acked:acked], notes.refs[:m.acked]...)
		for range 4 {
			twice := m.disk.PowerCut(s.rnd)
			if !s.isNew(twice, len(refs)) {
				continue
			}
			if breaches := s.afterwards(t, twice, refs, true); len(breaches) > 0 {
				return m.op, breaches
			}
		}
	}
	return "", nil
}

// isNew counts a state that was not judged before.
func (s *t3) isNew(disk *mailtest.MemDisk, acked int) bool {
	state := t3State{disk.State(), acked}
	if s.seen[state] {
		return false
	}
	s.seen[state] = true
	s.states++
	return true
}

// t3Start is a disk that a pass begins with.
type t3Start struct {
	name    string
	every   int // of how many moments one is looked at
	prepare func(t testing.TB, a *diskAccount) *mailtest.MemDisk
}

func t3Starts() []t3Start {
	return []t3Start{
		{"an empty archive", 1, func(testing.TB, *diskAccount) *mailtest.MemDisk {
			return mailtest.NewMemDisk("/disk")
		}},
		{"an empty archive, flushed file by file", 2, func(testing.TB, *diskAccount) *mailtest.MemDisk {
			return mailtest.NewMemDisk("/disk").WithoutSyncFS()
		}},
		{"new mail", 4, func(t testing.TB, a *diskAccount) *mailtest.MemDisk {
			return a.halfPulled(t, mailtest.NewMemDisk("/disk"))
		}},
		{"uids made anew", 4, func(t testing.TB, a *diskAccount) *mailtest.MemDisk {
			return a.renumbered(t, mailtest.NewMemDisk("/disk"))
		}},
		{"records deleted", 4, func(t testing.TB, a *diskAccount) *mailtest.MemDisk {
			return a.without(t, mailtest.NewMemDisk("/disk"), "checkpoint", "manifest")
		}},
		{"a checkpoint to fold", 2, func(t testing.TB, a *diskAccount) *mailtest.MemDisk {
			disk := mailtest.NewMemDisk("/disk")
			a.passOnce(t, disk)
			growCheckpoint(t, disk)
			return disk
		}},
	}
}

// newT3 returns the suite for one start, with its own seed.
func newT3(start t3Start, seed uint64) *t3 {
	s := &t3{
		diskAccount: newDiskAccount(), rnd: rand.New(rand.NewPCG(3, seed)), random: 12, again: 40,
		every: start.every * mailtest.Every(8), seen: make(map[t3State]bool),
	}
	s.oracle.MayLitter = true
	return s
}

func TestT3PowerCut(t *testing.T) {
	t.Parallel()
	total := 0
	for i, start := range t3Starts() {
		s := newT3(start, uint64(i))
		where, breaches := s.cut(t, start.prepare(t, s.diskAccount))
		for _, b := range breaches {
			t.Errorf("%s, power cut at %s: %v", start.name, where, b)
		}
		t.Logf("%s: %d states", start.name, s.states)
		total += s.states
	}
	mailtest.Figure(t, "T3", "power-cut states", total, 20000)
}

// What a power cut brings back into tmp/ goes with the mailbox's next message.
func TestT3LitterGoes(t *testing.T) {
	t.Parallel()
	s := newT3(t3Starts()[0], 0)
	disk := mailtest.NewMemDisk("/disk")
	s.passOnce(t, disk)
	tmp := mustSub(t, mustSub(t, disk, "mail"), "tmp").(*mailtest.MemDisk)
	tmp.Put("1700000000000000000.aaaaaaaaaaaaaaaaaaaaaaaa.mailpull", []byte("half a mess"))
	s.add(mail.Inbox, 24, 25)
	s.oracle.MayLitter = false
	for _, b := range s.recovers(t, disk, true) {
		t.Error(b)
	}
}

// Products that are broken on purpose, each in a way that has happened to
// others, break the promise that the suite must name.
func TestT3Notices(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wrap   func(durable.Dir) durable.Dir
		broken func(*rig)
		want   string
	}{
		"directories are not flushed":      {wrap: newUnflushedDir, want: "P1"},
		"renamed before the data is there": {wrap: newLateFlush, want: "P3"},
		"committed before the rename":      {broken: commitFirst, want: "P1"},
		"a uid is never listed":            {broken: loseOne, want: "P1"},
		"a torn body is taken for a whole": {broken: func(r *rig) { r.wrapSource = cutShort }, want: "P3"},
	} {
		s := newT3(t3Starts()[0], 0)
		s.every, s.again = 1, 0 // the first breach must be the one that is meant
		if c.wrap != nil {
			s.wrap = overDisk(c.wrap)
		}
		s.broken = c.broken
		where, breaches := s.cut(t, mailtest.NewMemDisk("/disk"))
		if !promised(breaches, c.want) {
			t.Errorf("%s: got %v at %s, want a breach of %s", name, breaches, where, c.want)
		}
	}
}
