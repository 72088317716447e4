package pull

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"mailpull/pkg/mail"
)

// Options is what a pass needs. Account, Source, Store, Checkpoint and
// Manifest are required; the caller holds the account's lock.
type Options struct {
	Account    string
	Source     Source
	Store      Store
	Checkpoint Checkpoint
	Manifest   Manifest

	// Choose says whether a mailbox is pulled; nil means every mailbox that
	// can hold messages.
	Choose func(mail.Mailbox) bool

	// Sessions is how many connections the pass may use at once; less than
	// one means one. The source's Limit is kept.
	Sessions int

	// Newest is how many messages of each mailbox the pass asks for at most,
	// the newest ones; 0 means all. So new mail need not wait for a backlog.
	Newest int

	// NewestFirst has the newest messages of each mailbox fetched first. The
	// others follow, a batch at a time.
	NewestFirst bool

	// Since is the first day whose messages are wanted; older ones are left on
	// the server. The zero time means all. A server that does not search by date is
	// pulled whole.
	Since time.Time

	// Yield is asked between groups of messages and ends the pass when it
	// returns true: what was settled is committed, the rest is left for another
	// pass. It may be called from several goroutines and must return at once.
	// Nil means never.
	Yield func() bool

	// Batch bounds what one climb of the ladder makes durable.
	Batch Bounds

	// Observer may be nil.
	Observer Observer

	// Log may be nil.
	Log *slog.Logger
}

// Bounds says when the batch in hand is full. The zero value of a field means
// its default.
type Bounds struct {
	Messages int           // 512
	Bytes    int64         // 16 MiB on the wire
	Age      time.Duration // 5 s; so that a slow line loses little when it is cut
}

func (b Bounds) withDefaults() Bounds {
	if b.Messages == 0 {
		b.Messages = 512
	}
	if b.Bytes == 0 {
		b.Bytes = 16 << 20
	}
	if b.Age == 0 {
		b.Age = 5 * time.Second
	}
	return b
}

// Result is what a pass did: in all, and for each chosen mailbox in the
// server's order.
type Result struct {
	mail.Pass
	Mailboxes []mail.MailboxResult

	// Panicked is set when a bug, of ours or of a library, cost the account
	// this pass.
	Panicked bool

	// Renumbered counts the mailboxes whose UIDVALIDITY changed.
	Renumbered int

	// Excluded counts the messages that are older than Options.Since and were left
	// on the server.
	Excluded int

	// Left counts those of the missing messages that were left for another
	// pass, and LeftBytes is about how large they are; 0 where nobody knows.
	Left      int
	LeftBytes int64
}

// ErrInterrupted is the cause of a pass that was cancelled. What was settled
// until then is committed.
var ErrInterrupted = errors.New("interrupted")

// Interrupted returns the error of a pass that was cancelled.
func Interrupted() error {
	return &mail.Error{Op: "pull", Scope: mail.ScopeAccount, Class: mail.ClassLocal, Err: ErrInterrupted}
}

// Run makes one pass over an account. It returns when everything that was
// read whole is durable and committed, also when ctx is cancelled or the
// server goes away; the result says what is missing.
//
// The error is nil when every selected mailbox is complete. Otherwise it is
// the first error that kept something from the archive, a *mail.Error whose
// scope says how much. It is ErrUnfinished when messages were left for another
// pass and nothing failed.
func Run(ctx context.Context, o Options) (Result, error) {
	p := newPass(ctx, o)
	defer p.cancel(nil)
	p.result.Start = time.Now()

	ladderDone := make(chan struct{})
	go func() { // Run waits for it below
		defer close(ladderDone)
		p.climbAll()
	}()

	err := p.guardedPullAll()
	close(p.loads)
	<-ladderDone

	p.countLeft(err)
	p.quarantineFailed()
	err = p.verdict(ctx, err)
	p.closeSessions(ctx, err)
	return p.end(err)
}

