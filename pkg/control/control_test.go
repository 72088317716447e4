package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"mailpull/pkg/mail"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a daemon that notes what it was asked, and answers as its fields say.
type fake struct {
	mu    sync.Mutex
	asked []string
	err   error

	// hold makes a Pull that waits wait for its context, and is closed when
	// it does.
	hold chan struct{}
}

func (f *fake) note(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, what)
	return f.err
}

func (f *fake) heard() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.asked...)
}

func (f *fake) Pull(ctx context.Context, accounts []string, wait bool) ([]Report, error) {
	if err := f.note(fmt.Sprint("pull ", accounts, wait)); err != nil {
		return nil, err
	}
	if wait && f.hold != nil {
		close(f.hold)
		<-ctx.Done()
		_ = f.note(fmt.Sprint("ended: ", context.Cause(ctx)))
		return nil, ctx.Err()
	}
	return []Report{{
		Account: "work", State: StatePartial, New: 3, Bytes: 4711, Missing: 2, Quarantined: 1,
		Class: mail.ClassTimeout, Error: "imap fetch: nothing came", Hint: "wait",
	}}, nil
}

func (f *fake) Pause(_ context.Context, accounts []string) error {
	return f.note(fmt.Sprint("pause ", accounts))
}

func (f *fake) Resume(_ context.Context, accounts []string) error {
	return f.note(fmt.Sprint("resume ", accounts))
}

func (f *fake) Reload(context.Context) error { return f.note("reload") }

func (f *fake) Status(context.Context) (json.RawMessage, error) {
	return json.RawMessage(`{"accounts":[]}`), f.note("status")
}

// socketPath returns a path for a socket that is gone with the test. The name of
// a test would make t.TempDir's too long.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "control")
}

// start serves h until the test ends.
func start(t *testing.T, h Handler, log *slog.Logger) (path string) {
	t.Helper()
	path = socketPath(t)
	s, err := Listen(Options{Path: path, Handler: h, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return path
}

func dial(t *testing.T, path string) *Client {
	t.Helper()
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCommands(t *testing.T) {
	t.Parallel()
	f := &fake{}
	c := dial(t, start(t, f, nil))
	ctx := t.Context()

	reports, err := c.Pull(ctx, []string{"work", "isp"}, true)
	want := []Report{{
		Account: "work", State: StatePartial, New: 3, Bytes: 4711, Missing: 2, Quarantined: 1,
		Class: mail.ClassTimeout, Error: "imap fetch: nothing came", Hint: "wait",
	}}
	if err != nil || !reflect.DeepEqual(reports, want) {
		t.Errorf("pull: got %+v, %v, want %+v", reports, err, want)
	}
	for name, err := range map[string]error{
		"pause": c.Pause(ctx, []string{"work"}), "resume": c.Resume(ctx, nil), "reload": c.Reload(ctx),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if status, err := c.Status(ctx); err != nil || string(status) != `{"accounts":[]}` {
		t.Errorf("status: got %s, %v", status, err)
	}
	heard := strings.Join(f.heard(), "; ")
	for _, want := range []string{"pull [work isp] true", "pause [work]", "resume []", "reload", "status"} {
		if !strings.Contains(heard, want) {
			t.Errorf("the daemon heard %q, want %q in it", heard, want)
		}
	}
}

// What a handler returns is what the client's caller can test and print.
func TestErrorsCrossTheSocket(t *testing.T) {
	t.Parallel()
	t.Run("unknown account", func(t *testing.T) {
		t.Parallel()
		c := dial(t, start(t, &fake{err: fmt.Errorf("pause: %w", &UnknownAccountError{Account: "wrok"})}, nil))
		err := c.Pause(t.Context(), []string{"wrok"})
		var unknown *UnknownAccountError
		if !errors.As(err, &unknown) || unknown.Account != "wrok" || !errors.Is(err, ErrUnknownAccount) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("classified", func(t *testing.T) {
		t.Parallel()
		c := dial(t, start(t, &fake{err: &mail.Error{
			Op: "config", Class: mail.ClassConfig, Retry: mail.RetryNever, Hint: "mend it", Err: errors.New("line 3"),
		}}, nil))
		err := c.Reload(t.Context())
		if err == nil || err.Error() != "daemon reload: config: line 3" || mail.ErrorHint(err) != "mend it" ||
			mail.ErrorClass(err) != mail.ClassConfig || mail.ErrorRetry(err) != mail.RetryNever {
			t.Errorf("got %#v", err)
		}
	})
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		c := dial(t, start(t, &fake{err: errors.New("no")}, nil))
		_, err := c.Status(t.Context())
		if err == nil || err.Error() != "daemon status: no" || mail.ErrorRetry(err) != mail.RetryLater {
			t.Errorf("got %#v", err)
		}
	})
}

type panicking struct{ fake }

func (*panicking) Reload(context.Context) error { panic("bad day") }

func (*panicking) Status(context.Context) (json.RawMessage, error) { return json.RawMessage(`{`), nil }

// A bug in one command is told to whoever gave it, and the socket lives on.
func TestBugs(t *testing.T) {
	t.Parallel()
	var log lines
	c := dial(t, start(t, &panicking{}, slog.New(slog.NewTextHandler(&log, nil))))
	if err := c.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "a bug in the daemon") {
		t.Errorf("got %v", err)
	}
	if got := log.String(); !strings.Contains(got, `err="bad day"`) || !strings.Contains(got, "stack=") {
		t.Errorf("logged %q", got)
	}
	if _, err := c.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "the status is not JSON") {
		t.Errorf("got %v", err)
	}
	if err := c.Pause(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// lines is a log that many goroutines write.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A client that goes away ends the wait of its command.
func TestClientGoesAway(t *testing.T) {
	t.Parallel()
	f := &fake{hold: make(chan struct{})}
	path := socketPath(t)
	s, err := Listen(Options{Path: path, Handler: f})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { // ends when the handler waits
		<-f.hold
		cancel()
	}()
	if _, err := dial(t, path).Pull(ctx, nil, true); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	s.pending.Wait()
	if heard := f.heard(); heard[len(heard)-1] != "ended: context canceled" {
		t.Errorf("the daemon heard %q", heard)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// A daemon that stops says so to those who wait, and takes its socket away.
func TestCloseEndsTheWait(t *testing.T) {
	t.Parallel()
	f := &fake{hold: make(chan struct{})}
	path := socketPath(t)
	s, err := Listen(Options{Path: path, Handler: f})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, path)
	closed := make(chan error, 1) // the test waits for it below
	go func() {
		<-f.hold
		closed <- s.Close(context.Background())
	}()
	if _, err := c.Pull(t.Context(), nil, true); !errors.Is(err, ErrStopping) {
		t.Errorf("got %v, want ErrStopping", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := c.Reload(t.Context()); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("after Close: got %v, want ErrNoDaemon", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

type deaf struct {
	fake
	in, out chan struct{}
}

func (d *deaf) Reload(context.Context) error {
	close(d.in)
	<-d.out
	return nil
}

// Close does not wait longer than it was told for a handler that does not heed
// its context.
func TestCloseGivesUp(t *testing.T) {
	t.Parallel()
	d := &deaf{in: make(chan struct{}), out: make(chan struct{})}
	path := socketPath(t)
	s, err := Listen(Options{Path: path, Handler: d})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, path)
	asked := make(chan error, 1) // the test waits for it below
	go func() { asked <- c.Reload(context.Background()) }()
	<-d.in
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := <-asked; err == nil {
		t.Error("the client was told that it was done")
	}
	close(d.out)
}
