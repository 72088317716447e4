package pull_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a server and what mailpull made of it.
type world struct {
	server     *mailtest.Server
	store      *mailtest.Store
	checkpoint *mailtest.Checkpoint
	manifest   *mailtest.Manifest
}

func newWorld(boxes ...func(*mailtest.Server)) *world {
	w := &world{
		server:     mailtest.NewServer(),
		store:      mailtest.NewStore(),
		checkpoint: mailtest.NewCheckpoint(),
		manifest:   &mailtest.Manifest{},
	}
	for _, box := range boxes {
		box(w.server)
	}
	return w
}

// box fills a mailbox of the server.
func box(name mail.MailboxName, bodies ...string) func(*mailtest.Server) {
	return func(s *mailtest.Server) { s.Box(name).Add(bodies...) }
}

// run makes a pass in which every fake takes its steps from steps.
func (w *world) run(ctx context.Context, steps *mailtest.Steps, change ...func(*pull.Options)) (pull.Result, error) {
	w.server.Steps, w.store.Steps, w.checkpoint.Steps, w.manifest.Steps = steps, steps, steps, steps
	o := pull.Options{
		Account: "work", Source: w.server, Store: w.store, Checkpoint: w.checkpoint, Manifest: w.manifest,
		Batch: pull.Bounds{Messages: 4},
	}
	for _, fn := range change {
		fn(&o)
	}
	return pull.Run(ctx, o)
}

// mustComplete makes a pass that must leave nothing missing.
func (w *world) mustComplete(t *testing.T, change ...func(*pull.Options)) pull.Result {
	t.Helper()
	r, err := w.run(t.Context(), nil, change...)
	if err != nil {
		t.Fatalf("pass failed: %v", err)
	}
	if !r.Complete || r.Missing != 0 {
		t.Fatalf("pass is not complete: %+v", r)
	}
	return r
}

// check is the oracle: the archive holds what the server has, once, and the
// manifest has a line for each file.
func (w *world) check(t *testing.T, name mail.MailboxName) {
	t.Helper()
	var want []string
	for _, m := range w.server.Box(name).Messages {
		if m.Outcome == nil {
			want = append(want, m.Body)
		}
	}
	slices.Sort(want)
	if got := w.store.Bodies(name); !slices.Equal(got, want) {
		t.Errorf("%q: archive has %q, want %q", name, got, want)
	}
	keys := make(map[mail.Key]bool)
	for _, d := range w.manifest.Lines {
		keys[d.Key] = true
	}
	w.store.Change(name, func(files map[mail.Key]mailtest.StoredMessage) {
		for key, m := range files {
			if !keys[key] {
				t.Errorf("%q: %q is in the archive and not in the manifest", name, m.Body)
			}
		}
	})
}

// retryAll makes all messages in quarantine due, as the command does.
func (w *world) retryAll(t *testing.T) {
	t.Helper()
	for _, name := range []mail.MailboxName{"INBOX", "Work"} {
		messages := w.checkpoint.Quarantined(name)
		for i := range messages {
			messages[i].Next = time.Now()
		}
		if err := w.checkpoint.Quarantine(messages); err != nil {
			t.Fatal(err)
		}
	}
}

func letters(n int) []string {
	var bodies []string
	for i := range n {
		bodies = append(bodies, fmt.Sprintf("Subject: %d\r\n\r\nbody %d\r\n", i, i))
	}
	return bodies
}

func TestPassBringsEverythingOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(10)...), box("Work", "a", "b"), box("Empty"))
	r := w.mustComplete(t)
	if r.New != 12 || len(r.Mailboxes) != 3 {
		t.Fatalf("first pass: got %+v", r)
	}
	want := mail.MailboxResult{Mailbox: "INBOX", Server: 10, Archived: 10, New: 10}
	if r.Mailboxes[0] != want {
		t.Errorf("got %+v, want %+v", r.Mailboxes[0], want)
	}
	w.check(t, "INBOX")
	w.check(t, "Work")

	again := w.mustComplete(t)
	if again.New != 0 || w.server.Fetched != 12 {
		t.Errorf("second pass fetched: %+v, bodies %d", again, w.server.Fetched)
	}
	for _, m := range again.Mailboxes {
		if !m.Unchanged {
			t.Errorf("%q was opened although nothing changed", m.Mailbox)
		}
	}
}

