package faults

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// t2Workers is how many cuts are tried at once: one for each core of a small
// machine.
const t2Workers = 2

// t2Protocols are fresh accounts, whose bodies make a session of a little more
// than 12,000 bytes from the server.
func t2Protocols() map[string]func() *rig {
	return map[string]func() *rig{
		"imap": func() *rig {
			return imapRig(&mailtest.IMAPServer{Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", bodies()...)}})
		},
		"pop3": func() *rig { return pop3Rig(&mailtest.POP3Server{Messages: mailtest.POP3Messages(bodies()...)}) },
	}
}

// The connection ends behind every byte of a session, in three ways. What the
// pass says is a classified error or nothing at all, no promise is broken, and
// the next pass brings the rest and not a message more.
func TestT2CutAtEveryByte(t *testing.T) {
	t.Parallel()
	for name, fresh := range t2Protocols() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			offsets := t2Length(t, fresh)
			for how := mailtest.EndEOF; how <= mailtest.EndStall; how++ {
				n := t2Cuts(t, fresh, offsets, how)
				mailtest.Figure(t, "T2", fmt.Sprintf("offsets of a session over %s cut by %s", name, how), n, 12000)
			}
		})
	}
}

// t2Length returns how many bytes a whole session has from the server.
func t2Length(t *testing.T, fresh func() *rig) int64 {
	t.Helper()
	r := fresh()
	if _, err := r.pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r.link.Sent()
}

// t2Cuts tries every offset and returns how many that were. Many share a
// bubble, whose clock runs on from one to the next.
func t2Cuts(t *testing.T, fresh func() *rig, offsets int64, how mailtest.Ending) int {
	t.Helper()
	const bubble = 200
	stride := int64(mailtest.Every(97))
	var next, tried atomic.Int64
	var workers sync.WaitGroup
	for range t2Workers {
		workers.Go(func() {
			for !t.Failed() {
				first := next.Add(bubble) - bubble
				if first > offsets {
					return
				}
				synctest.Test(t, func(t *testing.T) {
					for at := first; at < min(first+bubble, offsets+1) && !t.Failed(); at++ {
						if at%stride != 0 {
							continue
						}
						if err := t2Cut(t, fresh(), at, how); err != nil {
							t.Errorf("cut behind byte %d by %s: %v", at, how, err)
						}
						tried.Add(1)
					}
				})
			}
		})
	}
	workers.Wait()
	return int(tried.Load())
}

// t2Cut cuts one session and lets the next pass finish.
func t2Cut(t *testing.T, r *rig, at int64, how mailtest.Ending) error {
	r.link.CutAt, r.link.CutFirst, r.link.How = at, true, how
	first, err := r.pass(t.Context())
	if err := t2Told(err); err != nil {
		return err
	}
	if err := t2Judge(r, err == nil); err != nil {
		return fmt.Errorf("after the cut: %w", err)
	}
	r.link.Mend() // LOGOUT is not waited for: its answer may never have come to the cut
	second, err := r.pass(t.Context())
	if err != nil {
		return fmt.Errorf("the next pass: %w", err)
	}
	if n := first.New + second.New; n != r.oracle.Messages() {
		return fmt.Errorf("%d and %d messages were new, and the server has %d", first.New, second.New, r.oracle.Messages())
	}
	return t2Judge(r, true)
}

// t2Told checks how a pass that was cut tells of it.
func t2Told(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*mail.Error](err); !ok {
		return fmt.Errorf("not classified: %w", err)
	}
	switch mail.ErrorClass(err) {
	case mail.ClassConnect, mail.ClassTimeout:
		return nil
	}
	return fmt.Errorf("class %q: %w", mail.ErrorClass(err), err)
}

// t2Judge turns the first breach into an error.
func t2Judge(r *rig, complete bool) error {
	breaches, err := r.judge(complete)
	if err != nil || len(breaches) == 0 {
		return err
	}
	return errors.New(breaches[0].String())
}

// The suite notices a client that takes a cut-off body for a whole one.
func TestT2NoticesCarelessness(t *testing.T) {
	t.Parallel()
	for name, fresh := range t2Protocols() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			middle := t2Length(t, fresh) / 2
			synctest.Test(t, func(t *testing.T) {
				for _, how := range []mailtest.Ending{mailtest.EndEOF, mailtest.EndReset} {
					r := fresh()
					r.wrapSource = bent{fetch: careless}.over
					err := t2Cut(t, r, middle, how)
					if err == nil || !strings.Contains(err.Error(), "P3: not the bytes of") {
						t.Errorf("cut by %s: got %v, want a breach of P3", how, err)
					}
				}
			})
		})
	}
}
