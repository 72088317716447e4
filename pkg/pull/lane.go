package pull

import (
	"errors"
	"io"
	"slices"
	"time"

	"mailpull/pkg/mail"
)

// lane is one session and the load it fills, working through the queue. All
// its methods run on its own goroutine.
type lane struct {
	*pass
	session Session
	kept    bool // the session was open before the task in hand was taken
	load    *load
	handed  *load    // the last one that the ladder was given
	task    *task    // in hand, nil between two
	visit   *visit   // the opening of its mailbox, nil before Select
	opened  *visit   // what the session has selected, nil for nothing of use
	archive mail.Box // the archive's side of that

	// came counts the messages that came whole with the task in hand or are gone
	// from the server, failed those that failed.
	came, failed int

	// fruitless counts sessions in a row that brought nothing but failures,
	// timeouts those that ended because the server said nothing any more.
	fruitless, timeouts int
}

// visit is one opening of one mailbox. The lane that opened it writes it before
// the first message is asked for. From then on it may be shared by several lanes
// and the ladder: former is the ladder's, and the pass's mutex guards what stands
// at the end.
type visit struct {
	box     mail.Mailbox
	archive mail.Box // for the ladder; each lane adds through one of its own
	listing mail.Refs
	status  mail.Status

	// unordered is set when messages that are new stand before known ones.
	unordered bool

	// present are messages which the archive holds already, although neither
	// checkpoint nor manifest knows them: a crash fell between rungs 4 and 6.
	present refSet

	// forgotten is set while the archive holds some of the mailbox and the
	// checkpoint does not know it.
	forgotten bool

	// former are messages of the archive whose refs the server has forgotten.
	former former

	// held are the messages that are left alone, because they are in
	// quarantine and not due.
	held mail.Refs

	// excluded says what is left on the server because it is older than is wanted.
	excluded mail.Excluded

	// left counts the older messages that this pass does not ask for.
	left int

	parted bool // several lanes may have shares of it

	shares int                   // not worked off
	gone   map[mail.Ref]struct{} // listed, and not there when they were asked for
	err    error                 // why the first lane that gave it up did so
}

// open opens the lane's session.
func (l *lane) open() error {
	s, err := l.Source.Open(l.ctx)
	if err != nil {
		return err
	}
	l.session = s
	l.keep(s)
	return nil
}

// close drops the lane's session after an error.
func (l *lane) close() {
	l.drop(l.session)
	l.session, l.opened = nil, nil
}

// guarded runs the lane. A library that panics on an odd line costs this
// account its pass and no other account anything.
func (l *lane) guarded() (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = l.recovered(v)
			l.cancel(err)
			if l.task != nil {
				l.put(*l.task)
				l.done()
			}
		}
	}()
	return l.run()
}

// run works until there is nothing left to do or the session cannot be had.
func (l *lane) run() error {
	defer l.handOver()
	for barren := 0; ; {
		t, ok := l.next()
		if !ok {
			return nil
		}
		l.task = &t
		again, err := l.work(t, &barren)
		l.task = nil
		l.done()
		if !again {
			return err
		}
	}
}

// work does one task and reports whether the lane can do another one; if not it
// has given the task back, and err is why.
//
// A connection that dies is opened again at once when the next one may get
// further: servers cut long sessions. One that dies without hope costs its
// mailbox this pass, and a second one in a row ends the lane: barren counts them.
func (l *lane) work(t task, barren *int) (again bool, err error) {
	l.kept = l.session != nil
	if !l.kept {
		if err := l.open(); err != nil {
			l.put(t)
			return false, err
		}
	}
	err = l.pull(&t)
	switch {
	case err == nil:
		*barren = 0
		return true, nil
	case l.ctx.Err() != nil:
		l.put(t)
		return false, err
	case errors.Is(err, ErrUnfinished):
		l.close() // the fetch was broken off
		l.put(t)
		return false, nil
	case mail.ErrorScope(err) != mail.ScopeAccount:
		*barren = 0
		if errors.Is(err, errFailing) {
			l.close() // the fetch was broken off
		}
		l.commit()
		l.giveUp(t, err)
		return true, nil
	}

	l.close()
	l.commit()
	if mail.AsksToWait(err) {
		l.put(t)
		return false, err
	}
	if l.gotFurther(err) {
		*barren = 0
		l.Log.Info("connection lost, opening it again", "mailbox", t.box.Name.Shown(), "err", err)
		l.put(t)
		return true, nil
	}
	if *barren++; *barren > 1 {
		l.put(t)
		return false, err
	}
	l.giveUp(t, err)
	return true, nil
}

