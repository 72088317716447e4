package imap

import (
	"errors"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

// compress has the server compress from now on what it sends, between two
// commands, if that pays and did not go wrong before. An error means that the
// session is dead.
func (f *fetch) compress() error {
	if len(f.flight) > 0 || !f.wantsCompression() {
		return nil
	}
	if err := f.wire.Compress(f.ctx); err != nil {
		if f.ctx.Err() == nil && f.alive.Err() == nil { // else we ended it
			f.care.bePlain()
		}
		return err
	}
	f.compressed = f.wire.Compressed()
	return nil
}

// wantsCompression reports whether the server is to be asked as soon as no command
// is in flight. No other is sent until then: on a slow line there is always one.
func (f *fetch) wantsCompression() bool {
	return !f.compressed && f.isMore() && !f.care.isPlain() && f.wire.MayCompress(f.speed.isSlow())
}

// isMore reports whether more is to be asked for.
func (f *fetch) isMore() bool {
	return len(f.single)+len(f.plan.rest)+len(f.alone) > 0
}

// blamesCompression reports whether a session may have ended because the server
// compresses badly: its stream was damaged, or nothing came of it in this or an
// earlier fetch. The next one does without, at once.
func (f *fetch) blamesCompression(dead *mail.Error) bool {
	if !f.compressed || f.inflated && !errors.Is(dead.Err, wire.ErrDamaged) {
		return false
	}
	f.care.bePlain()
	f.warnings.Warn("the server's compression is not used for a while", "for", believed, "cause", wire.Text(dead.Err.Error()))
	dead.Retry = mail.RetryNow
	return true
}

// bePlain has no session be compressed for a while.
func (c *care) bePlain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plain = time.Now().Add(believed)
}

// isPlain reports whether no session is to be compressed now.
func (c *care) isPlain() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Before(c.plain)
}
