package pull_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

// bentSource changes what the sessions of a server do. number counts them from
// one in the order of their opening.
type bentSource struct {
	*mailtest.Server
	open     func(number int) error
	selected func(number int, refs *mail.Refs)
	fetch    func(number int)

	mu     sync.Mutex
	opened int
}

type bentSession struct {
	pull.Session
	source *bentSource
	number int
}

func (s *bentSource) Open(ctx context.Context) (pull.Session, error) {
	s.mu.Lock()
	s.opened++
	number := s.opened
	s.mu.Unlock()
	if s.open != nil {
		if err := s.open(number); err != nil {
			return nil, err
		}
	}
	session, err := s.Server.Open(ctx)
	return &bentSession{session, s, number}, err
}

func (s *bentSession) Select(ctx context.Context, box mail.Mailbox) (mail.Refs, mail.Status, error) {
	refs, status, err := s.Session.Select(ctx, box)
	if s.source.selected != nil {
		s.source.selected(s.number, &refs)
	}
	return refs, status, err
}

func (s *bentSession) Fetch(ctx context.Context, refs mail.Refs, r mail.Receiver) error {
	if s.source.fetch != nil {
		s.source.fetch(s.number)
	}
	return s.Session.Fetch(ctx, refs, r)
}

// A large mailbox is pulled over all sessions at once: each waits here until all
// of them have a share.
func TestLanesShareAMailbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(box("INBOX", letters(40)...))
		var together sync.WaitGroup
		together.Add(3)
		var began [4]sync.Once
		source := &bentSource{Server: w.server, fetch: func(number int) {
			began[number].Do(together.Done)
			together.Wait()
		}}
		r := w.mustComplete(t, func(o *pull.Options) { o.Sessions, o.Source = 3, source })
		if r.New != 40 || len(r.Mailboxes) != 1 || source.opened != 3 || w.server.Fetched != 40 {
			t.Errorf("got %d new in %d results over %d sessions, %d bodies", r.New, len(r.Mailboxes), source.opened, w.server.Fetched)
		}
		w.check(t, "INBOX")
		if r := w.mustComplete(t); !r.Mailboxes[0].Unchanged {
			t.Error("the mailbox was not recorded as complete")
		}
	})
}

// Nothing is opened for a mailbox that has no more than one session can hold in
// hand.
func TestSmallMailboxIsNotShared(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(7)...))
	w.mustComplete(t, func(o *pull.Options) { o.Sessions = 3 })
	if w.server.Opened != 1 {
		t.Errorf("%d sessions for seven messages", w.server.Opened)
	}
}

// Servers bound the connections of an account: those that they refuse are no
// failure of the pass.
func TestOneLaneIsEnough(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(40)...), box("Work", letters(3)...))
	tooMany := &mail.Error{Op: "fake open", Scope: mail.ScopeAccount, Class: mail.ClassThrottled, Err: errors.New("too many connections")}
	source := &bentSource{Server: w.server, open: func(number int) error {
		if number > 1 {
			return tooMany
		}
		return nil
	}}
	if r := w.mustComplete(t, func(o *pull.Options) { o.Sessions, o.Source = 4, source }); r.New != 43 {
		t.Errorf("got %d new, want 43", r.New)
	}
	w.check(t, "INBOX")
	w.check(t, "Work")
}

// Connections that are lost cost no message a second visit.
func TestSharesAreTakenUpAgain(t *testing.T) {
	t.Parallel()
	for cut := 3; cut <= 12; cut++ { // with fewer bodies no session confirms any
		w := newWorld(box("INBOX", letters(60)...))
		w.server.CutAfter = cut
		r := w.mustComplete(t, func(o *pull.Options) { o.Sessions = 3 })
		if r.New != 60 || len(r.Mailboxes) != 1 {
			t.Errorf("cut after %d: %d new in %d results", cut, r.New, len(r.Mailboxes))
		}
		w.check(t, "INBOX")
	}
}

// A mailbox that is another one for the second session is given up, with one
// result, and pulled whole by the next pass.
func TestShareOfAnotherMailbox(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(40)...))
	second := make(chan struct{})
	var looked, fetched sync.Once
	source := &bentSource{
		Server: w.server,
		selected: func(number int, refs *mail.Refs) {
			if number > 1 {
				refs.Validity++
				looked.Do(func() { close(second) })
			}
		},
		fetch: func(int) { fetched.Do(func() { <-second }) }, // until the other one has looked
	}
	r, err := w.run(t.Context(), nil, func(o *pull.Options) { o.Sessions, o.Source = 2, source })
	if err == nil || !strings.Contains(err.Error(), "UIDVALIDITY changed") || len(r.Mailboxes) != 1 || r.Missing == 0 || r.New == 0 {
		t.Errorf("got %+v, %v", r, err)
	}
	w.mustComplete(t)
	w.check(t, "INBOX")
	if w.server.Fetched != 40 {
		t.Errorf("%d bodies for 40 messages", w.server.Fetched)
	}
}

