package faults

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mailpull/pkg/mail"
)

// TestT5Notices breaks the stack on purpose. A suite that finds nothing wrong
// with these would find nothing at all.
func TestT5Notices(t *testing.T) {
	for _, c := range []struct {
		name   string
		breaks bent
		notice string
	}{
		{"nothing", bent{}, ""},
		{"half of a body is settled", bent{fetch: otherBodies(func(b []byte) []byte { return b[:len(b)/2] })}, "not the bytes of"},
		{"one UID is dropped", bent{listed: withoutLied}, "without INBOX/2"},
		{"a cut is called the end", bent{fetch: otherEnd(func(error) error { return nil })}, "want"},
		{"an error with an escape", bent{fetch: otherEnd(func(error) error { return t5Failure("\x1b[2J") })}, "holds"},
		{"an endless error", bent{fetch: otherEnd(func(error) error { return t5Failure(strings.Repeat("x", 2000)) })}, "bytes long"},
		{"the password in an error", bent{fetch: otherEnd(func(error) error { return t5Failure(password) })}, "password"},
		{"an hour too long", bent{fetch: otherEnd(func(err error) error { time.Sleep(time.Hour); return err })}, "more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			broken := t5Case{
				row: "self", name: c.name, lie: instead("UID FETCH 101", "HANGUP"),
				want: "connect message; without Work/101", within: time.Second,
				breakIt: func(r *rig) {
					r.wrapSource = c.breaks.over
				},
			}
			problems := strings.Join(broken.findProblems(t), "\n")
			if !strings.Contains(problems, c.notice) || (problems == "") != (c.notice == "") {
				t.Errorf("it found %q, want it to say %q", problems, c.notice)
			}
		})
	}
}

func t5Failure(text string) error {
	return &mail.Error{Op: "imap fetch", Scope: mail.ScopeAccount, Class: mail.ClassServer, Err: errors.New(text)}
}

func withoutLied(refs mail.Refs) mail.Refs {
	refs.UIDs = refs.UIDs.Minus(mail.UIDSet{{Lo: t5Lied, Hi: t5Lied}})
	return refs
}