// pass is one running pass. Its lanes read, one goroutine each; its ladder
// climbs, one goroutine for all, so that lanes share each flush.
type pass struct {
	Options
	ctx    context.Context
	cancel context.CancelCauseFunc

	// loads hands full batches from the lanes to the ladder. It is unbuffered:
	// beside the batch that is being flushed each lane has one in hand and no
	// more, and a lane whose batch is full waits for the disk.
	loads chan *load

	askManifest sync.Once
	inManifest  *refSet // written by askManifest

	lanes   sync.WaitGroup
	changed *sync.Cond // of mu: there is more to do, or nothing will come any more

	noDates sync.Once // says that the server knows no dates

	mu         sync.Mutex // guards what is below
	queue      []task
	busy       int                         // tasks in the hands of lanes
	hired      int                         // lanes begun, or about to
	ends       []error                     // what ended lanes
	place      map[mail.MailboxName]int    // a mailbox's place in the server's order
	visits     map[mail.MailboxName]*visit // the last one of each mailbox in hand
	delivered  map[mail.MailboxName]int    // messages committed by this pass
	failures   failures
	whole      int                       // messages that came whole
	wholeIn    map[mail.MailboxName]int  // those of each mailbox in hand
	suspects   []suspect                 // messages that failed, of mailboxes the pass is done with
	fresh      int                       // suspects that never failed before, also those not kept
	ended      map[mail.MailboxName]bool // mailboxes the pass is done with; true: given up for its failures
	sessions   []Session                 // open, to be closed when all is committed
	yielded    bool                      // the pass ends early, because others wait
	unfinished bool                      // something is left on purpose
	result     Result
	disk       error // why the ladder broke
}

func newPass(ctx context.Context, o Options) *pass {
	o.Batch = o.Batch.withDefaults()
	o.Sessions = max(1, min(o.Sessions, o.Source.Limit()))
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observer == nil {
		o.Observer = Silent{}
	}
	if o.Choose == nil {
		o.Choose = func(m mail.Mailbox) bool { return !m.NoSelect }
	}
	ctx, cancel := context.WithCancelCause(ctx)
	p := &pass{
		Options:   o,
		ctx:       ctx,
		cancel:    cancel,
		loads:     make(chan *load),
		place:     make(map[mail.MailboxName]int),
		visits:    make(map[mail.MailboxName]*visit),
		delivered: make(map[mail.MailboxName]int),
		failures:  make(failures),
		wholeIn:   make(map[mail.MailboxName]int),
		ended:     make(map[mail.MailboxName]bool),
	}
	p.changed = sync.NewCond(&p.mu)
	return p
}

// guardedPullAll turns a panic of a library outside the lanes into an error of
// the account.
func (p *pass) guardedPullAll() (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = p.recovered(v)
		}
	}()
	return p.pullAll()
}

// pullAll lists the mailboxes and lets the lanes pull them.
func (p *pass) pullAll() error {
	first := &lane{pass: p}
	if err := first.open(); err != nil {
		return err
	}
	boxes, err := first.session.Mailboxes(p.ctx)
	if err != nil {
		return err
	}
	p.enqueue(boxes)
	waiting := len(p.queue) // before a lane takes from it

	defer context.AfterFunc(p.ctx, p.wake)()
	p.hired = 1 // no lane runs yet
	p.start(first)
	p.hire(waiting - 1)
	p.lanes.Wait()
	return p.whyEnded()
}

// whyEnded returns the error that ended the first lane that gave up, or nil when
// the queue was worked off or a lane left the rest of it because others wait. It
// does not ask whether they wait by now: what ended the last lane would be lost.
func (p *pass) whyEnded() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := p.yielded && slices.Contains(p.ends, nil)
	if p.ctx.Err() == nil && (len(p.queue) == 0 || left) {
		return nil
	}
	for _, err := range p.ends {
		if err != nil {
			return err
		}
	}
	return context.Cause(p.ctx)
}

// start sets a lane to work that is counted in p.hired.
func (p *pass) start(l *lane) {
	p.lanes.Go(func() { // pullAll waits for it
		err := l.guarded()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ends = append(p.ends, err)
	})
}

