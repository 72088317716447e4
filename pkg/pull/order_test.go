package pull_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

// drop is a POP3 server that lists in part whenever it may. Its mark is always
// the same: it has proof of nothing.
type drop struct {
	uidls []string
	since []int // for each Select what it was given: how many messages, or -1
	whole bool  // it never lists in part
	bad   string
}

func (d *drop) Limit() int                                 { return 1 }
func (d *drop) Open(context.Context) (pull.Session, error) { return &dropSession{d}, nil }

type dropSession struct{ *drop }

func (s *dropSession) Mailboxes(context.Context) ([]mail.Mailbox, error) {
	return []mail.Mailbox{{Name: mail.Inbox}}, nil
}

func (s *dropSession) Select(_ context.Context, box mail.Mailbox) (mail.Refs, mail.Status, error) {
	refs := mail.Refs{Mailbox: mail.Inbox}
	given := -1
	if box.Since != nil {
		given = box.Since.Messages
		if box.Since.Mark != 5 {
			given = -5
		}
	}
	if s.since = append(s.since, given); given >= 0 && given <= len(s.uidls) && !s.whole {
		refs.Rest = given
	}
	for _, uidl := range s.uidls[refs.Rest:] {
		refs.UIDLs = append(refs.UIDLs, mail.UIDL(uidl))
	}
	return refs, mail.Status{Messages: len(s.uidls), Size: int64(len(s.uidls)), Mark: 5}, nil
}

func (s *dropSession) Fetch(_ context.Context, refs mail.Refs, r mail.Receiver) error {
	for ref := range refs.All {
		if string(ref.UIDL) == s.bad {
			e := &mail.Error{Op: "fake", Scope: mail.ScopeMessage, Class: mail.ClassServer, Err: errors.New("bad")}
			if err := r.Settle(mail.Item{Ref: ref}, e); err != nil {
				return err
			}
			continue
		}
		if err := r.Body(ref, -1, strings.NewReader(string(ref.UIDL)+"\r\n")); err != nil {
			return err
		}
		if err := r.Settle(mail.Item{Ref: ref}, nil); err != nil {
			return err
		}
	}
	return r.Settled()
}

func (s *dropSession) Older(context.Context, time.Time) (mail.UIDSet, error) {
	return nil, mail.ErrNoDates
}

func (s *dropSession) Close(context.Context) error { return nil }
func (s *dropSession) Abort()                      {}

// dropWorld is a world with a drop for a source.
func dropWorld(messages int) (*drop, func(t *testing.T) (pull.Result, []int), *mailtest.Store) {
	d := &drop{}
	for i := range messages {
		d.uidls = append(d.uidls, fmt.Sprint("u", i))
	}
	w := newWorld()
	return d, func(t *testing.T) (pull.Result, []int) {
		t.Helper()
		d.since = nil
		r, err := w.run(t.Context(), nil, func(o *pull.Options) { o.Source = d })
		if err != nil && d.bad == "" {
			t.Fatal(err)
		}
		return r, d.since
	}, w.store
}

// Once all is archived, what stood there is not listed again for a day, and the
// result counts it all the same.
func TestListingInPart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, run, store := dropWorld(3)
		for _, step := range []struct {
			wait time.Duration
			add  string
			want []int
		}{
			{0, "", []int{-1}}, // nothing is known
			{0, "", []int{3}},
			{time.Hour, "a", []int{3}},
			{time.Hour, "b", []int{4}},
			{21*time.Hour + 59*time.Minute, "", []int{5}},
			{time.Minute, "c", []int{-1}}, // a day after all were listed
			{time.Hour, "", []int{6}},
		} {
			time.Sleep(step.wait)
			if step.add != "" {
				d.uidls = append(d.uidls, step.add)
			}
			r, since := run(t)
			if !slices.Equal(since, step.want) {
				t.Errorf("%+v: selected since %v", step, since)
			}
			if m := r.Mailboxes[0]; m.Server != len(d.uidls) || m.Archived != len(d.uidls) || !r.Complete {
				t.Errorf("%+v: %+v", step, m)
			}
		}
		if got := len(store.Bodies(mail.Inbox)); got != 6 {
			t.Errorf("%d messages in the archive", got)
		}
	})
}

// A message that came in the middle is overlooked for a day and no longer, and
// from then on all are listed in each pass.
func TestOrderThatIsNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, run, store := dropWorld(3)
		run(t)
		d.uidls = slices.Insert(d.uidls, 1, "middle")[:4]
		d.uidls = slices.Delete(d.uidls, 3, 4) // one went, as many bytes came
		if _, since := run(t); !slices.Equal(since, []int{3}) {
			t.Errorf("selected since %v", since)
		}
		time.Sleep(24 * time.Hour)
		for range 3 {
			if r, since := run(t); !slices.Equal(since, []int{-1}) || !r.Complete {
				t.Errorf("selected since %v", since)
			}
			time.Sleep(time.Hour)
		}
		if got := store.Bodies(mail.Inbox); !slices.Contains(got, "middle\r\n") {
			t.Errorf("the archive has %q", got)
		}
	})
}

// Known messages among the new ones show that something is wrong: all are
// listed at once.
func TestKnownAmongNew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, run, store := dropWorld(3)
		run(t)
		d.uidls = slices.Insert(d.uidls, 0, "first")
		if r, since := run(t); !slices.Equal(since, []int{3, -1}) || !r.Complete {
			t.Errorf("selected since %v", since)
		}
		if _, since := run(t); !slices.Equal(since, []int{-1}) {
			t.Errorf("then selected since %v", since)
		}
		if got := store.Bodies(mail.Inbox); !slices.Contains(got, "first\r\n") {
			t.Errorf("the archive has %q", got)
		}
	})
}

// A message in quarantine is found by listing all.
func TestNoPartWithQuarantine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, run, _ := dropWorld(3)
		d.bad = "u1"
		for range 3 {
			if _, since := run(t); slices.ContainsFunc(since, func(n int) bool { return n != -1 }) {
				t.Errorf("selected since %v", since)
			}
			time.Sleep(10 * time.Minute) // sooner than the next try
		}
		d.bad = ""
		time.Sleep(8 * 24 * time.Hour)
		run(t)
		if _, since := run(t); !slices.Equal(since, []int{3}) {
			t.Errorf("selected since %v", since)
		}
	})
}

// A session need not list in part.
func TestPartIsAnOffer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, run, _ := dropWorld(3)
		d.whole = true
		run(t)
		for range 2 {
			if r, since := run(t); !slices.Equal(since, []int{3}) || !r.Complete || r.New != 0 {
				t.Errorf("selected since %v, %+v", since, r)
			}
		}
	})
}
