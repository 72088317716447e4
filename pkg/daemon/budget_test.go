package daemon_test

import (
	"errors"
	"testing"
	"time"

	"mailpull/pkg/config"
	"mailpull/pkg/daemon"
	"mailpull/pkg/pull"
)

// A run that may take little takes little, by both protocols, and the next ones
// bring the rest once.
func TestBudget(t *testing.T) {
	t.Parallel()
	for name, protocol := range map[string]config.Protocol{"imap": config.IMAP, "pop3": config.POP3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := service(t, hourly(t, protocol, "work", 3000))
			runs, brought := 0, 0
			for ; runs < 100; runs++ {
				out := daemon.Once(t.Context(), daemon.Options{Config: c, MaxBytes: 10_000})[0]
				brought += out.Result.New
				if out.Err == nil {
					break
				}
				if !errors.Is(out.Err, pull.ErrUnfinished) || out.Result.New == 0 || out.Result.Left != 3000-brought {
					t.Fatalf("run %d: %d new, %d left, %v", runs, out.Result.New, out.Result.Left, out.Err)
				}
			}
			if brought != 3000 || runs == 0 {
				t.Errorf("%d messages came in %d runs", brought, runs+1)
			}
		})
	}
}

// No time means that nothing is begun.
func TestNoTime(t *testing.T) {
	t.Parallel()
	c := service(t, hourly(t, config.IMAP, "work", 3))
	out := daemon.Once(t.Context(), daemon.Options{Config: c, MaxRuntime: time.Nanosecond})[0]
	if !errors.Is(out.Err, pull.ErrUnfinished) || out.Result.New != 0 {
		t.Errorf("got %d new, %v", out.Result.New, out.Err)
	}
}
