package faults

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

// t1Account is an account whose server can change.
type t1Account struct {
	*rig
	add      func(bodies []string)
	renumber func() // gives every message another ref
}

// t1Bodies are small, and of every form.
func t1Bodies(from, to int) []string {
	var all []string
	for i := from; i < to; i++ {
		end := "\r\n"
		if i%5 == 3 {
			end = "\nand a line end of its own\r\n"
		}
		all = append(all, fmt.Sprintf("Message-ID: <%d@example.com>\r\nSubject: number %d\r\n\r\n.text%s", i, i, end))
	}
	return all
}

// t1IMAP returns an account with two mailboxes, of which one grows.
func t1IMAP(messages int) *t1Account {
	box := mailtest.NewIMAPBox("INBOX", t1Bodies(0, messages-messages/4)...)
	for i := range box.Messages {
		if i%3 == 0 {
			box.Messages[i].Flags = []string{`\Seen`}
		}
	}
	server := &mailtest.IMAPServer{
		Caps:  "LIST-STATUS ESEARCH",
		Boxes: []*mailtest.IMAPBox{box, mailtest.NewIMAPBox("Work", t1Bodies(messages-messages/4, messages)...)},
	}
	a := &t1Account{rig: imapRig(server)}
	a.add = func(bodies []string) {
		for _, body := range bodies {
			uid := box.Messages[len(box.Messages)-1].UID + 1
			box.Messages = append(box.Messages, mailtest.IMAPMessage{UID: uid, Body: body})
			a.oracle.Add([]byte(body), imapRef(box, uid))
		}
	}
	a.renumber = func() {
		for _, b := range server.Boxes {
			was := *b
			b.UIDValidity++
			for i := range b.Messages {
				from := imapRef(&was, b.Messages[i].UID)
				b.Messages[i].UID += 1000
				a.oracle.Renamed(from, imapRef(b, b.Messages[i].UID))
			}
		}
	}
	return a
}

// t1POP3 is t1IMAP for POP3.
func t1POP3(messages int) *t1Account {
	server := &mailtest.POP3Server{Messages: mailtest.POP3Messages(t1Bodies(0, messages)...)}
	a := &t1Account{rig: pop3Rig(server)}
	a.add = func(bodies []string) {
		for _, body := range bodies {
			m := mailtest.POP3Message{UIDL: fmt.Sprintf("u%d", len(server.Messages)+1), Body: body}
			server.Messages = append(server.Messages, m)
			a.oracle.Add([]byte(body), pop3Ref(m))
		}
	}
	a.renumber = func() {
		for i, m := range server.Messages {
			from := pop3Ref(m)
			server.Messages[i].UIDL = "again-" + m.UIDL
			a.oracle.Renamed(from, pop3Ref(server.Messages[i]))
		}
	}
	return a
}

// process returns the account as a process has it that is about to be killed:
// before is asked at each operation of the disk and of the network, and what is
// acknowledged is noted.
func (a *t1Account) process(disk *mailtest.MemDisk, notes *acknowledged, before func(op string, data []byte) error) *rig {
	r := a.later(disk)
	disk.Before(func(op mailtest.Op) error {
		name := op.Kind + " " + op.Path
		if op.Kind != "write" {
			return before(name, nil)
		}
		return before(name, op.Data)
	})
	r.link.Before = func(op string) error { return before("the network's "+op, nil) }
	inner := r.wrapCheckpoint
	r.wrapCheckpoint = func(c pull.Checkpoint) pull.Checkpoint {
		if inner != nil {
			c = inner(c)
		}
		return &notingCheckpoint{c, notes}
	}
	return r
}

// later returns the account as the next process has it. The age of a batch is
// of no account while a test looks at its disk.
func (a *t1Account) later(disk *mailtest.MemDisk) *rig {
	r := a.on(disk)
	r.bounds = pull.Bounds{Messages: 40, Age: time.Hour}
	return r
}

// t1 kills an account at every operation.
type t1 struct {
	*t1Account
	kept   map[mail.Ref]bool
	every  int // of how many operations it is killed at one
	mu     sync.Mutex
	points int
	judged map[t1Left]bool
	seen   int
	where  string
	found  []mailtest.Breach // the first point that breaks a promise
}

