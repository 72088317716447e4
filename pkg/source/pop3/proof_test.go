package pop3

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

// sessions opens sessions of a source until one has nothing left to fetch, as
// a pass does: a message that failed twice is not asked for again.
func sessions(t *testing.T, source *Source, limit int) (r *receiver, errs []error) {
	t.Helper()
	r = newReceiver()
	tries := make(map[mail.UIDL]int)
	for range limit {
		s, refs, _ := open(t, source)
		refs.UIDLs = slices.DeleteFunc(slices.Clone(refs.UIDLs), func(uidl mail.UIDL) bool {
			got, ok := r.settled[uidl]
			return ok && got.err == nil || tries[uidl] == 2
		})
		before := len(r.events)
		err := s.Fetch(t.Context(), refs, r)
		for _, event := range r.events[before:] {
			if uidl, failed := strings.CutPrefix(event, "failed "); failed {
				tries[mail.UIDL(uidl)]++
			}
		}
		s.Abort()
		if err == nil {
			return r, errs
		}
		if mail.ErrorScope(err) != mail.ScopeAccount {
			t.Errorf("a session ended with %v", err)
		}
		errs = append(errs, err)
	}
	t.Errorf("after %d sessions there is still something to fetch: %v", limit, errs)
	return r, errs
}

// wantAllBut checks that each message is settled with its own bytes, and those
// at the bad places as failed.
func wantAllBut(t *testing.T, drop *maildrop, r *receiver, class mail.Class, bad ...int) {
	t.Helper()
	for i, body := range drop.bodies {
		got, ok := r.settled[drop.uidl(i)]
		if slices.Contains(bad, i) {
			wantError(t, got.err, mail.ScopeMessage, class, mail.ErrorRetry(got.err))
		} else if !ok || got != (outcome{body, nil}) {
			t.Errorf("message %d: settled %t with %.60q, %v", i+1, ok, got.body, got.err)
		}
	}
}

// many returns so many different bodies.
func many(n int) []string {
	bodies := make([]string, n)
	for i := range bodies {
		bodies[i] = fmt.Sprintf("Subject: %d\r\n\r\ntext\r\n", i+1)
	}
	return bodies
}

// tornAnswers are what servers send for one message that shifts the answers
// behind it.
func tornAnswers() map[string]string {
	return map[string]string{
		"a first dot that is not doubled":  "+OK\r\n.\r\n+OK\r\nSubject: fake\r\n\r\nx\r\n.\r\n",
		"two answers in a message":         "+OK\r\n.\r\n+OK\r\n.\r\n+OK\r\nx\r\n.\r\n",
		"refusals in a message":            "+OK\r\n.\r\n-ERR too many\r\n-ERR too many\r\n-ERR too many\r\n+OK\r\n.\r\n",
		"a lone dot within":                "+OK\r\none\r\n.\r\ntwo\r\n.\r\n",
		"an answer behind the line's end":  "+OK\r\nx\r\n.\r\n+OK\r\n",
		"no +OK before the body":           "Subject: x\r\n.\r\n",
		"a stray line that looks like one": "-ERR\r\n+OK 9 u9\r\n",
	}
}

// A server whose answers do not fit the commands costs the one message that is
// to blame, at any place, and no other message gets foreign bytes.
func TestShiftedAnswers(t *testing.T) {
	t.Parallel()
	for name, answer := range tornAnswers() {
		for _, serial := range []bool{false, true} {
			for _, bad := range []int{0, 2, 63, 64, 69} {
				command := fmt.Sprintf("RETR %d", bad+1)
				drop := &maildrop{bodies: many(70), serial: serial, answers: map[string]string{command: answer}}
				r, errs := sessions(t, drop.source(t, wire.Limits{}), 4)
				t.Logf("%s at %d, serial %t", name, bad+1, serial)
				wantAllBut(t, drop, r, mail.ClassProtocol, bad)
				if len(errs) == 0 {
					continue
				}
				wantError(t, errs[0], mail.ScopeAccount, mail.ClassProtocol, mail.RetryNow)
				if hint := mail.ErrorHint(r.settled[drop.uidl(bad)].err); !strings.Contains(hint, "does not mark the end") {
					t.Errorf("hint %q", hint)
				}
			}
		}
	}
}

