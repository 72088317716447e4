package imap

import (
	"context"
	"errors"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

// compress has the server compress what so many messages bring, if that pays and
// did not go wrong before. An error means that the session is dead.
func (s *Session) compress(ctx context.Context, messages int) error {
	if s.care.isPlain() {
		return nil
	}
	if err := s.wire.Compress(ctx, messages); err != nil {
		dead := s.lost(ctx, opFetch, err)
		s.end()
		return dead
	}
	s.compressed = s.wire.Compressed()
	return nil
}

// blamesCompression reports whether a session may have ended because the server
// compresses badly: its stream was damaged, or nothing came of it. The next one
// does without, at once.
func (f *fetch) blamesCompression(dead *mail.Error) bool {
	if !f.compressed || f.well > 0 && !errors.Is(dead.Err, wire.ErrDamaged) {
		return false
	}
	f.care.bePlain()
	f.warnings.Warn("the server's compression is not used again in this pass", "cause", wire.Text(dead.Err.Error()))
	dead.Retry = mail.RetryNow
	return true
}

// bePlain has no later session be compressed.
func (c *care) bePlain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plain = true
}

// isPlain reports whether no session is to be compressed.
func (c *care) isPlain() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.plain
}
