package main

import (
	"errors"

	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
)

// Exit codes: those of sysexits.h where it has one, so that a script which
// knows them knows these. New ones may come; a code that is not listed means
// failure.
const (
	exitOK          = 0
	exitUsage       = 64
	exitUnavailable = 69 // some account failed for good
	exitSoftware    = 70 // a bug
	exitIO          = 74 // local disk or checkpoint
	exitTemporary   = 75 // the next run may fix it
	exitNoPerm      = 77 // sign-in refused
	exitConfig      = 78
	exitInterrupt   = 130
	exitTerminate   = 143
)

// exitError carries an exit code up to main. Its text was printed already
// when it is empty.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// codeOf returns the exit code of one account's error.
func codeOf(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, pull.ErrPanic):
		return exitSoftware
	case errors.Is(err, pull.ErrInterrupted):
		return exitTemporary
	}
	switch mail.ErrorClass(err) {
	case mail.ClassDisk:
		return exitIO
	case mail.ClassAuth:
		return exitNoPerm
	case mail.ClassConfig:
		return exitConfig
	}
	if mail.ErrorRetry(err) == mail.RetryNever {
		return exitUnavailable
	}
	return exitTemporary
}

// worst returns the exit code of a run over many accounts: the code they
// share, and for a mixture the one that most needs a person.
func worst(codes []int) int {
	has := make(map[int]bool)
	for _, code := range codes {
		if code != exitOK {
			has[code] = true
		}
	}
	for code := range has {
		if len(has) == 1 {
			return code
		}
	}
	switch {
	case len(has) == 0:
		return exitOK
	case has[exitSoftware]:
		return exitSoftware
	case has[exitIO]:
		return exitIO
	}
	return exitUnavailable // different reasons, and not all of them pass by themselves
}