func TestNewMailIsFound(t *testing.T) {
	t.Parallel()
	for _, noStatus := range []bool{false, true} {
		w := newWorld(box("INBOX", "a", "b"))
		w.server.NoStatus = noStatus
		w.mustComplete(t)
		w.server.Box("INBOX").Add("c")
		if r := w.mustComplete(t); r.New != 1 {
			t.Errorf("no status %v: got %d new, want 1", noStatus, r.New)
		}
		w.check(t, "INBOX")
	}
}

// A server whose UIDNEXT stays while its count grows is not believed.
func TestGrowthWithoutUIDNextIsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", "a", "b"))
	w.server.Box("INBOX").UIDNext = 10
	w.mustComplete(t)
	b := w.server.Box("INBOX")
	b.Messages = append(b.Messages, mailtest.ServerMessage{UID: 5, Body: "late"})
	w.mustComplete(t)
	w.check(t, "INBOX")
}

func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	setup := func() *world {
		return newWorld(box("INBOX", letters(9)...), box("Work", "a", "b", "c", "d"))
	}
	count := &mailtest.Steps{}
	if _, err := setup().run(t.Context(), count); err != nil {
		t.Fatal(err)
	}
	if count.Count() < 50 {
		t.Fatalf("only %d steps: the test has lost its grip", count.Count())
	}
	for _, sessions := range []int{1, 2} {
		for n := 1; n <= count.Count(); n++ {
			w := setup()
			many := func(o *pull.Options) { o.Sessions = sessions }
			steps := mailtest.StopAt(n, mailtest.ErrKilled)
			if _, err := w.run(t.Context(), steps, many); err == nil && steps.Name(n) != "close" {
				t.Errorf("killed at step %d (%s) without an error", n, steps.Name(n))
			}
			w.mustComplete(t, many)
			w.check(t, "INBOX")
			w.check(t, "Work")
			before := w.server.Fetched
			if r := w.mustComplete(t, many); r.New != 0 || w.server.Fetched != before {
				t.Errorf("killed at step %d (%s): a later pass still found work: %+v", n, steps.Name(n), r)
			}
			if t.Failed() {
				t.Fatalf("killed at step %d (%s)", n, steps.Name(n))
			}
		}
	}
}

func TestDeletedCheckpointBringsNothingTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(10)...))
	w.mustComplete(t)
	w.checkpoint = mailtest.NewCheckpoint()
	if r := w.mustComplete(t); r.New != 0 || w.server.Fetched != 10 {
		t.Errorf("got %d new and %d bodies, want none fetched again", r.New, w.server.Fetched)
	}
	w.check(t, "INBOX")
}

// What a mail reader deleted or filed elsewhere does not come again, because
// the manifest has it.
func TestDeletedCheckpointRemembersWhatReadersDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(10)...))
	w.mustComplete(t)
	w.checkpoint = mailtest.NewCheckpoint()
	w.store.Change("INBOX", func(files map[mail.Key]mailtest.StoredMessage) { clear(files) })
	w.server.Box("INBOX").Add("new one")
	if r := w.mustComplete(t); r.New != 1 || w.server.Fetched != 11 {
		t.Errorf("got %d new and %d bodies, want one of each", r.New, w.server.Fetched)
	}
}

