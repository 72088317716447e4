package imap

import (
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// What a command asks for follows the line, within bounds.
func TestRate(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name  string
		bytes int64         // of each body
		every time.Duration // between two bodies
		n     int
		want  int64
	}{
		{"nothing came", 0, 0, 0, firstBytes},
		{"1 Mbit/s", 12_500, 100 * time.Millisecond, 30, 250_000},
		{"1 Mbit/s, before a span is over", 12_500, 100 * time.Millisecond, 3, 250_000},
		{"modem", 600, 100 * time.Millisecond, 100, minBytes},
		{"one body in a minute", 7_500_000, time.Minute, 1, 250_000},
		{"1 Gbit/s", 125_000, time.Millisecond, 30, wantBytes},
		{"all at once", 100_000, 0, 1, wantBytes},
	} {
		var r rate
		r.begin(start)
		now := start
		for range tt.n {
			now = now.Add(tt.every)
			r.took(tt.bytes, now)
		}
		if got := r.want(now); got != tt.want {
			t.Errorf("%s: the next command asks for %d bytes, want %d", tt.name, got, tt.want)
		}
	}
}

// The last span counts, not the time before it: a line that gets slow or fast is
// noticed within one. A break between two fetches is no part of any.
func TestRateFollowsTheLine(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	var r rate
	r.begin(now)
	span := func(bytes int64) {
		for range 10 {
			now = now.Add(rateSpan / 10)
			r.took(bytes/10, now)
		}
	}
	span(500_000)
	span(50_000)
	if got := r.want(now); got != 100_000 {
		t.Errorf("it slowed down: %d", got)
	}
	span(500_000)
	if got := r.want(now); got != 1_000_000 {
		t.Errorf("it came back: %d", got)
	}
	now = now.Add(time.Hour)
	r.begin(now)
	if got := r.want(now); got != 1_000_000 {
		t.Errorf("after a break: %d", got)
	}
}

// slowLine is 1 Mbit/s with a round trip of 300 ms.
func slowLine() *mailtest.Line { return &mailtest.Line{Rate: 125_000, Delay: 150 * time.Millisecond} }

// onSlowLine returns a mailbox with n messages behind a slow line.
func onSlowLine(n, size int) *line {
	bodies := make([]string, n)
	for i := range bodies {
		bodies[i] = noise(size + i)
	}
	l := newLine(bodies...)
	l.Line = slowLine()
	return l
}

// Over a slow line messages of any size come without a time-out, in the time that
// the line takes for their bytes and one in ten more.
func TestSlowLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ n, size int }{{4000, 1000}, {300, 20_000}, {20, 300_000}, {1, 12 << 20}} {
		synctest.Test(t, func(t *testing.T) {
			l := onSlowLine(tt.n, tt.size)
			began := time.Now()
			b, err := l.fetch(t, t.Context())
			if err != nil || len(b.whole) != tt.n {
				t.Fatalf("%d of %d messages of %d bytes came, %v", len(b.whole), tt.n, tt.size, err)
			}
			took := time.Since(began)
			ideal := time.Duration(l.Sent()) * time.Second / 125_000
			t.Logf("%d messages of %d bytes: %s, the line takes %s", tt.n, tt.size, took.Round(time.Millisecond), ideal.Round(time.Millisecond))
			if took > ideal+ideal/10+10*300*time.Millisecond {
				t.Errorf("%d messages of %d bytes: it took %s, the line takes %s", tt.n, tt.size, took, ideal)
			}
			l.Wait()
		})
	}
}

// A cut costs no more than the few commands whose answers were on their way.
func TestSlowLineCut(t *testing.T) {
	t.Parallel()
	const size, at = 20_000, 5_000_000
	synctest.Test(t, func(t *testing.T) {
		l := onSlowLine(400, size)
		l.Cut(at, mailtest.EndReset)
		b, err := l.fetch(t, t.Context())
		if mail.ErrorClass(err) != mail.ClassConnect {
			t.Errorf("the fetch ended with %v", err)
		}
		lost := at - len(b.whole)*size
		t.Logf("%d bytes of %d were lost", lost, at)
		if most := int(2 * commandTime.Seconds() * 125_000); lost > most {
			t.Errorf("%d bytes were lost, want at most %d", lost, most)
		}
		l.Wait()
	})
}