// The newest messages are committed before older ones.
func TestNewestBatchFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(18)...))
	w.mustComplete(t, func(o *pull.Options) { o.NewestFirst = true })
	var got []mail.UID
	for _, d := range w.manifest.Lines {
		got = append(got, d.Item.Ref.UID)
	}
	for i, uid := range got {
		if want := mail.UID(18 - i/4*4); uid > want || uid+4 <= want {
			t.Fatalf("message %d is UID %d: %v", i, uid, got)
		}
	}
	if len(got) != 18 {
		t.Errorf("%d messages", len(got))
	}
	w.check(t, "INBOX")
}

// onceBad is a server on which one message breaks a single connection.
type onceBad struct {
	*mailtest.Server
	uid  mail.UID
	shot atomic.Bool
}

type onceBadSession struct {
	pull.Session
	source *onceBad
}

func (s *onceBad) Open(ctx context.Context) (pull.Session, error) {
	session, err := s.Server.Open(ctx)
	return &onceBadSession{session, s}, err
}

func (s *onceBadSession) Fetch(ctx context.Context, refs mail.Refs, r mail.Receiver) error {
	if !refs.UIDs.Contains(s.source.uid) || !s.source.shot.CompareAndSwap(false, true) {
		return s.Session.Fetch(ctx, refs, r)
	}
	ref := mail.Ref{Mailbox: refs.Mailbox, Validity: refs.Validity, UID: s.source.uid}
	bad := &mail.Error{
		Op: "fake fetch", Mailbox: ref.Mailbox, UID: ref.UID, Scope: mail.ScopeMessage,
		Retry: mail.RetryNow, Class: mail.ClassConnect, Err: io.ErrUnexpectedEOF,
	}
	if err := r.Settle(mail.Item{Ref: ref}, bad); err != nil {
		return err
	}
	dead := *bad
	dead.Scope = mail.ScopeAccount
	return &dead
}

// A message that fails and comes at the second try is held against nobody, also
// where its mailbox is parted.
func TestMessageThatComesAtLastIsNoFailure(t *testing.T) {
	t.Parallel()
	for _, sessions := range []int{1, 2} {
		w := newWorld(box("INBOX", letters(40)...))
		source := &onceBad{Server: w.server, uid: 6}
		r, err := w.run(t.Context(), nil, func(o *pull.Options) { o.Sessions, o.Source = sessions, source })
		if err != nil || !r.Complete || r.New != 40 || r.Mailboxes[0].Err != nil || !source.shot.Load() {
			t.Errorf("%d sessions: got %+v, %v", sessions, r, err)
		}
		if known, _ := w.checkpoint.Known("INBOX"); known.Complete == nil {
			t.Errorf("%d sessions: the mailbox was not recorded as complete", sessions)
		}
		w.check(t, "INBOX")
	}
}

// hooked asks before each command of its sessions what comes of it. As on real
// servers a Select that fails leaves nothing selected. number counts the sessions
// as a bentSource does.
type hooked struct {
	bentSource
	onSelect func(number int, box mail.MailboxName) error
	onFetch  func(number int, box mail.MailboxName) error
}

type hookedSession struct {
	pull.Session
	source   *hooked
	number   int
	selected mail.MailboxName
}

func (s *hooked) Open(ctx context.Context) (pull.Session, error) {
	session, err := s.bentSource.Open(ctx)
	if err != nil {
		return nil, err
	}
	return &hookedSession{Session: session, source: s, number: session.(*bentSession).number}, nil
}

func (s *hookedSession) Select(ctx context.Context, box mail.Mailbox) (mail.Refs, mail.Status, error) {
	s.selected = ""
	if err := s.source.onSelect(s.number, box.Name); err != nil {
		return mail.Refs{}, mail.Status{}, err
	}
	s.selected = box.Name
	return s.Session.Select(ctx, box)
}

func (s *hookedSession) Fetch(ctx context.Context, refs mail.Refs, r mail.Receiver) error {
	if err := s.source.onFetch(s.number, refs.Mailbox); err != nil {
		return err
	}
	if refs.Mailbox != s.selected {
		return &mail.Error{Op: "fake fetch", Mailbox: refs.Mailbox, Scope: mail.ScopeAccount, Class: mail.ClassLocal, Err: errors.New("the mailbox is not open")}
	}
	return s.Session.Fetch(ctx, refs, r)
}

