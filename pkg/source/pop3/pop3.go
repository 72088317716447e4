// Package pop3 reads POP3 maildrops (RFC 1939) for pull. It owns the listing,
// the pipelining and the meaning of the server's answers; go-pop3 speaks the
// commands that have one line for an answer, and package wire lies beneath.
//
// The one thing to know: the strict end of a body and a next answer that begins
// with +OK prove nothing, because a server that leaves out an added dot, or the
// line end before the last dot, tears one message in two or makes one of two,
// and every message behind it would be taken for another one. So a message
// counts as read only when the question behind it, "UIDL n", was answered with
// its number and unique-id. When it was not, the next session of the source
// reads one message at a time, which finds the one to blame.
package pop3

import (
	"context"

	gopop3 "github.com/knadh/go-pop3"

	"mailpull/pkg/wire"
)

// Options says which maildrop to read. It is never changed here.
type Options struct {
	// Wire says where and how to connect, and as whom.
	Wire wire.Options
}

// Source is one account's maildrop. Its methods may be called from any
// goroutine.
type Source struct {
	options Options
	care    care
}

// New returns the source. It does no I/O.
func New(options Options) *Source { return &Source{options: options} }

// Open implements pull.Source.
func (s *Source) Open(ctx context.Context) (*Session, error) {
	conn, err := wire.OpenPOP3(ctx, s.options.Wire)
	if err != nil {
		return nil, err
	}
	library, err := gopop3.New(gopop3.Opt{Dialer: conn.Turn}).NewConn()
	if err != nil {
		_ = conn.Close() // what went wrong is in err
		return nil, lost("pop3 open", "", err)
	}
	return &Session{conn: conn, library: library, care: &s.care}, nil
}

// Limit is 1: a server locks the maildrop for the session that opened it (RFC
// 1939 section 4).
func (s *Source) Limit() int { return 1 }
