package faults

import (
	"bytes"
	"context"
	"io"

	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
)

// bent is a source that is broken as its fields say, for the self-tests of all
// suites; nil leaves a part as it is.
type bent struct {
	opening func()                    // called before a session is opened
	failed  func(error) error         // what becomes of an error
	listed  func(mail.Refs) mail.Refs // what becomes of a listing
	fetch   fetching                  // done instead of the session's Fetch
}

// fetching is Session.Fetch as a function.
type fetching func(s pull.Session, ctx context.Context, refs mail.Refs, r mail.Receiver) error

// over bends a source.
func (b bent) over(s pull.Source) pull.Source { return &bentSource{s, b} }

type bentSource struct {
	pull.Source
	bent bent
}

// Open implements pull.Source.
func (s *bentSource) Open(ctx context.Context) (pull.Session, error) {
	if s.bent.opening != nil {
		s.bent.opening()
	}
	session, err := s.Source.Open(ctx)
	if err != nil {
		return nil, s.bent.failure(err)
	}
	return &bentSession{session, s.bent}, nil // a pointer: sessions are compared
}

func (b bent) failure(err error) error {
	if err == nil || b.failed == nil {
		return err
	}
	return b.failed(err)
}

type bentSession struct {
	pull.Session
	bent bent
}

// Select implements pull.Session.
func (s *bentSession) Select(ctx context.Context, box mail.Mailbox) (mail.Refs, mail.Status, error) {
	refs, status, err := s.Session.Select(ctx, box)
	if s.bent.listed != nil {
		refs = s.bent.listed(refs)
	}
	return refs, status, s.bent.failure(err)
}

// Fetch implements pull.Session.
func (s *bentSession) Fetch(ctx context.Context, refs mail.Refs, r mail.Receiver) error {
	if s.bent.fetch != nil {
		return s.bent.failure(s.bent.fetch(s.Session, ctx, refs, r))
	}
	return s.bent.failure(s.Session.Fetch(ctx, refs, r))
}

// otherBodies is a fetch that changes every body.
func otherBodies(change func([]byte) []byte) fetching {
	return func(s pull.Session, ctx context.Context, refs mail.Refs, r mail.Receiver) error {
		return s.Fetch(ctx, refs, bodyChanger{r, change})
	}
}

type bodyChanger struct {
	mail.Receiver
	change func([]byte) []byte
}

// Body implements mail.Receiver.
func (r bodyChanger) Body(ref mail.Ref, size int64, body io.Reader) error {
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	return r.Receiver.Body(ref, size, bytes.NewReader(r.change(data)))
}

// otherEnd is a fetch that gives another result, also where there is no error.
func otherEnd(change func(error) error) fetching {
	return func(s pull.Session, ctx context.Context, refs mail.Refs, r mail.Receiver) error {
		return change(s.Fetch(ctx, refs, r))
	}
}

// careless takes a body which was cut off for a whole one, as a client does that
// believes the end of the connection to be the end of the message.
func careless(s pull.Session, ctx context.Context, refs mail.Refs, r mail.Receiver) error {
	c := &carelessReceiver{Receiver: r, pending: make(map[mail.Ref]bool)}
	err := s.Fetch(ctx, refs, c)
	for ref := range c.pending {
		if r.Settle(mail.Item{Ref: ref}, nil) == nil {
			_ = r.Settled() // the error of the fetch tells
		}
	}
	return err
}

// carelessReceiver remembers what began to come and was not settled.
type carelessReceiver struct {
	mail.Receiver
	pending map[mail.Ref]bool
}

// Body implements mail.Receiver.
func (r *carelessReceiver) Body(ref mail.Ref, _ int64, body io.Reader) error {
	r.pending[ref] = true
	return r.Receiver.Body(ref, -1, endless{body})
}

// Settle implements mail.Receiver.
func (r *carelessReceiver) Settle(item mail.Item, outcome error) error {
	delete(r.pending, item.Ref)
	return r.Receiver.Settle(item, outcome)
}

// endless turns every error into the end of the body.
type endless struct{ io.Reader }

func (e endless) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}
