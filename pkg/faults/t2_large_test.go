package faults

import (
	"fmt"
	"testing"
	"testing/synctest"

	"mailpull/pkg/mailtest"
)

// t2Large is an account with a large message between small ones. Its lines differ,
// so that a part in the wrong place is seen.
func t2Large() *rig {
	var large []byte
	for i := 0; len(large) < 1<<20; i++ {
		large = fmt.Appendf(large, "line %d of a large message, and some more of it\r\n", i)
	}
	return imapRig(&mailtest.IMAPServer{
		Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", "first\r\n", "Subject: large\r\n\r\n"+string(large), "last\r\n")},
	})
}

// The connection ends in the middle of a large message: the same pass brings it,
// and all others, without asking for what it has.
func TestT2InsideALargeMessage(t *testing.T) {
	t.Parallel()
	n := 0
	for how := mailtest.EndEOF; how <= mailtest.EndStall; how++ {
		for at := int64(300_000); at < 1<<20; at += int64(mailtest.Every(10)) * 29_989 {
			synctest.Test(t, func(t *testing.T) {
				r := t2Large()
				r.link.CutAt, r.link.How = at, how
				result, err := r.pass(t.Context())
				if err != nil || result.New != 3 || result.Quarantined != 0 {
					t.Errorf("cut behind byte %d by %s: %d messages, %d in quarantine, %v", at, how, result.New, result.Quarantined, err)
				}
				r.check(t, true)
				if sent := r.link.Sent(); sent > 1<<20+20_000 {
					t.Errorf("cut behind byte %d by %s: %d bytes crossed the line", at, how, sent)
				}
			})
			n++
		}
	}
	mailtest.Figure(t, "T2", "cuts inside a large message", n, 70)
}

// The suite notices a client that gives the overlap twice.
func TestT2NoticesTheOverlap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := t2Large()
		r.link.CutAt, r.link.How = 1<<19, mailtest.EndEOF
		r.wrapSource = bent{fetch: otherBodies(func(body []byte) []byte {
			const at, overlap = 1 << 18, 4 << 10
			if len(body) < at {
				return body
			}
			return append(append(append([]byte(nil), body[:at]...), body[at-overlap:at]...), body[at:len(body)-overlap]...)
		})}.over
		if _, err := r.pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		if breaches, err := r.judge(true); err != nil || len(breaches) == 0 {
			t.Errorf("nothing was noticed, %v", err)
		}
	})
}