// A body without a line end before its last dot makes one message of two.
// With answers on their way this is seen at once; alone it takes a time-out.
func TestGluedMessages(t *testing.T) {
	t.Parallel()
	for _, serial := range []bool{false, true} {
		for _, bad := range []int{0, 7, 9} {
			synctest.Test(t, func(t *testing.T) {
				command := fmt.Sprintf("RETR %d", bad+1)
				drop := &maildrop{bodies: many(10), serial: serial, answers: map[string]string{command: "+OK\r\nno line end.\r\n"}}
				begin := time.Now()
				r, _ := sessions(t, drop.source(t, wire.Limits{Idle: time.Minute}), 4)
				wantAllBut(t, drop, r, mail.ClassTimeout, bad)
				if took := time.Since(begin); took > 3*time.Minute {
					t.Errorf("it took %v", took)
				}
			})
		}
	}
}

// Messages on which the server hangs up or falls silent keep nothing from what
// stands behind them.
func TestDeadlyMessages(t *testing.T) {
	t.Parallel()
	for _, serial := range []bool{false, true} {
		for _, said := range []string{"", "+OK\r\n", "+OK\r\nhalf a li"} {
			synctest.Test(t, func(t *testing.T) {
				drop := &maildrop{bodies: many(10), serial: serial, silent: "RETR 3", answers: map[string]string{"RETR 3": said}}
				r, _ := sessions(t, drop.source(t, wire.Limits{Idle: time.Minute}), 4)
				wantAllBut(t, drop, r, mail.ClassTimeout, 2)
			})
			drop := &maildrop{bodies: many(10), serial: serial, hangsUp: []string{"RETR 3", "RETR 8"}, answers: map[string]string{"RETR 3": said}}
			r, errs := sessions(t, drop.source(t, wire.Limits{}), 6)
			wantAllBut(t, drop, r, mail.ClassConnect, 2, 7)
			wantError(t, errs[0], mail.ScopeAccount, mail.ClassConnect, mail.RetryNow)
		}
	}
}

// After a while without trouble many messages are asked for again at once.
func TestCareEnds(t *testing.T) {
	t.Parallel()
	drop := &maildrop{bodies: many(200)}
	source := drop.source(t, wire.Limits{})
	source.care.lost()
	s, refs, _ := open(t, source)
	f := &fetch{Session: s, refs: refs, receiver: newReceiver(), commands: make(chan []string, 1)}
	if err := f.plan(); err != nil {
		t.Fatal(err)
	}
	for n := range carefulMessages + 1 {
		f.due = nil
		f.fill()
		if got := len(<-f.commands); (got == 1) != (n < carefulMessages) {
			t.Errorf("%d commands together after %d messages", got, n)
		}
		s.care.went(1)
		f.open = 0
	}
}

// What makes up for one shift by another is found all the same.
func TestTwoShifts(t *testing.T) {
	t.Parallel()
	drop := &maildrop{bodies: many(10), answers: map[string]string{
		"RETR 3": "+OK\r\nno line end.\r\n",
		"RETR 6": "+OK\r\n.\r\n+OK\r\nfake\r\n.\r\n",
	}}
	s, refs, _ := open(t, drop.source(t, wire.Limits{}))
	r := newReceiver()
	err := s.Fetch(t.Context(), refs, r)
	wantError(t, err, mail.ScopeAccount, mail.ClassProtocol, mail.RetryNow)
	if r.settled["u1"].body != drop.bodies[0] || r.settled["u2"].body != drop.bodies[1] || len(r.settled) != 2 {
		t.Errorf("got %+v", r.settled)
	}
}