// giveUp ends a mailbox that the pass does not come back to.
func (l *lane) giveUp(t task, err error) {
	l.endMailbox(t.box.Name, l.fruitless > maxFruitless || errors.Is(err, errFailing))
	if !l.abandon(t, err) {
		return
	}
	if t.visit != nil {
		l.inHand() // behind what other lanes handed over of the mailbox
		l.commit()
	}
	l.record(l.outcome(t.box, err))
	l.forget(t.box.Name)
}

// gotFurther reports whether the next session may do better than the last,
// which ended with err. It may when messages came; when some were found to be
// what broke it; and when the source says that it wants to try in another way
// at once. One that was open before the task may have been cut while the lane had
// nothing to do: its first command tells nothing of the mailbox, that of a new
// session does.
//
// A mailbox of which nothing else comes is given up after a while, and one that
// costs time-outs soon. When nothing ever came, that is once a message was tried
// as often as a pass tries one and the next one brings silence too: it is not a
// message, then, that the server is silent about.
func (l *lane) gotFurther(err error) bool {
	if mail.ErrorClass(err) == mail.ClassTimeout {
		if l.timeouts++; l.timeouts > maxTimeouts {
			return false
		}
	}
	if l.came > 0 {
		l.fruitless = 0
		return true
	}
	again := mail.ErrorRetry(err) == mail.RetryNow
	if l.visit == nil {
		return again && l.kept
	}
	if !again && (l.failed == 0 || l.timeouts > maxTries && !l.someCame()) {
		return false
	}
	l.fruitless++
	return l.fruitless <= maxFruitless
}

// pull does one task: it brings what is new in a mailbox, or a share of that,
// into the load in hand. When the mailbox was parted, t is the lane's share of it
// from then on.
func (l *lane) pull(t *task) error {
	l.visit, l.came, l.failed = nil, 0, 0
	if t.visit != nil {
		joined, err := l.join(*t)
		if err != nil {
			return err
		}
		return l.fetch(joined)
	}
	fresh, err := l.look(t.box)
	if err != nil {
		return err
	}
	if fresh.Len() == 0 {
		l.finish(l.visit)
		return nil
	}
	parted := l.part(*t, fresh)
	if parted.visit.parted {
		*t = parted
	}
	return l.fetch(parted)
}

// look opens a mailbox and returns what is to be fetched from it.
func (l *lane) look(box mail.Mailbox) (fresh mail.Refs, err error) {
	l.opened = nil
	listing, status, err := l.list(box)
	if err != nil {
		return fresh, err
	}
	v := &visit{box: box, listing: listing, status: status, unordered: l.unordered(listing)}
	if err := l.identify(listing); err != nil {
		return fresh, err
	}
	l.begin(v)
	fresh, err = l.leaveQuarantined(v, l.Checkpoint.New(listing))
	if err != nil {
		return fresh, err
	}
	if fresh.Len() > 0 {
		if fresh, err = l.prepare(v, fresh); err != nil {
			if l.ctx.Err() == nil && mail.ErrorScope(err) == mail.ScopeAccount {
				l.breakDisk(err)
			}
			return fresh, err
		}
	}
	// What the archive has is recorded before, whatever its age.
	if fresh, err = l.leaveOlder(v, fresh); err != nil {
		return fresh, err
	}
	fresh = l.newest(v, fresh)
	l.Observer.Planned(box.Name, fresh.Len(), l.about(box, v, fresh.Len()))
	return l.withoutFailed(v, fresh), nil
}

