package faults

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

// t6Broken is a source with one bug.
type t6Broken struct {
	pull.Source
	body   func(body []byte) []byte
	hide   int // messages at the end of the list
	failed func(error) error
	delay  time.Duration
	hoard  int // bytes kept when the session opens
	kept   []byte
}

// Open implements pull.Source.
func (b *t6Broken) Open(ctx context.Context) (pull.Session, error) {
	time.Sleep(b.delay) // of the bubble's clock
	b.kept = make([]byte, b.hoard)
	s, err := b.Source.Open(ctx)
	if err != nil {
		return nil, b.failure(err)
	}
	return &t6BrokenSession{s, b}, nil
}

func (b *t6Broken) failure(err error) error {
	if err == nil || b.failed == nil {
		return err
	}
	return b.failed(err)
}

type t6BrokenSession struct {
	pull.Session
	bug *t6Broken
}

// Select implements pull.Session.
func (s *t6BrokenSession) Select(ctx context.Context, box mail.Mailbox) (mail.Refs, mail.Status, error) {
	refs, status, err := s.Session.Select(ctx, box)
	refs.UIDLs = refs.UIDLs[:max(0, len(refs.UIDLs)-s.bug.hide)]
	return refs, status, s.bug.failure(err)
}

// Fetch implements pull.Session.
func (s *t6BrokenSession) Fetch(ctx context.Context, refs mail.Refs, r mail.Receiver) error {
	return s.bug.failure(s.Session.Fetch(ctx, refs, t6BrokenReceiver{r, s.bug}))
}

type t6BrokenReceiver struct {
	mail.Receiver
	bug *t6Broken
}

// Body implements mail.Receiver.
func (r t6BrokenReceiver) Body(ref mail.Ref, size int64, body io.Reader) error {
	if r.bug.body == nil {
		return r.Receiver.Body(ref, size, body)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	return r.Receiver.Body(ref, size, bytes.NewReader(r.bug.body(data)))
}

// The suite notices a stack that is broken on purpose, in the ways of the
// library among others. Each bug has a case that it gets past no more.
func TestT6NoticesBugs(t *testing.T) {
	bare := t6Case{name: "bare LF", drop: mailtest.POP3Messages("Subject: x\r\n\r\na\n.\nb\r\n")}
	refused := t6Case{
		name: "refused", says: map[string]string{t6Response: "-ERR no\r\n"},
		want: t6Want{class: mail.ClassAuth, scope: mail.ScopeAccount, retry: mail.RetryNever},
	}
	say := func(text string) func(error) error {
		return func(err error) error {
			return &mail.Error{Op: "x", Scope: mail.ErrorScope(err), Class: mail.ErrorClass(err), Retry: mail.ErrorRetry(err), Err: fmt.Errorf("%s", text)}
		}
	}
	for _, test := range []struct {
		name string
		c    t6Case
		bug  t6Broken
		want string // a part of a problem
	}{
		{"a body ends at LF, dot, LF", bare, t6Broken{body: func(b []byte) []byte {
			before, _, _ := bytes.Cut(b, []byte("\n.\n"))
			return before
		}}, "P3: not the bytes of"},
		{"each LF becomes CRLF", bare, t6Broken{body: func(b []byte) []byte {
			return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
		}}, "P3: not the bytes of"},
		{"a message is not listed", t6Case{}, t6Broken{hide: 1}, "complete, and not in the checkpoint"},
		{"another class", refused, t6Broken{failed: func(err error) error { return io.ErrUnexpectedEOF }}, "got class local"},
		{"the server's text as it is", refused, t6Broken{failed: say("\x1b[2J")}, `a text with '\x1b' in it`},
		{"a text without end", refused, t6Broken{failed: say(strings.Repeat("x", 2000))}, "a text of"},
		{"the password in an error", refused, t6Broken{failed: say(password)}, "a text with the password"},
		{"waits for nothing", t6Case{}, t6Broken{delay: time.Minute}, "the pass took 1m0s"},
		{"takes memory", t6Case{heap: t6Room}, t6Broken{hoard: 20 << 20}, "KiB of memory more than before"},
		{"keeps what the case does not expect", t6Case{want: t6Want{class: mail.ClassServer, scope: mail.ScopeMessage}}, t6Broken{}, "the pass is complete, want an error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				problems := test.c.run(t, func(s pull.Source) pull.Source {
					test.bug.Source = s
					return &test.bug
				})
				if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, test.want) }) {
					t.Errorf("the suite says %q, want %q", problems, test.want)
				}
			})
		})
	}
}

// The judge of the fuzz target notices a file that was not said.
func TestT6FuzzNoticesBytes(t *testing.T) {
	t.Parallel()
	said := t6Seed("+OK\r\n..x\r\n.\r\n", "+OK 1 a\r\n", "+OK\r\ny\n.\nz\r\n.\r\n", "+OK 2 b\r\n", "+OK\r\n")
	r := newRig(pop3Source, &mailtest.Link{Serve: t6Play(said)})
	if result, err := r.pass(t.Context()); err != nil || result.New != 2 {
		t.Fatalf("%d messages, %v", result.New, err)
	}
	r.link.Wait()
	if problems := t6Said(r, said); len(problems) > 0 {
		t.Error(problems)
	}
	for _, other := range []string{"z", "..x"} {
		if problems := t6Said(r, bytes.ReplaceAll(said, []byte(other), []byte("w"))); len(problems) != 1 {
			t.Errorf("without %q: %q", other, problems)
		}
	}
}
