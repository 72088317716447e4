package faults

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
)

// TestT5Notices breaks the stack on purpose. A suite that finds nothing wrong
// with these would find nothing at all.
func TestT5Notices(t *testing.T) {
	for _, c := range []struct {
		name   string
		breaks t5Broken
		notice string
	}{
		{"nothing", t5Broken{}, ""},
		{"half of a body is settled", t5Broken{body: half}, "not the bytes of"},
		{"one UID is dropped", t5Broken{refs: withoutLied}, "without INBOX/2"},
		{"a cut is called the end", t5Broken{fetched: func(error) error { return nil }}, "want"},
		{"an error with an escape", t5Broken{fetched: func(error) error { return t5Failure("\x1b[2J") }}, "holds"},
		{"an endless error", t5Broken{fetched: func(error) error { return t5Failure(strings.Repeat("x", 2000)) }}, "bytes long"},
		{"the password in an error", t5Broken{fetched: func(error) error { return t5Failure(password) }}, "password"},
		{"an hour too long", t5Broken{fetched: func(err error) error { time.Sleep(time.Hour); return err }}, "more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			broken := t5Case{
				row: "self", name: c.name, lie: instead("UID FETCH 101", "HANGUP"),
				want: "connect message; without Work/101", within: time.Second,
				breakIt: func(r *rig) {
					r.wrapSource = func(s pull.Source) pull.Source { return t5BrokenSource{s, c.breaks} }
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

// t5Broken is what is broken of a source; nil leaves a part as it is.
type t5Broken struct {
	refs    func(mail.Refs) mail.Refs
	body    func(size int64, body io.Reader) io.Reader
	fetched func(error) error
}

func half(size int64, body io.Reader) io.Reader { return io.LimitReader(body, size/2) }

func withoutLied(refs mail.Refs) mail.Refs {
	refs.UIDs = refs.UIDs.Minus(mail.UIDSet{{Lo: t5Lied, Hi: t5Lied}})
	return refs
}

type t5BrokenSource struct {
	pull.Source
	broken t5Broken
}

func (s t5BrokenSource) Open(ctx context.Context) (pull.Session, error) {
	session, err := s.Source.Open(ctx)
	if err != nil {
		return nil, err
	}
	return &t5BrokenSession{session, s.broken}, nil // sessions are compared
}

type t5BrokenSession struct {
	pull.Session
	broken t5Broken
}

func (s *t5BrokenSession) Select(ctx context.Context, box mail.Mailbox) (mail.Refs, mail.Status, error) {
	refs, status, err := s.Session.Select(ctx, box)
	if s.broken.refs != nil {
		refs = s.broken.refs(refs)
	}
	return refs, status, err
}

func (s *t5BrokenSession) Fetch(ctx context.Context, refs mail.Refs, r mail.Receiver) error {
	if s.broken.body != nil {
		r = t5BrokenReceiver{r, s.broken}
	}
	err := s.Session.Fetch(ctx, refs, r)
	if s.broken.fetched != nil {
		err = s.broken.fetched(err)
	}
	return err
}

type t5BrokenReceiver struct {
	mail.Receiver
	broken t5Broken
}

func (r t5BrokenReceiver) Body(ref mail.Ref, size int64, body io.Reader) error {
	if err := r.Receiver.Body(ref, size, r.broken.body(size, body)); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, body)
	return err
}
