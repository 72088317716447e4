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
	load    *load
	box     mail.Mailbox // the mailbox in hand
	visit   *visit       // its opening, nil before Select

	// fruitless counts sessions in a row that brought nothing but failures,
	// timeouts those that ended because the server said nothing any more.
	fruitless, timeouts int
}

// visit is one opening of one mailbox. The lane writes all of it but differs,
// which is the ladder's, as former is once the first load was handed over; the
// ladder reads the counts and err when the lane has ended the visit.
type visit struct {
	box     mail.Mailbox
	archive mail.Box
	listing mail.Refs
	status  mail.Status

	// present are keys which the archive holds already, although neither
	// checkpoint nor manifest knows them: a crash fell between rungs 4 and 6.
	present mail.KeySet

	// forgotten is set while the archive holds some of the mailbox and the
	// checkpoint does not know it.
	forgotten bool

	// former are messages of the archive whose refs the server has forgotten.
	former former

	// held are the messages that are left alone, because they are in
	// quarantine and not due.
	held mail.Refs

	whole, gone, failed int
	err                 error

	// left counts the older messages that this pass does not ask for.
	left int

	differs error
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
	l.session = nil
}

// guarded runs the lane. A library that panics on an odd line costs this
// account its pass and no other account anything.
func (l *lane) guarded() (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = l.recovered(v)
			l.cancel(err)
			if l.box.Name != "" {
				l.giveBack(l.box)
			}
		}
	}()
	return l.run()
}

// run pulls mailboxes until the queue is empty or the session cannot be had.
//
// A connection that dies is opened again at once when the next one may get
// further: servers cut long sessions. One that dies without hope costs its
// mailbox this pass, and a second one in a row ends the lane.
func (l *lane) run() error {
	defer l.handOver()
	for barren := 0; l.waiting() > 0; {
		if l.session == nil {
			if err := l.open(); err != nil {
				return err
			}
		}
		box, ok := l.next()
		if !ok {
			return nil
		}
		l.box = box
		err := l.pull(box)
		switch {
		case err == nil:
			l.box = mail.Mailbox{}
			barren = 0
			continue
		case l.ctx.Err() != nil:
			l.giveBack(box)
			return err
		case errors.Is(err, ErrUnfinished):
			l.close() // the fetch was broken off
			l.giveBack(box)
			return nil
		case mail.ErrorScope(err) != mail.ScopeAccount:
			barren = 0
			if errors.Is(err, errFailing) {
				l.close() // the fetch was broken off
			}
			l.commit()
			l.giveUp(box, err)
			continue
		}

		l.close()
		l.commit()
		if asksToWait(err) {
			l.giveBack(box)
			return err
		}
		if l.gotFurther(err) {
			barren = 0
			l.Log.Info("connection lost, opening it again", "mailbox", box.Name.Shown(), "err", err)
			l.giveBack(box)
			continue
		}
		if barren++; barren > 1 {
			l.giveBack(box)
			return err
		}
		l.giveUp(box, err)
	}
	return nil
}

// giveUp ends a mailbox that the pass does not come back to.
func (l *lane) giveUp(box mail.Mailbox, err error) {
	l.endMailbox(box.Name, l.fruitless > maxFruitless || errors.Is(err, errFailing))
	r := l.outcome(box, err)
	if n, first := l.failedIn(box.Name); n > 0 && n == r.Missing {
		r.Err = first // nothing but messages is the matter
	}
	l.record(r)
}

// asksToWait reports whether another sign-in now would do harm: the server is
// busy, counts our bytes, or refuses us.
func asksToWait(err error) bool {
	switch mail.ErrorClass(err) {
	case mail.ClassThrottled, mail.ClassQuota, mail.ClassAuth:
		return true
	}
	return false
}

// gotFurther reports whether the next session may do better than the last,
// which ended with err. It may when messages came; when some were found to be
// what broke it; and when the source says that it wants to try in another way
// at once. A mailbox of which nothing else comes is given up after a while, and
// one that costs time-outs soon. When nothing ever came, that is once a message
// was tried as often as a pass tries one and the next one brings silence too: it
// is not a message, then, that the server is silent about.
func (l *lane) gotFurther(err error) bool {
	if mail.ErrorClass(err) == mail.ClassTimeout {
		if l.timeouts++; l.timeouts > maxTimeouts {
			return false
		}
	}
	v := l.visit
	if v != nil && v.whole+v.gone > 0 {
		l.fruitless = 0
		return true
	}
	again := mail.ErrorRetry(err) == mail.RetryNow
	if v == nil || !again && (v.failed == 0 || l.timeouts > maxTries && !l.someCame()) {
		return false
	}
	l.fruitless++
	return l.fruitless <= maxFruitless
}

// pull brings what is new in one mailbox into the load in hand.
func (l *lane) pull(box mail.Mailbox) error {
	l.visit = nil
	listing, status, err := l.session.Select(l.ctx, box)
	if err != nil {
		return err
	}
	if err := l.identify(listing); err != nil {
		return err
	}
	v := &visit{box: box, listing: listing, status: status}
	l.begin(v)
	fresh, err := l.leaveQuarantined(v, l.Checkpoint.New(listing))
	if err != nil {
		return err
	}
	if fresh.Len() > 0 {
		if fresh, err = l.prepare(v, fresh); err != nil {
			if mail.ErrorScope(err) == mail.ScopeAccount {
				l.breakDisk(err)
			}
			return err
		}
	}
	fresh = l.newest(v, fresh)
	l.Observer.Planned(box.Name, fresh.Len())
	if fresh.Len() == 0 {
		l.finish(v)
		return nil
	}
	if fresh = l.withoutFailed(v, fresh); fresh.Len() == 0 {
		l.finish(v)
		return nil
	}
	if err := l.session.Fetch(l.ctx, fresh, l); err != nil {
		return err
	}
	l.inHand().ends = append(l.inHand().ends, v)
	return nil
}

// begin makes v the visit in hand.
func (l *lane) begin(v *visit) {
	l.visit = v
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
	v.archive = archive
	keys, err := archive.Keys()
	if err != nil {
		return fresh, err
	}
	if fresh, err = l.adopt(v, fresh, keys, l.remember(v, keys)); err != nil {
		return fresh, err
	}
	return fresh, l.findFormer(v, keys)
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
	err := l.inHand().batch.Add(l.visit.archive, key, observed{body, l.Observer})
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
		l.visit.whole++
		l.inHand().add(key, item, l.visit)
		l.cameWhole(item.Ref)
		return nil
	case errors.Is(outcome, mail.ErrGone):
		l.visit.gone++
		l.setAside(item.Ref, failure{times: maxTries, gone: true})
	default:
		l.visit.failed++
		l.visit.fail(outcome)
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
	return l.failing(l.box.Name)
}

// handOver gives the load in hand to the ladder and waits only until the
// ladder has taken it.
func (l *lane) handOver() *load {
	ld := l.load
	if ld != nil {
		l.load = nil
		l.loads <- ld
	}
	return ld
}

// commit hands over and waits until the load is committed, so that the
// checkpoint knows all that was settled.
func (l *lane) commit() {
	if ld := l.handOver(); ld != nil {
		<-ld.done
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
func (Silent) Planned(mail.MailboxName, int) {}

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
