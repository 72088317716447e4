package main

import (
	"errors"
	"io/fs"
	"syscall"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
)

// hintFor returns a whole sentence that says what to do about an error: the
// one that it brings, else what holds for errors of its kind. It is empty when
// the error says it all.
func hintFor(err error) string {
	if hint := mail.ErrorHint(err); hint != "" {
		return hint
	}
	var classified *mail.Error
	switch {
	case errors.Is(err, durable.ErrLocked):
		return "another run has the account in hand; run again when it is done, or leave out --if-locked=fail"
	case errors.Is(err, pull.ErrInterrupted):
		return "what had arrived is kept; the next run goes on from there"
	case errors.Is(err, fs.ErrExist), errors.Is(err, syscall.ENOTDIR):
		return "something else stands where a folder should be; move it away and run again, nothing is lost by that"
	case !errors.As(err, &classified):
		return ""
	}
	switch classified.Class {
	case mail.ClassConnect, mail.ClassTimeout:
		return "what had arrived is kept, and the next run goes on from there; if it stays so, ask whoever runs the server"
	case mail.ClassThrottled, mail.ClassQuota:
		return "the server asks to wait; what had arrived is kept, and a later run goes on from there"
	case mail.ClassServer, mail.ClassProtocol:
		return "whatever else the server gave is archived, and the next run asks again; if it stays so, show this line to whoever runs the server"
	case mail.ClassDisk:
		return "nothing that was archived is touched; look at the disk and at the path, and run again"
	}
	return ""
}