// With the manifest gone as well, nobody knows the hashes: the messages are
// read once more, compared, listed, and not stored again.
func TestDeletedStateIsComparedWithTheServer(t *testing.T) {
	t.Parallel()
	for _, broken := range []error{nil, errors.New("line 3: chain is broken")} {
		w := newWorld(box("INBOX", letters(10)...))
		w.mustComplete(t)
		w.checkpoint = mailtest.NewCheckpoint()
		w.manifest = &mailtest.Manifest{Broken: broken}
		w.mustComplete(t)
		w.check(t, "INBOX")
		if w.server.Fetched != 20 || len(w.manifest.Lines) != 10 {
			t.Errorf("got %d bodies and %d lines, want 20 and 10", w.server.Fetched, len(w.manifest.Lines))
		}
	}
}

func TestDamagedFileIsNotOverwritten(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(5)...))
	w.mustComplete(t)
	w.checkpoint, w.manifest = mailtest.NewCheckpoint(), &mailtest.Manifest{}
	damaged := mail.NewKey("work", mail.Ref{Mailbox: "INBOX", Validity: 7, UID: 3})
	w.store.Change("INBOX", func(files map[mail.Key]mailtest.StoredMessage) {
		files[damaged] = mailtest.StoredMessage{Body: "rotten"}
	})
	r, err := w.run(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "uid 3") || !strings.Contains(err.Error(), "differs") {
		t.Fatalf("got error %v", err)
	}
	if mail.ErrorHint(err) == "" {
		t.Error("no hint")
	}
	if m := r.Mailboxes[0]; m.Archived != 4 || m.Missing != 1 {
		t.Errorf("got %+v, want 4 archived and 1 missing", m)
	}
	if !slices.Contains(w.store.Bodies("INBOX"), "rotten") {
		t.Error("the file was overwritten")
	}
}

func TestReaderDeletedMessageIsNotFetchedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", "a", "b", "c"))
	w.mustComplete(t)
	w.store.Change("INBOX", func(files map[mail.Key]mailtest.StoredMessage) { clear(files) })
	w.server.Box("INBOX").Add("d")
	if r := w.mustComplete(t); r.New != 1 {
		t.Errorf("got %d new, want 1", r.New)
	}
	if got := w.store.Bodies("INBOX"); !slices.Equal(got, []string{"d"}) {
		t.Errorf("archive has %q", got)
	}
}

func TestLostConnectionGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(20)...))
	w.server.CutAfter = 4
	r := w.mustComplete(t)
	if r.New != 20 || w.server.Opened < 5 {
		t.Errorf("got %d new over %d sessions", r.New, w.server.Opened)
	}
	w.check(t, "INBOX")
}

// Messages that kill the connection, wherever they stand, cost themselves.
func TestDeadlyMessagesStopOnlyThemselves(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(12)...), box("Work", "a"))
	b := w.server.Box("INBOX")
	for _, i := range []int{0, 4, 5, 11} {
		b.Messages[i].Deadly = true
	}
	r, err := w.run(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "odd answer") {
		t.Fatalf("got error %v", err)
	}
	if m := r.Mailboxes[0]; m.Archived != 8 || m.Missing != 4 || m.New != 8 {
		t.Errorf("got %+v, want 8 archived", m)
	}
	w.check(t, "Work")
	for i := range b.Messages {
		b.Messages[i].Deadly = false
	}
	w.retryAll(t)
	w.mustComplete(t)
	w.check(t, "INBOX")
}

// A message that the server once said was gone, and still has, is found by the
// next pass although nothing else changed.
func TestGoneIsNotBelievedForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(3)...))
	b := w.server.Box("INBOX")
	b.Messages[1].Outcome = mail.ErrGone
	r := w.mustComplete(t)
	if m := r.Mailboxes[0]; m.Archived != 2 || m.Gone != 1 {
		t.Fatalf("got %+v", m)
	}
	b.Messages[1].Outcome = nil
	if r := w.mustComplete(t); r.New != 1 {
		t.Errorf("got %d new, want the message that was not gone", r.New)
	}
	w.check(t, "INBOX")
}

