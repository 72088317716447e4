package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/schedule"
)

// withRefusals makes a pass unless refused sign-ins stopped the account, and
// remembers whether this one was refused. A run from cron must not lock an
// account either: each quarter of an hour is a hundred sign-ins a day.
func (t attempt) withRefusals(ctx context.Context) Outcome {
	before, err := readMemory(t.config, t.account.Name)
	if err != nil {
		forgotten(t.log, err)
	}
	now := func(then string) string { return fingerprint(ctx, t.account, then) }
	if !before.MaySignIn(time.Now(), now) {
		return Outcome{Account: t.account.Name, Err: signInPaused(before, t.account.Name)}
	}
	out := t.run(ctx)
	t.rememberRefusal(before, out, now)
	return out
}

// rememberRefusal keeps what an outcome says of the password. Delays are not
// kept: when the next run comes is for whoever calls it to say.
func (t attempt) rememberRefusal(before schedule.Memory, out Outcome, now func(then string) string) {
	after := before.Learn(scheduled(out), time.Now(), rand.Float64)
	if after.Refusals == before.Refusals {
		return
	}
	kept := schedule.Memory{Paused: before.Paused}
	if after.Refusals > 0 {
		kept.Failures, kept.Class, kept.Refusals, kept.NextProbe = after.Refusals, mail.ClassAuth, after.Refusals, after.NextProbe
	}
	if kept.SignInPaused() {
		kept.Fingerprint = now(before.Fingerprint)
	}
	if err := writeMemory(t.config, t.account.Name, kept); err != nil {
		t.log.Warn("what is to be remembered was not written", "err", err)
	}
}

// signInPaused is the error of an account that refused sign-ins stopped.
func signInPaused(m schedule.Memory, account string) error {
	return &mail.Error{
		Op: "sign-in", Scope: mail.ScopeAccount, Retry: mail.RetryNever, Class: mail.ClassAuth,
		Err: fmt.Errorf("paused until %s, because the server refused it %d times in a row",
			m.NextProbe.Local().Format("2006-01-02 15:04"), m.Refusals),
		Hint: "correct the password, or what the server says of it, and the next run signs in; to try at once with the same one: mailpull resume " + account,
	}
}

// forgotten tells that a memory cannot be read. What the disk says the pass will
// say itself.
func forgotten(log *slog.Logger, err error) {
	level := slog.LevelWarn
	var disk *fs.PathError
	if errors.As(err, &disk) {
		level = slog.LevelDebug
	}
	log.Log(context.Background(), level, "what was remembered is lost", "err", err, "hint", mail.ErrorHint(err))
}