// t1Left is what a process leaves that is killed.
type t1Left struct {
	disk  uint64
	acked int
}

func newT1(a *t1Account, every int) *t1 {
	return &t1{t1Account: a, every: every, judged: make(map[t1Left]bool)}
}

// kill judges a process that dies on this disk, which is what it leaves: what
// it wrote stays in the page cache, flushed or not. The next process knows
// nothing but the disk: where that is as it was at a point that was judged, it
// would do the same once more.
func (s *t1) kill(t testing.TB, where string, disk *mailtest.MemDisk, acked []mail.Ref) {
	if len(s.found) > 0 {
		return
	}
	s.points++
	left := t1Left{disk.State(), len(acked)}
	if s.judged[left] {
		return
	}
	s.judged[left] = true
	if len(s.judged)%2 == 0 {
		s.found = s.later(disk.Clone()).remembered(acked, s.kept)
	} else {
		s.found = s.visible(disk)
	}
	if len(s.found) == 0 {
		s.found = s.later(disk).recovers(t, disk, len(s.judged)%10 == 0)
	}
	s.where = where
}

// visible judges what readers of the archive see, whatever the records say.
func (s *t1) visible(disk *mailtest.MemDisk) []mailtest.Breach {
	archive, err := disk.Sub("mail")
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the first pass dies before there is one
	}
	if err != nil {
		return []mailtest.Breach{{Promise: "P1", Text: err.Error()}}
	}
	return s.oracle.Judge(archive, mailtest.Records{Delivered: func(mail.Ref) bool { return false }})
}

// everywhere makes a pass and kills it at each operation, and within each
// write. The pass itself goes on to its end.
func (s *t1) everywhere(t testing.TB, start *mailtest.MemDisk) {
	t.Helper()
	disk, notes := start.Clone(), &acknowledged{}
	r := s.process(disk, notes, func(op string, data []byte) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.seen++; s.seen%s.every != 0 {
			return nil
		}
		where := fmt.Sprintf("operation %d, %s", s.seen, op)
		s.kill(t, where, disk.Clone(), notes.upTo())
		if len(data) > 1 {
			half := disk.Clone()
			t1Append(t, half, strings.TrimPrefix(op, "write /disk/"), data[:len(data)/2])
			s.kill(t, where+", half done", half, notes.upTo())
		}
		return nil
	})
	_, err := r.pass(t.Context())
	disk.Before(nil)
	if err != nil && len(s.found) == 0 {
		s.found = []mailtest.Breach{{Promise: "P2", Text: "the pass itself does not complete: " + err.Error()}}
	}
	if len(s.found) == 0 {
		s.kill(t, "the end", disk, notes.upTo())
	}
}