// A server that does not say one unique-id as the standard wants is never read
// ahead, and each message is followed by another question.
func TestUnprovable(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"-ERR what?\r\n", "+OK\r\n", "+OK 1\r\n", "+OK 1 other\r\n", "+OK 2 u1\r\n", "+OK u1\r\n", "+OK 1 u1 x\r\n"} {
		for _, serial := range []bool{false, true} {
			drop := &maildrop{bodies: fourMessages(), serial: serial, answers: map[string]string{"UIDL 1": answer}}
			r, errs := sessions(t, drop.source(t, wire.Limits{}), 1)
			wantAllBut(t, drop, r, "")
			want := []string{"RETR 1", "STAT", "RETR 2", "STAT", "RETR 3", "STAT", "RETR 4", "STAT"}
			if got := drop.commands()[3:]; !slices.Equal(got, want) || len(errs) != 0 {
				t.Errorf("%q: sent %q, %v", answer, got, errs)
			}
			for name, torn := range tornAnswers() {
				drop.answers["RETR 2"] = torn
				r, _ = sessions(t, drop.source(t, wire.Limits{}), 3)
				t.Logf("%q, %s", answer, name)
				wantAllBut(t, drop, r, mail.ClassProtocol, 1)
			}
		}
	}
}

// A server that asks to wait is left alone after three refusals in a row. What
// came before them counts, and they are not held against the messages.
func TestServerAsksToWait(t *testing.T) {
	t.Parallel()
	for _, serial := range []bool{false, true} {
		for _, answer := range []string{"-ERR [SYS/TEMP] x\r\n", "-ERR [IN-USE] x\r\n", "-ERR too many requests, try again in 2 minutes\r\n"} {
			drop := &maildrop{bodies: many(1000), serial: serial, answers: map[string]string{"RETR 2": answer, "RETR 4": "-ERR no\r\n"}}
			for n := 6; n <= 1000; n++ {
				drop.answers["RETR "+strconv.Itoa(n)] = answer
			}
			s, refs, _ := open(t, drop.source(t, wire.Limits{}))
			r := newReceiver()
			err := s.Fetch(t.Context(), refs, r)
			wantError(t, err, mail.ScopeAccount, mail.ClassThrottled, mail.RetryLater)
			if !strings.Contains(fmt.Sprint(err), "3 messages in a row") || mail.ErrorHint(err) == "" {
				t.Errorf("got %v", err)
			}
			if after := mail.ErrorAfter(err); strings.Contains(answer, "2 minutes") != (after == 2*time.Minute) {
				t.Errorf("%q: after %s", answer, after)
			}
			want := []string{"ok u1", "failed u2", "ok u3", "failed u4", "ok u5", "group"}
			got := slices.DeleteFunc(r.events, func(s string) bool { return strings.HasPrefix(s, "body") })
			if got = slices.Compact(got); !slices.Equal(got, want) {
				t.Errorf("%q, serial %t: got %q", answer, serial, got)
			}
			if n := len(drop.commands()); n > 2*maxDepth {
				t.Errorf("%d commands were sent", n)
			}
		}
	}
}

// A receiver that fails is not the message's fault.
func TestReceiverErrorBlamesNobody(t *testing.T) {
	t.Parallel()
	full := errors.New("disk is full")
	source := (&maildrop{bodies: many(3)}).source(t, wire.Limits{})
	source.care.lost()
	s, refs, _ := open(t, source)
	r := newReceiver()
	r.onEnd = func() error { return full }
	if err := s.Fetch(t.Context(), refs, r); err != full || strings.Contains(strings.Join(r.events, " "), "failed") {
		t.Errorf("got %v, %q", err, r.events)
	}
}

// What ended a session comes last and by itself, so that it cannot keep
// anything from the others.
func TestBlamedComesLast(t *testing.T) {
	t.Parallel()
	drop := &maildrop{bodies: many(4)}
	source := drop.source(t, wire.Limits{})
	source.care.blame("u2")
	s, refs, _ := open(t, source)
	if err := s.Fetch(t.Context(), refs, newReceiver()); err != nil {
		t.Fatal(err)
	}
	want := []string{"RETR 1", "UIDL 1", "RETR 3", "UIDL 3", "RETR 4", "UIDL 4", "RETR 2", "UIDL 2"}
	if got := drop.commands()[3:]; !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
}