// Neither a file that differs nor a message that is gone lets a pass go round
// for ever when a message behind it ends each session.
func TestPassEndsWhateverStandsInFrontOfADeadlyMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(8)...))
	w.mustComplete(t)
	w.checkpoint, w.manifest = mailtest.NewCheckpoint(), &mailtest.Manifest{}
	w.store.Change("INBOX", func(files map[mail.Key]mailtest.StoredMessage) {
		files[mail.NewKey("work", mail.Ref{Mailbox: "INBOX", Validity: 7, UID: 1})] = mailtest.StoredMessage{Body: "rotten"}
	})
	b := w.server.Box("INBOX")
	b.Messages[1].Outcome = mail.ErrGone
	b.Messages[7].Deadly = true
	w.server.Opened = 0
	if _, err := w.run(t.Context(), nil); err == nil {
		t.Fatal("no error")
	}
	if w.server.Opened > 6 {
		t.Errorf("%d sessions were opened", w.server.Opened)
	}
}

// A server that asks to wait is not signed in to again at once.
func TestThrottledSessionIsNotReopened(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(20)...))
	w.server.CutAfter, w.server.CutClass = 4, mail.ClassThrottled
	r, err := w.run(t.Context(), nil)
	if mail.ErrorClass(err) != mail.ClassThrottled || w.server.Opened != 1 {
		t.Errorf("got %v after %d sessions", err, w.server.Opened)
	}
	if r.New != 3 {
		t.Errorf("got %d new, want what was settled before", r.New)
	}
}

// An empty answer without UIDVALIDITY does not make a mailbox forget.
func TestEmptyAnswerForgetsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", "a", "b"))
	w.mustComplete(t)
	b := w.server.Box("INBOX")
	kept, validity := b.Messages, b.Validity
	b.Messages, b.Validity = nil, 0
	if _, err := w.run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "UIDVALIDITY") {
		t.Fatalf("got %v", err)
	}
	b.Messages, b.Validity = kept, validity
	w.store.Change("INBOX", func(files map[mail.Key]mailtest.StoredMessage) { clear(files) })
	if r := w.mustComplete(t); r.New != 0 {
		t.Errorf("got %d new: what a reader deleted came again", r.New)
	}
}

// A mailbox of nothing else is given up after a bounded number of sessions.
func TestMailboxOfDeadlyMessagesEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(200)...), box("Work", "a"))
	b := w.server.Box("INBOX")
	for i := range b.Messages {
		b.Messages[i].Deadly = true
	}
	if _, err := w.run(t.Context(), nil); err == nil {
		t.Fatal("no error")
	}
	if w.server.Opened > 50 {
		t.Errorf("%d sessions were opened", w.server.Opened)
	}
	w.check(t, "Work")
}

// A mailbox that kills every connection costs itself, not its neighbours.
func TestDeadlyMailboxStopsOnlyItself(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", "a"), box("Deadly", "x"), box("Work", "b"))
	w.server.Box("Deadly").Refuse = &mail.Error{Op: "fake select", Scope: mail.ScopeAccount, Class: mail.ClassConnect, Err: errors.New("cut")}
	r, err := w.run(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "cut") {
		t.Fatalf("got error %v", err)
	}
	if len(r.Mailboxes) != 3 || r.Complete || r.Missing != 1 {
		t.Errorf("got %+v", r)
	}
	w.check(t, "INBOX")
	w.check(t, "Work")
}

func TestRefusedMailboxIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", "a"), box("Locked", "x", "y"), box("Work", "b"))
	w.server.Box("Locked").Refuse = &mail.Error{Op: "fake select", Mailbox: "Locked", Scope: mail.ScopeMailbox, Class: mail.ClassServer, Err: errors.New("permission denied")}
	r, err := w.run(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), `"Locked": permission denied`) {
		t.Fatalf("got error %v", err)
	}
	if m := r.Mailboxes[1]; m.Missing != 2 || m.Err == nil {
		t.Errorf("got %+v, want 2 missing", m)
	}
	if w.server.Opened != 1 {
		t.Errorf("a refused mailbox cost %d sessions", w.server.Opened)
	}
	w.check(t, "Work")
}

func TestOutcomesAreCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(6)...))
	b := w.server.Box("INBOX")
	b.Messages[1].Outcome = mail.ErrGone
	b.Messages[4].Outcome = &mail.Error{Op: "fake fetch", Mailbox: "INBOX", UID: 5, Scope: mail.ScopeMessage, Class: mail.ClassServer, Err: errors.New("no body")}
	r, err := w.run(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "uid 5: no body") {
		t.Fatalf("got error %v", err)
	}
	want := mail.MailboxResult{Mailbox: "INBOX", Server: 6, Archived: 4, New: 4, Gone: 1, Missing: 1, MissingBytes: r.Bytes / 4, Err: r.Mailboxes[0].Err}
	if r.Mailboxes[0] != want {
		t.Errorf("got %+v, want %+v", r.Mailboxes[0], want)
	}
	w.check(t, "INBOX")

	b.Messages[4].Outcome = nil
	b.Messages = slices.Delete(b.Messages, 1, 2)
	w.retryAll(t)
	if r := w.mustComplete(t); r.New != 1 {
		t.Errorf("got %d new, want 1", r.New)
	}
	w.check(t, "INBOX")
}

func TestMailboxWithoutUIDValidityIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", "a"), box("Odd", "b"))
	w.server.Box("Odd").Validity = 0
	_, err := w.run(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), `"Odd": the server gives it no UIDVALIDITY`) {
		t.Fatalf("got error %v", err)
	}
	w.check(t, "INBOX")
	if got := w.store.Bodies("Odd"); len(got) != 0 {
		t.Errorf("stored %q", got)
	}
}

func TestFailingDiskEndsThePass(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left on device")
	for _, name := range []string{"write", "seal", "flush data", "rename", "flush names", "append", "commit"} {
		w := newWorld(box("INBOX", letters(9)...))
		_, err := w.run(t.Context(), mailtest.StopAtName(name, full))
		if !errors.Is(err, full) || mail.ErrorClass(err) != mail.ClassDisk {
			t.Errorf("disk failed at %q: got %v", name, err)
		}
		w.mustComplete(t)
		w.check(t, "INBOX")
	}
}

func TestInterruptedPassCommitsWhatItHas(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(20)...))
	ctx, cancel := context.WithCancel(t.Context())
	watch := &watcher{}
	watch.received = func(total int) {
		if total > 300 {
			cancel()
		}
	}
	r, err := w.run(ctx, nil, func(o *pull.Options) { o.Observer = watch; o.Batch.Messages = 100 })
	if !errors.Is(err, pull.ErrInterrupted) {
		t.Fatalf("got error %v", err)
	}
	if r.New == 0 || r.New == 20 {
		t.Fatalf("got %d new, want some", r.New)
	}
	if n := len(w.store.Bodies("INBOX")); n != r.New {
		t.Errorf("archive has %d, committed %d", n, r.New)
	}
	if m := r.Mailboxes[0]; m.Missing != 20-r.New {
		t.Errorf("got %+v", m)
	}
	if last := w.checkpoint.Passes[len(w.checkpoint.Passes)-1]; last.Complete || !strings.Contains(last.Error, "interrupted") {
		t.Errorf("recorded pass: %+v", last)
	}
	w.mustComplete(t)
	w.check(t, "INBOX")
}

func TestChosenMailboxesOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", "a"), box("Spam", "x"))
	w.mustComplete(t, func(o *pull.Options) {
		o.Choose = func(m mail.Mailbox) bool { return m.Name != "Spam" }
	})
	w.check(t, "INBOX")
	if got := w.store.Bodies("Spam"); len(got) != 0 {
		t.Errorf("stored %q", got)
	}
}

