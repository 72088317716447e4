package pull_test

import (
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
)

// The speed is that of the last minute, and what is left follows it.
func TestProgressSpeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pull.NewProgress()
		p.Planned("INBOX", 1000, 1_000_000)
		if s := p.Standing(); s.Rate != 0 || s.LeftBytes != 1_000_000 || s.Left() != 0 {
			t.Errorf("at the start: got %+v, %v", s, s.Left())
		}
		second := func(messages int) {
			time.Sleep(time.Second)
			p.Received(messages * 1000)
			p.Delivered("INBOX", messages)
		}
		for range 300 { // fast for five minutes
			second(2)
		}
		if s := p.Standing(); s.Rate != 2000 || s.Left() != 200*time.Second {
			t.Errorf("fast: got %+v, %v", s, s.Left())
		}
		for range 60 { // slow for one
			second(1)
		}
		if s := p.Standing(); s.Rate != 1000 || s.LeftBytes != 340_000 || s.Left() != 340*time.Second {
			t.Errorf("slow: got %+v, %v", s, s.Left())
		}
		time.Sleep(2 * time.Minute)
		if s := p.Standing(); s.Rate != 0 || s.Left() != 0 {
			t.Errorf("still: got %+v, %v", s, s.Left())
		}
	})
}

// Where the server tells no sizes, those that came stand for the others; a large
// message in hand counts as far as it came; and what a mailbox was given up with
// is not left.
func TestProgressLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pull.NewProgress()
		p.Planned("INBOX", 10, 0)
		time.Sleep(time.Second)
		if s := p.Standing(); s.LeftBytes != 0 || s.Left() != 0 {
			t.Errorf("nothing is known: got %+v, %v", s, s.Left())
		}
		p.Received(500)
		p.Delivered("INBOX", 5)
		if s := p.Standing(); s.LeftBytes != 500 || s.Left() != time.Second {
			t.Errorf("half: got %+v, %v", s, s.Left())
		}
		p.Planned("INBOX", 5, 0) // the connection was lost
		p.Planned("Large", 1, 10_000)
		p.Received(4000)
		if s := p.Standing(); s.Planned != 11 || s.Done != 5 || s.LeftBytes >= 11_000 {
			t.Errorf("in hand: got %+v", s)
		}
		p.Done(mail.MailboxResult{Mailbox: "INBOX"})
		p.Done(mail.MailboxResult{Mailbox: "Large"})
		if s := p.Standing(); s.Planned != 5 || s.Done != 5 || s.LeftBytes != 0 || s.Left() != 0 {
			t.Errorf("at the end: got %+v, %v", s, s.Left())
		}
	})
}

// Two passes are told as one.
func TestStandingPlus(t *testing.T) {
	t.Parallel()
	s := pull.Standing{Planned: 10, Done: 5, Bytes: 100, Rate: 10, Pace: 1, LeftBytes: 100}
	if got := s.Plus(s); got.Planned != 20 || got.Rate != 20 || got.LeftBytes != 200 || got.Left() != 10*time.Second {
		t.Errorf("got %+v, %v", got, got.Left())
	}
	if got := (pull.Standing{Planned: 1 << 60, LeftBytes: 1 << 62, Rate: 0.001}).Left(); got != 100*365*24*time.Hour {
		t.Errorf("got %v", got)
	}
}
