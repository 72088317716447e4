package pop3

import (
	"context"
	"time"

	"mailpull/pkg/mail"
)

// Older implements pull.Session: POP3 tells of no message when it arrived.
func (s *Session) Older(context.Context, time.Time) (mail.UIDSet, error) {
	return nil, &mail.Error{
		Op: "pop3 search", Mailbox: mail.Inbox, Scope: mail.ScopeMailbox, Retry: mail.RetryNever,
		Class: mail.ClassServer, Err: mail.ErrNoDates,
	}
}
