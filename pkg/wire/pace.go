package wire

import (
	"time"

	"golang.org/x/time/rate"
)

// Pace is a limit of bytes per second that any number of connections share. Its
// methods may be called from any goroutine.
type Pace struct{ limiter *rate.Limiter }

// paceGrain is how much of a second's bytes one read takes at most: so a
// connection that is to be closed is, within a moment.
const paceGrain = 4

// NewPace returns a limit, or nil, which is none, for 0.
func NewPace(bytesPerSecond int64) *Pace {
	if bytesPerSecond <= 0 {
		return nil
	}
	burst := max(1, int(min(bytesPerSecond/paceGrain, streamBuffer)))
	return &Pace{rate.NewLimiter(rate.Limit(bytesPerSecond), burst)}
}

// most is how many bytes may be read at once.
func (p *Pace) most() int { return p.limiter.Burst() }

// took waits for as long as n bytes have to take, and returns how long that was.
// n is at most most.
func (p *Pace) took(n int) time.Duration {
	if n <= 0 {
		return 0
	}
	delay := p.limiter.ReserveN(time.Now(), n).Delay()
	time.Sleep(delay)
	return delay
}