// fetch brings what a task names into the load in hand.
func (l *lane) fetch(t task) error {
	if t.refs.Len() > 0 {
		if err := l.session.Fetch(l.ctx, t.refs, l); err != nil {
			return err
		}
	}
	l.endShare(t.visit)
	return nil
}

// begin makes v the visit in hand.
func (l *lane) begin(v *visit) {
	l.visit, l.opened = v, v
	l.mu.Lock()
	l.visits[v.box.Name] = v
	l.mu.Unlock()
}

// prepare opens the archive's side of a mailbox and takes out of fresh what
// the archive holds already: with the checkpoint deleted, or after a crash
// between delivery and commit, nothing comes twice.
func (l *lane) prepare(v *visit, fresh mail.Refs) (mail.Refs, error) {
	archive, err := l.Store.Box(v.box)
	if err != nil {
		return fresh, err
	}
	v.archive, l.archive = archive, archive
	if fresh, err = l.adopt(v, fresh); err != nil {
		return fresh, err
	}
	return fresh, l.findFormer(v)
}

// inHand returns the load being filled and begins one where there is none.
func (l *lane) inHand() *load {
	if l.load == nil {
		l.load = newLoad(l.Store.NewBatch())
	}
	return l.load
}

// Body implements Receiver: rung 1.
func (l *lane) Body(ref mail.Ref, size int64, body io.Reader) error {
	key := mail.NewKey(l.Account, ref)
	err := l.inHand().batch.Add(l.archive, key, observed{body, l.Observer})
	if err != nil && mail.ErrorClass(err) == mail.ClassDisk {
		l.breakDisk(err)
	}
	return err
}

// Settle implements Receiver: rung 2. What was not settled whole is dropped.
func (l *lane) Settle(item mail.Item, outcome error) error {
	key := mail.NewKey(l.Account, item.Ref)
	switch {
	case outcome == nil:
		l.came++
		l.inHand().add(key, item, l.visit)
		l.cameWhole(item.Ref)
		return nil
	case errors.Is(outcome, mail.ErrGone):
		l.came++
		l.noteGone(l.visit, item.Ref)
	default:
		l.failed++
		l.noteFailure(item.Ref, outcome)
	}
	l.inHand().batch.Drop(key)
	return nil
}

// Settled implements Receiver: it hands a full load to the ladder, and ends a
// fetch that brings too little.
func (l *lane) Settled() error {
	if l.load == nil {
		return nil
	}
	b, bounds := l.load.batch, l.Batch
	if b.Len() >= bounds.Messages || b.Size() >= bounds.Bytes || time.Since(l.load.begun) >= bounds.Age {
		l.handOver()
	}
	if err := l.broken(); err != nil {
		return err
	}
	if l.yields() {
		return Unfinished()
	}
	return l.failing(l.task.box.Name)
}

// handOver gives the load in hand to the ladder and waits only until the
// ladder has taken it.
func (l *lane) handOver() {
	if l.load != nil {
		l.loads <- l.load
		l.handed, l.load = l.load, nil
	}
}

// commit hands over and waits until all that the lane has handed over is
// committed, so that the checkpoint knows what was settled.
func (l *lane) commit() {
	l.handOver()
	if l.handed != nil {
		<-l.handed.done
	}
}

// observed tells the observer of each byte read.
type observed struct {
	io.Reader
	observer Observer
}

func (o observed) Read(p []byte) (int, error) {
	n, err := o.Reader.Read(p)
	o.observer.Received(n)
	return n, err
}

// Silent is the observer of a pass that nobody watches.
type Silent struct{}

// Planned implements Observer.
func (Silent) Planned(mail.MailboxName, int, int64) {}

// Received implements Observer.
func (Silent) Received(int) {}

// Delivered implements Observer.
func (Silent) Delivered(mail.MailboxName, int) {}

// Done implements Observer.
func (Silent) Done(mail.MailboxResult) {}

func sortByPlace(results []mail.MailboxResult, place map[mail.MailboxName]int) {
	slices.SortFunc(results, func(a, b mail.MailboxResult) int {
		return place[a.Mailbox] - place[b.Mailbox]
	})
}
