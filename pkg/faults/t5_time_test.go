package faults

import (
	"fmt"
	"time"

	"mailpull/pkg/mailtest"
)

// t5Times are servers that take their time. T8 stalls at every step; here are
// what go-imap's own time-outs get wrong, and abilities that are announced and
// must not be used.
func t5Times() []t5Case {
	slow := fetches(func(c *mailtest.IMAPTalk, tag string, f t5Fetch, seq int, m *mailtest.IMAPMessage) {
		switch {
		case m == nil:
			c.Printf("%s OK done", tag)
		case m.UID != t5Lied:
			c.SayFetch(seq, *m, f.items)
		default:
			c.Raw(fmt.Sprintf("* 2 FETCH (UID 2 BODY[] {%d}\r\n", len(t5Body)))
			for i := range len(t5Body) {
				c.Flush()
				time.Sleep(30 * time.Second) // by the fake clock
				c.Raw(t5Body[i : i+1])
			}
			c.Raw(")\r\n")
		}
	})
	return []t5Case{
		{row: "I-10", name: "a body of a byte each half minute", lie: slow, want: "complete", within: time.Hour},
		// The second session finds out which message it is, the third makes sure.
		{row: "I-9", name: "silence in the middle of a body", want: "timeout message; without INBOX/2", within: 3 * time.Minute,
			lie: message("=* 2 FETCH (UID 2 BODY[] {46}\r\nSubject", "STALL")},
		{row: "I-28", name: "CAPABILITY is not answered after sign-in", want: "timeout account; nothing is stored", within: time.Minute,
			lie: on("CAPABILITY", func(c *mailtest.IMAPTalk, tag, command string) {
				if c.SignedIn {
					c.Stall()
					return
				}
				c.Answer(tag, command)
			})},
		{row: "I-31", name: "IDLE is announced and never answered", want: "complete",
			lie: t5Lies(caps("IDLE ESEARCH"), instead("IDLE", "STALL"))},
		{row: "I-25", name: "an honest session, logged at debug level", want: "complete"},
	}
}
