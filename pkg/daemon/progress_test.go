package daemon

import (
	"testing"
	"testing/synctest"
	"time"
)

// A pass that does not move is noticed, one that moves or has ended is not.
func TestProgressStands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var p progress
		if still := p.still(time.Now()); still != 0 {
			t.Errorf("at rest it stands still for %s", still)
		}
		p.begin(time.Now())
		time.Sleep(time.Hour)
		if still := p.still(time.Now()); still != time.Hour {
			t.Errorf("got %s, want an hour", still)
		}
		for _, move := range []func(){func() { p.Received(1) }, func() { p.Planned("INBOX", 3) }, func() { p.Delivered("INBOX", 1) }} {
			time.Sleep(time.Hour)
			move()
			if still := p.still(time.Now()); still != 0 {
				t.Errorf("got %s after it moved", still)
			}
		}
		planned, done, bytes, began, ok := p.sum()
		if planned != 3 || done != 1 || bytes != 1 || !ok || time.Since(began) != 4*time.Hour {
			t.Errorf("got %d, %d, %d, %s, %t", planned, done, bytes, began, ok)
		}
		p.end()
		time.Sleep(time.Hour)
		if still := p.still(time.Now()); still != 0 {
			t.Errorf("got %s after the end", still)
		}
	})
}
