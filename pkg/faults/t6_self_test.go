package faults

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

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
	var hoard []byte // what a bug keeps
	for _, test := range []struct {
		name string
		c    t6Case
		bug  bent
		want string // a part of a problem
	}{
		{"a body ends at LF, dot, LF", bare, bent{fetch: otherBodies(func(b []byte) []byte {
			before, _, _ := bytes.Cut(b, []byte("\n.\n"))
			return before
		})}, "P3: not the bytes of"},
		{"each LF becomes CRLF", bare, bent{fetch: otherBodies(func(b []byte) []byte {
			return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
		})}, "P3: not the bytes of"},
		{"a message is not listed", t6Case{}, bent{listed: func(refs mail.Refs) mail.Refs {
			refs.UIDLs = refs.UIDLs[:max(0, len(refs.UIDLs)-1)]
			return refs
		}}, "complete, and not in the checkpoint"},
		{"another class", refused, bent{failed: func(err error) error { return io.ErrUnexpectedEOF }}, "got class local"},
		{"the server's text as it is", refused, bent{failed: say("\x1b[2J")}, `a text with '\x1b' in it`},
		{"a text without end", refused, bent{failed: say(strings.Repeat("x", 2000))}, "a text of"},
		{"the password in an error", refused, bent{failed: say(password)}, "a text with the password"},
		{"waits for nothing", t6Case{}, bent{opening: func() { time.Sleep(time.Minute) }}, "the pass took 1m0s"},
		{"takes memory", t6Case{heap: t6Room}, bent{opening: func() { hoard = make([]byte, 20<<20) }}, "KiB of memory more than before"},
		{"keeps what the case does not expect", t6Case{want: t6Want{class: mail.ClassServer, scope: mail.ScopeMessage}}, bent{}, "the pass is complete, want an error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer func() { runtime.KeepAlive(hoard) }()
			synctest.Test(t, func(t *testing.T) {
				problems := test.c.run(t, test.bug.over)
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
	if problems := t6Said(r, said); len(problems) > 0 {
		t.Error(problems)
	}
	for _, other := range []string{"z", "..x"} {
		if problems := t6Said(r, bytes.ReplaceAll(said, []byte(other), []byte("w"))); len(problems) != 1 {
			t.Errorf("without %q: %q", other, problems)
		}
	}
}