// hire sets up to n more lanes to work, as many as the pass may have. Each opens
// a session of its own once there is something for it to do. They are counted
// before the first begins, for another lane may hire at the same moment.
func (p *pass) hire(n int) {
	p.mu.Lock()
	n = max(0, min(n, p.Sessions-p.hired))
	p.hired += n
	p.mu.Unlock()
	for range n {
		p.start(&lane{pass: p})
	}
}

// enqueue puts the chosen mailboxes that may have news into the queue and
// records those that cannot have any.
func (p *pass) enqueue(boxes []mail.Mailbox) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, box := range boxes {
		if !p.Choose(box) {
			continue
		}
		p.place[box.Name] = len(p.place)
		if result, ok := p.unchanged(box); ok {
			p.result.Mailboxes = append(p.result.Mailboxes, result)
			p.Observer.Done(result)
			continue
		}
		p.queue = append(p.queue, task{box: box})
	}
}

// unchanged reports whether the mailbox's status shows that nothing arrived
// since it was complete, none of its messages is to be tried again, and none
// that was left out is wanted now. A
// UIDNEXT that stays is proof enough for a server that keeps RFC 9051 section
// 2.3.1.1; one whose count grew all the same is not believed.
func (p *pass) unchanged(box mail.Mailbox) (mail.MailboxResult, bool) {
	known, ok := p.Checkpoint.Known(box.Name)
	if !ok || known.Complete == nil || box.Status == nil {
		return mail.MailboxResult{}, false
	}
	now, then := box.Status, known.Complete
	same := now.Validity == then.Validity && now.Validity != 0 &&
		now.UIDNext == then.UIDNext && now.UIDNext != 0 &&
		now.Messages <= then.Messages
	held, due := p.inQuarantine(box.Name)
	held = min(held, now.Messages)
	excluded := min(p.stillExcluded(known), now.Messages-held)
	return mail.MailboxResult{
		Mailbox:     box.Name,
		Server:      now.Messages,
		Archived:    now.Messages - held - excluded,
		Quarantined: held,
		Excluded:    excluded,
		Unchanged:   true,
	}, same && due == 0 && known.Excluded.Covers(p.Since)
}

// keep remembers an open session until the pass is over.
func (p *pass) keep(s Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions = append(p.sessions, s)
}

// drop aborts a session and forgets it.
func (p *pass) drop(s Session) {
	s.Abort()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, kept := range p.sessions {
		if kept == s {
			p.sessions = append(p.sessions[:i], p.sessions[i+1:]...)
			return
		}
	}
}

// record files a mailbox's result.
func (p *pass) record(result mail.MailboxResult) {
	p.mu.Lock()
	p.result.Mailboxes = append(p.result.Mailboxes, result)
	p.mu.Unlock()
	p.Observer.Done(result)
}

// outcome compares what the server told of a mailbox with what is committed:
// that, and not the absence of an error, is a mailbox's result. err is why the
// pass does not come back to it, where no lane gave it up before. Messages that
// failed are why when nothing else is, and when nothing but they is missing.
func (p *pass) outcome(box mail.Mailbox, err error) mail.MailboxResult {
	p.mu.Lock()
	v, delivered := p.visits[box.Name], p.delivered[box.Name]
	gone, failed := 0, 0
	if v != nil {
		gone = len(v.gone)
		err = cmp.Or(v.err, err)
	}
	p.mu.Unlock()

	r := mail.MailboxResult{Mailbox: box.Name, New: delivered, Err: err}
	switch {
	case v != nil:
		missing := p.Checkpoint.New(v.listing)
		r.Server = v.listing.Total()
		r.Archived = r.Server - missing.Len()
		r.Gone = gone
		r.Quarantined = v.held.Len()
		r.Excluded = v.excluded.Messages
		r.Missing = max(0, missing.Len()-r.Gone-r.Quarantined-r.Excluded)
		var first error
		failed, first = p.failedOf(missing)
		if failed > 0 && (err == nil || failed == r.Missing) {
			r.Err = first
		}
	case box.Status != nil:
		known, _ := p.Checkpoint.Known(box.Name)
		r.Server = box.Status.Messages
		r.Archived = min(known.Seen, r.Server)
		r.Quarantined, _ = p.inQuarantine(box.Name)
		r.Quarantined = min(r.Quarantined, r.Server-r.Archived)
		r.Excluded = min(p.stillExcluded(known), r.Server-r.Archived-r.Quarantined)
		r.Missing = r.Server - r.Archived - r.Quarantined - r.Excluded
	}
	r.MissingBytes = p.about(box, v, r.Missing)
	r.Left = p.leftOver(box.Name, v, r.Missing, failed)
	return r
}

