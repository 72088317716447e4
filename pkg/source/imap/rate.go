package imap

import "time"

const (
	// commandTime is how long one command should keep the line busy: with
	// maxInFlight of them more than any round trip, and no more than a cut of the
	// connection may cost.
	commandTime = 2 * time.Second

	// firstBytes is how much the first commands ask for, before anything is known
	// of the line. Four of them are eight seconds of 1 Mbit/s.
	firstBytes = 256 << 10

	// minBytes is the least that a command asks for, however slow the line is.
	minBytes = 16 << 10

	// rateSpan is how long the speed of a line is measured anew, unless wantBytes
	// came before.
	rateSpan = time.Second

	// slowBytes is below how many bytes per second a server is asked to compress.
	// Over a faster line mail can come sooner than a busy server compresses it.
	slowBytes = 2 << 20
)

// rate measures how fast bodies come over one session. What it is told is when,
// so it has no clock of its own.
type rate struct {
	since     time.Time // when the span began
	bytes     int64     // in it
	perSecond int64     // in the last whole span, 0: there was none
}

// begin says that bodies were asked for: what was before is no part of the span.
func (r *rate) begin(now time.Time) { r.since, r.bytes = now, 0 }

// took says that a body of n bytes has come.
func (r *rate) took(n int64, now time.Time) {
	r.bytes += n
	if span := now.Sub(r.since); span >= rateSpan || r.bytes >= wantBytes {
		r.perSecond = r.over(span)
		r.begin(now)
	}
}

// isSlow reports whether the line was found to be slow.
func (r *rate) isSlow() bool { return r.perSecond > 0 && r.perSecond < slowBytes }

// over returns the speed of the bytes in hand over a span.
func (r *rate) over(span time.Duration) int64 {
	return int64(float64(r.bytes) / max(span, time.Millisecond).Seconds())
}

// want returns how many bytes the next command should bring. Before a span is
// over the bytes of the first one have to do: on a fast line many come within a
// moment.
func (r *rate) want(now time.Time) int64 {
	speed := r.perSecond
	if speed == 0 {
		if r.bytes == 0 {
			return firstBytes
		}
		speed = r.over(now.Sub(r.since))
	}
	return min(max(minBytes, int64(float64(speed)*commandTime.Seconds())), wantBytes)
}
