package imap

import (
	"context"
	"log/slog"

	"mailpull/pkg/wire"
)

// maxSessions is how many connections an account may use at once. Gmail
// allows 15, Dovecot 10 by default; other clients of the account need some.
const maxSessions = 10

// Options is what a Source needs.
type Options struct {
	// Wire says where the server is, how to reach it and how to sign in.
	Wire wire.Options

	// Log takes what is odd and harmless; nil means that nobody reads it. It
	// should carry the account's name.
	Log *slog.Logger
}

// Source is the server side of one IMAP account. Its methods may be called
// from several goroutines.
type Source struct {
	options Options
	care    care
}

// New returns the source of an account. It does no I/O.
func New(o Options) *Source {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Wire.Limits = o.Wire.Limits.WithDefaults()
	return &Source{options: o}
}

// Open implements pull.Source.
func (s *Source) Open(ctx context.Context) (*Session, error) {
	conn, err := wire.OpenIMAP(ctx, s.options.Wire)
	if err != nil {
		return nil, err
	}
	alive, end := context.WithCancel(context.Background())
	return &Session{
		source:   s,
		alive:    alive,
		ended:    end,
		wire:     conn,
		client:   newClient(conn.Conn()),
		warnings: wire.NewWarnings(s.options.Log),
		limits:   s.options.Wire.Limits,
		care:     &s.care,
	}, nil
}

// Limit implements pull.Source.
func (s *Source) Limit() int { return maxSessions }
