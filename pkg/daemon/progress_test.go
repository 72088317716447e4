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
		o := p.begin(time.Now())
		time.Sleep(time.Hour)
		if still := p.still(time.Now()); still != time.Hour {
			t.Errorf("got %s, want an hour", still)
		}
		for _, move := range []func(){func() { o.Received(1) }, func() { o.Planned("INBOX", 3, 30) }, func() { o.Delivered("INBOX", 1) }} {
			time.Sleep(time.Hour)
			move()
			if still := p.still(time.Now()); still != 0 {
				t.Errorf("got %s after it moved", still)
			}
		}
		s, began, ok := p.standing()
		if s.Planned != 3 || s.Done != 1 || s.Bytes != 1 || s.LeftBytes != 20 || !ok || time.Since(began) != 4*time.Hour {
			t.Errorf("got %+v, %s, %t", s, began, ok)
		}
		p.end()
		time.Sleep(time.Hour)
		if still := p.still(time.Now()); still != 0 {
			t.Errorf("got %s after the end", still)
		}
	})
}