// A lane that is refused the mailbox of a share goes back to its own by opening
// it again.
func TestRefusedShareCostsNoOtherMailbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(box("INBOX", letters(40)...), box("Work", letters(40)...))
		source := &hooked{bentSource: bentSource{Server: w.server}}
		var opened atomic.Bool
		source.onSelect = func(_ int, box mail.MailboxName) error {
			time.Sleep(time.Second) // until each lane has a mailbox
			if box != "Work" {
				return nil
			}
			if opened.Swap(true) {
				return &mail.Error{Op: "fake select", Mailbox: box, Scope: mail.ScopeMailbox, Class: mail.ClassServer, Err: errors.New("in use")}
			}
			time.Sleep(time.Second) // so that its shares come before those of INBOX
			return nil
		}
		source.onFetch = func(_ int, box mail.MailboxName) error {
			time.Sleep(2 * time.Second)
			if box == "Work" {
				time.Sleep(time.Minute)
			}
			return nil
		}
		r, err := w.run(t.Context(), nil, func(o *pull.Options) { o.Sessions, o.Source = 2, source })
		if err == nil || !strings.Contains(err.Error(), `"Work": in use`) {
			t.Errorf("got %v, want that Work is in use", err)
		}
		if m := r.Mailboxes[0]; m.New != 40 || m.Err != nil {
			t.Errorf("INBOX: got %+v", m)
		}
	})
}

// lostConnection is how a session ends that the server has closed.
func lostConnection() *mail.Error {
	return &mail.Error{Op: "fake", Scope: mail.ScopeAccount, Retry: mail.RetryNow, Class: mail.ClassConnect, Err: io.ErrUnexpectedEOF}
}

// A server that closes the connection of a lane which only waits costs it a new
// one, and no mailbox.
func TestLostWhileWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(box("INBOX", letters(3)...), box("Work", letters(40)...))
		source := &hooked{bentSource: bentSource{Server: w.server}}
		var listed atomic.Bool
		var closed [4]atomic.Bool
		lost := func(number int) error {
			if closed[number].Load() {
				return lostConnection()
			}
			return nil
		}
		source.onSelect = func(number int, box mail.MailboxName) error {
			if box == "Work" && !listed.Swap(true) {
				time.Sleep(35 * time.Minute) // a long listing
				closed[3-number].Store(true)
			}
			return lost(number)
		}
		source.onFetch = func(number int, _ mail.MailboxName) error {
			time.Sleep(time.Second) // so that both lanes get a share
			return lost(number)
		}
		r := w.mustComplete(t, func(o *pull.Options) { o.Sessions, o.Source = 2, source })
		if r.New != 43 || source.opened != 3 {
			t.Errorf("got %d new over %d sessions, want 43 over 3", r.New, source.opened)
		}
	})
}

// A mailbox that ends each session which opens it has one more tried, and costs
// itself.
func TestMailboxThatEndsSessionsIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", "a"), box("Deadly", "x"), box("Work", "b"))
	w.server.Box("Deadly").Refuse = lostConnection()
	r, err := w.run(t.Context(), nil)
	if !errors.Is(err, io.ErrUnexpectedEOF) || r.Missing != 1 || w.server.Opened != 3 {
		t.Errorf("got %+v over %d sessions, %v", r, w.server.Opened, err)
	}
	w.check(t, "INBOX")
	w.check(t, "Work")
}

// Lanes that part their mailboxes at the same moment hire no more of them
// together than the account may have connections.
func TestLanesAreNotHiredTwice(t *testing.T) {
	t.Parallel()
	const sessions = 8
	for range 500 {
		w := newWorld(box("INBOX", letters(8)...))
		w.server.Sessions = sessions
		for i := range sessions - 2 {
			box(mail.MailboxName(fmt.Sprint("box ", i)), letters(8)...)(w.server)
		}
		var parting sync.WaitGroup
		parting.Add(sessions - 1) // one more may be hired
		var listed [sessions]sync.Once
		source := &bentSource{Server: w.server, selected: func(number int, _ *mail.Refs) {
			if number < sessions {
				listed[number].Do(func() { parting.Done(); parting.Wait() })
			}
		}}
		w.mustComplete(t, func(o *pull.Options) { o.Sessions, o.Source = sessions, source })
		if source.opened > sessions {
			t.Fatalf("%d sessions were open, want at most %d", source.opened, sessions)
		}
	}
}
