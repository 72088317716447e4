package faults

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mailtest"
)

// Over a line of 1 Mbit/s with a round trip of 300 ms a pass comes to its end, and
// commits on the way.
func TestSlowLine(t *testing.T) {
	t.Parallel()
	messages := make([]string, 150)
	for i := range messages {
		messages[i] = fmt.Sprintf("Subject: %d\r\n\r\n%s\r\n", i, bulk(20_000))
	}
	for name, fresh := range map[string]func() *rig{
		"imap": func() *rig {
			return imapRig(&mailtest.IMAPServer{Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", messages...)}})
		},
		"pop3": func() *rig { return pop3Rig(&mailtest.POP3Server{Messages: mailtest.POP3Messages(messages...)}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := fresh()
				r.link.Line = &mailtest.Line{Rate: 125_000, Delay: 150 * time.Millisecond}
				r.link.CutAt, r.link.How = 2_000_000, mailtest.EndReset
				result, err := r.pass(t.Context())
				if err != nil || result.New != len(messages) {
					t.Errorf("%d of %d messages, %v", result.New, len(messages), err)
				}
				r.check(t, true)
				t.Logf("%s, %d bytes", result.End.Sub(result.Start), r.link.Sent())
			})
		})
	}
}
