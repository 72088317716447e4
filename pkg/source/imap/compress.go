package imap

import (
	"errors"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

// compress has the server compress from now on what it sends, between two
// commands, if that pays and did not go wrong before. An error means that the
// session is dead.
func (f *fetch) compress() error {
	if f.compressed || len(f.flight) > 0 || !f.isMore() || f.care.isPlain() {
		return nil
	}
	if err := f.wire.Compress(f.ctx, f.speed.isSlow()); err != nil {
		f.care.bePlain()
		return err
	}
	f.compressed, f.plain = f.wire.Compressed(), f.well
	return nil
}

// isMore reports whether more is to be asked for.
func (f *fetch) isMore() bool {
	return len(f.single)+len(f.plan.rest)+len(f.alone) > 0
}

// blamesCompression reports whether a session may have ended because the server
// compresses badly: its stream was damaged, or nothing came of it. The next one
// does without, at once.
func (f *fetch) blamesCompression(dead *mail.Error) bool {
	if !f.compressed || f.well > f.plain && !errors.Is(dead.Err, wire.ErrDamaged) {
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