func TestSignInRefusedIsTheAccountsError(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", "a"))
	refused := &mail.Error{Op: "imap sign in", Scope: mail.ScopeAccount, Retry: mail.RetryNever, Class: mail.ClassAuth, Err: errors.New("wrong password"), Hint: "check the password"}
	r, err := w.run(t.Context(), mailtest.StopAt(1, refused))
	if !errors.Is(err, refused) || r.Complete {
		t.Errorf("got %v", err)
	}
}

type watcher struct {
	total    int
	received func(total int)
}

func (w *watcher) Planned(mail.MailboxName, int, int64) {}
func (w *watcher) Received(n int) {
	w.total += n
	w.received(w.total)
}
func (w *watcher) Delivered(mail.MailboxName, int) {}
func (w *watcher) Done(mail.MailboxResult)         {}

func TestUIDValidityChangedMatchesByContent(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", append(letters(6), "same", "same")...))
	w.mustComplete(t)

	renumber := func() {
		b := w.server.Box("INBOX")
		b.Validity++
		b.UIDNext = 40
		for i := range b.Messages {
			b.Messages[i].UID = mail.UID(20 + 2*i)
		}
		b.Add("new one", "same")
	}
	renumber()
	r := w.mustComplete(t)
	if m := r.Mailboxes[0]; m.Server != 10 || m.Archived != 10 {
		t.Errorf("got %+v", m)
	}
	w.check(t, "INBOX")

	// The new refs hold also with the checkpoint gone.
	w.checkpoint = mailtest.NewCheckpoint()
	before := w.server.Fetched
	w.mustComplete(t)
	w.check(t, "INBOX")
	if w.server.Fetched != before {
		t.Errorf("fetched %d again", w.server.Fetched-before)
	}

	// And when numbers change and the checkpoint goes at the same time.
	renumber()
	w.checkpoint = mailtest.NewCheckpoint()
	if r := w.mustComplete(t); r.New != 2 {
		t.Errorf("got %d new, want the two that the server got meanwhile", r.New)
	}
	w.check(t, "INBOX")
}

// Nor does it take the manifest: without it the archive's own files are read.
func TestUIDValidityChangedWithoutManifest(t *testing.T) {
	t.Parallel()
	for _, both := range []bool{false, true} {
		for _, broken := range []error{nil, errors.New("line 3: chain is broken")} {
			w := newWorld(box("INBOX", append(letters(6), "same", "same", "no\rline\n.\nend")...))
			w.mustComplete(t)
			w.manifest = &mailtest.Manifest{Broken: broken}
			if both {
				w.checkpoint = mailtest.NewCheckpoint()
			}
			w.server.Box("INBOX").Validity = 8
			w.server.Box("INBOX").Add("new one")
			if r := w.mustComplete(t); r.New != 1 {
				t.Errorf("checkpoint gone %v, manifest %v: got %d new", both, broken, r.New)
			}
			w.check(t, "INBOX")
		}
	}
}

func TestKilledWhileMatching(t *testing.T) {
	t.Parallel()
	setup := func() *world {
		w := newWorld(box("INBOX", letters(7)...))
		w.mustComplete(t)
		b := w.server.Box("INBOX")
		b.Validity = 8
		b.Add("new one")
		return w
	}
	killAtEveryStep(t, setup)
}

// killAtEveryStep kills the pass over each new world at each of its steps, and
// has the next one complete it.
func killAtEveryStep(t *testing.T, setup func() *world) {
	t.Helper()
	count := &mailtest.Steps{}
	if _, err := setup().run(t.Context(), count); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= count.Count(); n++ {
		w := setup()
		steps := mailtest.StopAt(n, mailtest.ErrKilled)
		_, _ = w.run(t.Context(), steps) // it is killed: what it says does not matter
		w.mustComplete(t)
		w.check(t, "INBOX")
		if t.Failed() {
			t.Fatalf("killed at step %d (%s)", n, steps.Name(n))
		}
	}
}

