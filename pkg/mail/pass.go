package mail

import "time"

// MailboxResult is how one mailbox fared in a pass.
type MailboxResult struct {
	Mailbox MailboxName

	// Server is how many messages the server listed, Archived how many of
	// these are recorded as delivered, New how many of them this pass
	// delivered, Gone how many vanished from the server between listing and
	// fetching, Quarantined how many were left alone because they are in
	// quarantine and not due, Excluded how many because they are older than is
	// wanted. Missing is what remains:
	// Server - Archived - Gone - Quarantined - Excluded.
	Server      int
	Archived    int
	New         int
	Gone        int
	Quarantined int
	Excluded    int
	Missing     int

	// MissingBytes is about how large the missing messages are, 0 where nobody
	// knows.
	MissingBytes int64

	// Left is how many of the missing messages were left for another pass on
	// purpose.
	Left int

	// Unchanged is set when the server's status showed that there was nothing
	// to do, so the mailbox was not opened.
	Unchanged bool

	// Err is why something is missing, or nil.
	Err error
}

// Complete reports whether everything that the server has is in the archive,
// but for what is in quarantine or left out on purpose.
func (r MailboxResult) Complete() bool { return r.Missing == 0 && r.Err == nil }

// Pass is how a pass over an account ended, as the checkpoint keeps it.
type Pass struct {
	Start time.Time
	End   time.Time

	// Complete is set when every selected mailbox was complete.
	Complete bool

	// New and Bytes count the messages delivered and their size on the wire.
	New   int
	Bytes int64

	// Missing counts the messages that are listed and not archived, without
	// those that were left alone because they are in quarantine: Quarantined.
	// MissingBytes is about how large the missing ones are, 0 where nobody knows.
	Missing      int
	Quarantined  int
	MissingBytes int64

	// Class, Error and Hint describe the first thing that went wrong; Error
	// is empty when nothing did.
	Class Class
	Error string
	Hint  string
}
