package imap

import (
	"testing"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

// The peer serves the suite, because imapmemserver sends no body for a message
// that has no header.
func TestSourceSuite(t *testing.T) {
	t.Parallel()
	mailtest.TestSource(t, func(t *testing.T) pull.Source {
		p := &peer{caps: "ESEARCH"}
		for i, body := range mailtest.SuiteBodies() {
			p.messages = append(p.messages, message{uid: mail.UID(i + 1), body: body})
		}
		return pull.NewSource(p.listen(t))
	})
}