// A panic in a lane is the account's error; what was settled before it is
// committed.
func TestPanicCostsOnePass(t *testing.T) {
	t.Parallel()
	w := newWorld(box("INBOX", letters(10)...))
	watch := &watcher{received: func(total int) {
		if total > 150 {
			panic("odd line")
		}
	}}
	r, err := w.run(t.Context(), nil, func(o *pull.Options) { o.Observer = watch })
	if !errors.Is(err, pull.ErrPanic) || r.Complete || !r.Panicked {
		t.Fatalf("got %v, %+v", err, r)
	}
	if r.New == 0 {
		t.Error("what was settled before the panic was not committed")
	}
	w.mustComplete(t)
	w.check(t, "INBOX")
}

// So does one anywhere else in a pass: in each method of the observer, and of
// the source.
func TestPanicIsContainedEverywhere(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*world, *pull.Options){
		"planned":   func(_ *world, o *pull.Options) { o.Observer = &panicky{at: "planned"} },
		"delivered": func(_ *world, o *pull.Options) { o.Observer = &panicky{at: "delivered"} },
		"done":      func(_ *world, o *pull.Options) { o.Observer = &panicky{at: "done"} },
		"choose":    func(_ *world, o *pull.Options) { o.Choose = func(mail.Mailbox) bool { panic("choose") } },
		"open": func(w *world, o *pull.Options) {
			o.Source = &panickySource{Server: w.server, second: make(chan struct{})}
		},
	} {
		w := newWorld(box("INBOX", letters(10)...), box("Work", "a", "b"))
		r, err := w.run(t.Context(), nil, func(o *pull.Options) { o.Sessions = 2; change(w, o) })
		if !errors.Is(err, pull.ErrPanic) || r.Complete || !r.Panicked {
			t.Errorf("%s: got %v, %+v", name, err, r)
		}
		for _, m := range r.Mailboxes {
			if m.Mailbox == "" {
				t.Errorf("%s: a result without a mailbox: %+v", name, m)
			}
		}
		w.mustComplete(t)
		w.check(t, "INBOX")
		w.check(t, "Work")
	}
}

// panicky is an observer that panics once in one of its methods.
type panicky struct {
	at   string
	once sync.Once
}

func (p *panicky) panicAt(method string) {
	if method == p.at {
		p.once.Do(func() { panic("observer: " + method) })
	}
}

func (p *panicky) Planned(mail.MailboxName, int, int64) { p.panicAt("planned") }
func (p *panicky) Received(int)                         {}
func (p *panicky) Delivered(mail.MailboxName, int)      { p.panicAt("delivered") }
func (p *panicky) Done(mail.MailboxResult)              { p.panicAt("done") }

// panickySource panics when the second lane opens its session. The first lane
// waits for that, or it could do all the work.
type panickySource struct {
	*mailtest.Server
	opened atomic.Int64
	second chan struct{}
}

func (s *panickySource) Open(ctx context.Context) (pull.Session, error) {
	if s.opened.Add(1) == 2 {
		close(s.second)
		panic("open")
	}
	session, err := s.Server.Open(ctx)
	return &waitingSession{session, s.second}, err
}

type waitingSession struct {
	pull.Session
	second chan struct{}
}

func (s *waitingSession) Select(ctx context.Context, box mail.Mailbox) (mail.Refs, mail.Status, error) {
	<-s.second
	return s.Session.Select(ctx, box)
}

// With the checkpoint gone and the refs renumbered a pass can end at any step:
// the next one goes on matching.
func TestKilledWhileMatchingWithoutCheckpoint(t *testing.T) {
	t.Parallel()
	setup := func() *world {
		w := newWorld(box("INBOX", letters(7)...))
		w.mustComplete(t)
		w.server.Box("INBOX").Validity = 8
		w.server.Box("INBOX").Add("new one")
		w.checkpoint = mailtest.NewCheckpoint()
		return w
	}
	killAtEveryStep(t, setup)
}
