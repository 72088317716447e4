package pull_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
)

// errDone ends a watch.
var errDone = errors.New("that was enough")

// restless is a source whose mailbox has another state each time it is asked,
// after a while.
type restless struct {
	pull.Session // nothing else is asked of it
	after        time.Duration
	asked        mail.UID
	aborted      bool
}

func (r *restless) Open(context.Context) (pull.Session, error) { return r, nil }
func (r *restless) Limit() int                                 { return 1 }
func (r *restless) Abort()                                     { r.aborted = true }

func (r *restless) Watch(ctx context.Context, _ mail.Mailbox, since mail.Status) (mail.Status, error) {
	if since.UIDNext != r.asked {
		return mail.Status{}, errors.New("the state before is not the last one")
	}
	time.Sleep(r.after)
	r.asked++
	return mail.Status{UIDNext: r.asked}, context.Cause(ctx)
}

// News is told at once while it comes now and then, and never more than three
// times in a quarter of a minute.
func TestWatchTellsNewsInMeasure(t *testing.T) {
	t.Parallel()
	const second = time.Second
	for _, c := range []struct {
		every time.Duration
		want  []time.Duration
	}{
		{0, []time.Duration{0, 0, 0, 15 * second, 15 * second, 15 * second, 30 * second, 30 * second, 30 * second}},
		{second, []time.Duration{second, 2 * second, 3 * second, 16 * second, 17 * second, 18 * second, 31 * second}},
		{5 * second, []time.Duration{5 * second, 10 * second, 15 * second, 20 * second, 25 * second, 30 * second}},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeoutCause(t.Context(), 31500*time.Millisecond, errDone)
			defer cancel()
			source := &restless{after: c.every}
			begin := time.Now()
			var got []time.Duration
			err := pull.Watch(ctx, pull.WatchOptions{
				Source: source, Mailbox: mail.Inbox, News: func() { got = append(got, time.Since(begin)) },
			})
			if !errors.Is(err, errDone) || !source.aborted {
				t.Errorf("every %s: ended with %v, aborted %t", c.every, err, source.aborted)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("every %s: news came after %v, want %v", c.every, got, c.want)
			}
		})
	}
}