// countLeft records the mailboxes that the pass did not get to, or not to the
// end of.
func (p *pass) countLeft(err error) {
	if err == nil {
		err = p.broken()
	}
	left := p.queue
	p.queue = nil
	recorded := make(map[mail.MailboxName]bool)
	for _, m := range p.result.Mailboxes {
		recorded[m.Mailbox] = true
	}
	for _, t := range left {
		if !recorded[t.box.Name] {
			recorded[t.box.Name] = true
			p.record(p.outcome(t.box, err))
		}
	}
	for name, v := range p.visits { // what a broken ladder did not finish
		if !recorded[name] {
			p.record(p.outcome(v.box, err))
		}
	}
}

// verdict chooses the one error that tells the pass's story: the disk's
// before the interruption, that before the server's, and the whole account's
// before a single mailbox's.
func (p *pass) verdict(ctx context.Context, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.disk != nil:
		return p.disk
	case ctx.Err() != nil:
		return Interrupted()
	case err != nil:
		return err
	}
	missing := 0
	for _, m := range p.result.Mailboxes {
		missing += m.Missing - m.Left
	}
	for _, m := range p.result.Mailboxes {
		if m.Err != nil && missing > 1 {
			return fmt.Errorf("%w; %d messages are missing in all", p.withHint(m), missing)
		}
		if m.Err != nil {
			return p.withHint(m)
		}
	}
	for _, m := range p.result.Mailboxes {
		if n := m.Missing - m.Left; n > 0 {
			return &mail.Error{
				Op: "pull", Mailbox: m.Mailbox, Scope: mail.ScopeMailbox, Class: mail.ClassServer,
				Err: fmt.Errorf("%d of %d messages are not in the archive", n, m.Server),
			}
		}
	}
	if p.unfinished {
		return Unfinished()
	}
	return nil
}

// closeSessions says goodbye where all went well. QUIT and LOGOUT come only
// now, when every message is committed.
func (p *pass) closeSessions(ctx context.Context, err error) {
	for _, s := range p.sessions {
		if ctx.Err() == nil && (err == nil || errors.Is(err, ErrUnfinished) || mail.ErrorScope(err) != mail.ScopeAccount) {
			if cerr := s.Close(ctx); cerr != nil {
				p.Log.Debug("session did not end politely", "err", cerr)
			}
		}
		s.Abort()
	}
}

// end sums up and records the pass.
func (p *pass) end(err error) (Result, error) {
	r := &p.result
	sortByPlace(r.Mailboxes, p.place)
	for _, m := range r.Mailboxes {
		r.New += m.New
		r.Missing += m.Missing
		r.MissingBytes += m.MissingBytes
		r.Left += m.Left
		r.LeftBytes += share(m.MissingBytes, m.Left, m.Missing)
		r.Quarantined += m.Quarantined
		r.Excluded += m.Excluded
	}
	r.Complete = err == nil
	if err != nil && !errors.Is(err, ErrUnfinished) {
		r.Class, r.Error, r.Hint = mail.ErrorClass(err), err.Error(), mail.ErrorHint(err)
	}
	r.End = time.Now()
	// When the disk broke this may fail as well; a checkpoint that broke
	// refuses by itself.
	cerr := p.Checkpoint.EndPass(r.Pass)
	switch {
	case cerr == nil:
	case err == nil:
		r.Complete = false
		return *r, cerr
	default: // the first error tells more than the second
		p.Log.Warn("end of the pass was not recorded", "err", cerr)
	}
	return *r, err
}
