package daemon

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
)

// How long a watch that lost its connection waits before the next one: full
// jitter, so that accounts that lost theirs together do not come back together.
const (
	watchBase = 30 * time.Second
	watchCap  = 30 * time.Minute
)

// signInEvery is how often a watch that may not sign in looks whether it may.
const signInEvery = 2 * time.Second

// watch waits for news in the mailboxes of idle, each by a connection of its
// own, and wakes the account's worker. Polling goes on beside it.
func (a *account) watch(ctx context.Context, wake func()) {
	for _, box := range a.account.Idle {
		a.watches.Go(func() { a.watchOne(ctx, mail.MailboxName(box), wake) }) // close waits for it
	}
}

// watchOne watches one mailbox until ctx ends or the server cannot do it.
func (a *account) watchOne(ctx context.Context, box mail.MailboxName, wake func()) {
	log := a.log.With("mailbox", box.Shown())
	for failures := 0; ; failures++ {
		if !a.maySignIn(ctx) {
			return
		}
		began := time.Now()
		err := a.guardedWatch(ctx, box, wake, log)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, mail.ErrCannotWatch):
			log.Warn("cannot wait for new mail, it is asked for by the timetable only", "err", err)
			return
		}
		if time.Since(began) > watchCap {
			failures = 0
		}
		delay := max(mail.ErrorAfter(err), time.Duration(rand.Int64N(int64(backoff(failures)))))
		log.Info("connection that waited for new mail was lost", "err", err, "retry_in", delay.Round(time.Second))
		if mail.ErrorClass(err) == mail.ClassAuth {
			a.dropKept()
			wake() // a pass counts the refusal, and stops all sign-ins when it is the second
		}
		if !sleep(ctx, delay) {
			return
		}
	}
}

// guardedWatch waits by one connection. A library that panics costs the
// connection and nothing else.
func (a *account) guardedWatch(ctx context.Context, box mail.MailboxName, wake func(), log *slog.Logger) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = pull.Recovered(v, log)
		}
	}()
	return pull.Watch(ctx, pull.WatchOptions{
		Source: a.direct(), Mailbox: box, News: wake, Connected: a.idling,
	})
}

func backoff(failures int) time.Duration {
	return min(watchCap, watchBase<<min(failures, 10))
}

// maySignIn waits until the account's last pass signed in. A watch never is the
// first to try a password.
func (a *account) maySignIn(ctx context.Context) bool {
	for !a.signedIn() {
		if !sleep(ctx, signInEvery) {
			return false
		}
	}
	return ctx.Err() == nil
}

// sleep waits, and reports false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
