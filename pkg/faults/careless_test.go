package faults

import (
	"context"
	"io"

	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
)

// careless is a source that takes a body which was cut off for a whole one, as
// a client does that believes the end of the connection to be the end of the
// message. Self-tests show with it that a suite notices.
func careless(s pull.Source) pull.Source { return carelessSource{s} }

type carelessSource struct{ pull.Source }

func (s carelessSource) Open(ctx context.Context) (pull.Session, error) {
	session, err := s.Source.Open(ctx)
	if err != nil {
		return nil, err
	}
	return carelessSession{session}, nil
}

type carelessSession struct{ pull.Session }

func (s carelessSession) Fetch(ctx context.Context, refs mail.Refs, r mail.Receiver) error {
	c := &carelessReceiver{Receiver: r, pending: make(map[mail.Ref]bool)}
	err := s.Session.Fetch(ctx, refs, c)
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

func (r *carelessReceiver) Body(ref mail.Ref, _ int64, body io.Reader) error {
	r.pending[ref] = true
	return r.Receiver.Body(ref, -1, endless{body})
}

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