// t1Append writes to the end of a file, as a write does that is not finished.
func t1Append(t testing.TB, disk durable.Dir, path string, data []byte) {
	t.Helper()
	dir, rest, below := strings.Cut(path, "/")
	if below {
		t1Append(t, mustSub(t, disk, dir), rest, data)
		return
	}
	f, err := disk.Append(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // in memory
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
}

// trulyKilled kills processes in earnest, at every n-th operation: from there
// on nothing that they ask for has an effect. It shows that the disk at an
// operation is what a process leaves that dies there.
func (s *t1) trulyKilled(t testing.TB, start *mailtest.MemDisk, every int) {
	t.Helper()
	for at := 1; len(s.found) == 0; at += every {
		disk, notes, steps := start.Clone(), &acknowledged{}, mailtest.StopAt(at, mailtest.ErrKilled)
		r := s.process(disk, notes, func(op string, _ []byte) error { return steps.Do(op) })
		_, err := r.pass(t.Context())
		disk.Before(nil)
		if steps.Count() < at {
			return
		}
		if err == nil && !strings.Contains(steps.Name(at), "close") {
			s.found = []mailtest.Breach{{Promise: "P1", Text: "a process that died says that all is well"}}
		} else {
			s.kill(t, fmt.Sprintf("truly at operation %d, %s", at, steps.Name(at)), disk, notes.upTo())
		}
		s.where = steps.Name(at)
	}
}

// t1Start prepares an account whose pass is killed.
type t1Start struct {
	name    string
	prepare func(t testing.TB, s *t1, disk *mailtest.MemDisk)
}

// t1Starts are the states that a pass can begin with. Where another one stands
// before it, the archive is complete.
func t1Starts(messages int) []t1Start {
	return []t1Start{
		{"an empty archive", func(testing.TB, *t1, *mailtest.MemDisk) {}},
		{"new mail", func(t testing.TB, s *t1, disk *mailtest.MemDisk) {
			s.complete(t, disk)
			s.add(t1Bodies(messages, messages+messages/2))
		}},
		{"checkpoint deleted", func(t testing.TB, s *t1, disk *mailtest.MemDisk) {
			s.complete(t, disk)
			s.remove(t, disk, "checkpoint")
		}},
		{"records deleted", func(t testing.TB, s *t1, disk *mailtest.MemDisk) {
			s.complete(t, disk)
			s.remove(t, disk, "checkpoint", "manifest")
			s.kept = nil // the manifest's proof is gone with it
		}},
		{"refs made anew", func(t testing.TB, s *t1, disk *mailtest.MemDisk) {
			s.complete(t, disk)
			s.renumber()
		}},
		{"a checkpoint to fold", func(t testing.TB, s *t1, disk *mailtest.MemDisk) {
			s.complete(t, disk)
			growCheckpoint(t, disk)
			s.add(t1Bodies(messages, messages+1))
		}},
	}
}

// complete makes the pass before, after which all that the server has must
// stay in the archive.
func (s *t1) complete(t testing.TB, disk *mailtest.MemDisk) {
	t.Helper()
	notes := &acknowledged{}
	r := s.process(disk, notes, func(string, []byte) error { return nil })
	_, err := r.pass(t.Context())
	disk.Before(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.kept = make(map[mail.Ref]bool)
	for _, ref := range notes.refs {
		s.kept[ref] = true
	}
}

func (s *t1) remove(t testing.TB, disk *mailtest.MemDisk, names ...string) {
	t.Helper()
	state := mustSub(t, disk, "state")
	for _, name := range names {
		if err := state.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// t1Protocols make accounts of that many messages.
func t1Protocols() map[string]func(messages int) *t1Account {
	return map[string]func(int) *t1Account{"imap": t1IMAP, "pop3": t1POP3}
}

func TestT1KillAtEveryOperation(t *testing.T) {
	t.Parallel()
	const messages = 200
	total := 0
	for protocol, fresh := range t1Protocols() {
		for _, start := range t1Starts(messages) {
			s := newT1(fresh(messages), mailtest.Every(20))
			disk := mailtest.NewMemDisk("/disk")
			start.prepare(t, s, disk)
			s.everywhere(t, disk)
			simulated, disks := s.points, len(s.judged)
			clear(s.judged) // a true kill is judged whatever was before
			s.trulyKilled(t, disk, 97*mailtest.Every(5))
			for _, b := range s.found {
				t.Errorf("%s, %s, killed at %s: %v", protocol, start.name, s.where, b)
			}
			t.Logf("%s, %s: %d points, %d different disks, %d true kills", protocol, start.name, simulated, disks, s.points-simulated)
			total += s.points
		}
	}
	mailtest.Figure(t, "T1", "kill points", total, 8000)
}

// Products that are broken on purpose break the promise that the suite must
// name.
func TestT1Notices(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		broken func(*rig)
		want   string
	}{
		"committed before the rename": {commitFirst, "P1"},
		"a message is never listed":   {loseOne, "P1"},
		"a torn body is taken whole":  {func(r *rig) { r.wrapSource = cutShort }, "P3"},
	} {
		for protocol, fresh := range t1Protocols() {
			s := newT1(fresh(20), 1)
			c.broken(s.rig)
			start := mailtest.NewMemDisk("/disk")
			s.everywhere(t, start)
			s.trulyKilled(t, start, 7)
			if !promised(s.found, c.want) {
				t.Errorf("%s over %s: got %v at %s, want a breach of %s", name, protocol, s.found, s.where, c.want)
			}
		}
	}
}
