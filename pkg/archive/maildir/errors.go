package maildir

import (
	"errors"
	"syscall"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// errDevices says why no message can ever get its name.
var errDevices = errors.New("tmp/, new/ and cur/ are not all on the file system of the account's folder")

// boxError is the error of a mailbox's folder. It spoils this mailbox only
// unless it is one that every other folder would meet too.
func (s *Store) boxError(op string, box mail.MailboxName, err error) error {
	e := s.diskError(op, box, err)
	for _, everywhere := range []error{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.EMFILE, syscall.ENFILE,
	} {
		if errors.Is(err, everywhere) {
			return e
		}
	}
	e.Scope = mail.ScopeMailbox
	return e
}

// diskError is the error that crosses the seam when the archive could not be
// written or read. It pauses the account: the next message would meet the same
// disk.
func (s *Store) diskError(op string, box mail.MailboxName, err error) *mail.Error {
	hint := durable.Hint(err)
	if errors.Is(err, errDevices) {
		hint = "a message gets its name by a rename, which stays on one file system: mount it at the account's folder or above"
	}
	return &mail.Error{
		Op:      "maildir " + op,
		Mailbox: box,
		Scope:   mail.ScopeAccount,
		Class:   mail.ClassDisk,
		Hint:    hint,
		Err:     err,
	}
}
