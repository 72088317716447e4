// Package pop3 reads POP3 maildrops (RFC 1939) for pull. It owns the listing,
// the pipelining and the meaning of the server's answers; go-pop3 speaks the
// commands that have one line for an answer, and package wire lies beneath.
//
// The one thing to know: a message counts as read only when the strict end of
// its body was seen and the next answer on the connection was one. A server
// that forgets to double the dots of a mail would else cut it short unnoticed.
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
	return &Session{conn: conn, library: library}, nil
}

// Limit is 1: a server locks the maildrop for the session that opened it (RFC
// 1939 section 4).
func (s *Source) Limit() int { return 1 }
