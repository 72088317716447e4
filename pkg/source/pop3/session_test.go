package pop3

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
	"mailpull/pkg/wire"
)

// The suite of all sources, with a server that pipelines and one that does not.
func TestConforms(t *testing.T) {
	t.Parallel()
	for name, serial := range map[string]bool{"pipelined": false, "serial": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mailtest.TestSource(t, func(t *testing.T) pull.Source {
				drop := &maildrop{bodies: mailtest.SuiteBodies(), serial: serial}
				return pull.NewSource(drop.source(t, wire.Limits{}))
			})
		})
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	for _, serial := range []bool{false, true} {
		drop := &maildrop{bodies: fourMessages(), serial: serial}
		s, refs, status := open(t, drop.source(t, wire.Limits{}))
		if want := []mail.UIDL{"u1", "u2", "u3", "u4"}; !slices.Equal(refs.UIDLs, want) || refs.Mailbox != mail.Inbox {
			t.Errorf("got %+v, want %q", refs, want)
		}
		if want := (mail.Status{Messages: 4, Size: int64(len(strings.Join(fourMessages(), "")))}); status != want {
			t.Errorf("got %+v, want %+v", status, want)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if got, want := drop.commands(), []string{"STAT", "UIDL", "UIDL 1", "QUIT"}; !slices.Equal(got, want) {
			t.Errorf("sent %q, want %q", got, want)
		}
	}
}

func TestMailboxesIsInbox(t *testing.T) {
	t.Parallel()
	s, _, _ := open(t, (&maildrop{}).source(t, wire.Limits{}))
	boxes, err := s.Mailboxes(t.Context())
	if err != nil || len(boxes) != 1 || boxes[0].Name != mail.Inbox || boxes[0].Status != nil {
		t.Errorf("got %+v, %v", boxes, err)
	}
	_, _, err = s.Select(t.Context(), mail.Mailbox{Name: "Sent"})
	wantError(t, err, mail.ScopeMailbox, mail.ClassConfig, mail.RetryNever)
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("the session is dead: %v", err)
	}
}

// What the server may answer to STAT and UIDL, and what it costs.
func TestSelectRefuses(t *testing.T) {
	t.Parallel()
	const box, account = mail.ScopeMailbox, mail.ScopeAccount
	protocol, server, later, never := mail.ClassProtocol, mail.ClassServer, mail.RetryLater, mail.RetryNever
	long := strings.Repeat("x", maxUIDL+1)
	for _, test := range []struct {
		command, answer string
		scope           mail.Scope
		class           mail.Class
		retry           mail.Retry
		text            string
	}{
		{"STAT", "+OK\r\n", account, protocol, later, "without two numbers"},
		{"STAT", "+OK 2\r\n", account, protocol, later, "without two numbers"},
		{"STAT", "+OK two 5\r\n", account, protocol, later, `"two 5"`},
		{"STAT", "+OK -1 5\r\n", account, protocol, later, `"-1 5"`},
		{"STAT", "+OK 1000001 5\r\n", account, protocol, later, "1000001 messages"},
		{"STAT", "\r\n", account, protocol, later, "neither"},
		{"STAT", "-ERR [SYS/TEMP] later\r\n", account, server, later, "later"},
		{"STAT", "+OK 3 5\r\n", box, protocol, later, "STAT counts 3 messages and UIDL lists 2"},
		{"STAT", "+OK 1 5\r\n", box, protocol, later, "STAT counts 1 messages and UIDL lists 2"},
		{"UIDL", "-ERR what?\r\n", box, server, never, "what?"},
		{"UIDL", "-ERR [SYS/TEMP] later\r\n", box, server, later, "later"},
		{"UIDL", "-ERR [SYS/PERM] never\r\n", box, server, never, "never"},
		{"UIDL", "+OK\r\n.\r\n", box, protocol, later, "counts 2 messages and UIDL lists 0"},
		{"UIDL", "+OK\r\n1 a\r\n\r\n.\r\n", box, protocol, later, "line 2"},
		{"UIDL", "+OK\r\n1 a\r\n2\r\n.\r\n", box, protocol, later, "line 2"},
		{"UIDL", "+OK\r\n1 a\r\n2 \r\n.\r\n", box, protocol, later, "line 2"},
		{"UIDL", "+OK\r\n1 a\r\n2 " + long + "\r\n.\r\n", box, protocol, later, "1 to 512"},
		{"UIDL", "+OK\r\n1 a\r\n2 b c\r\n.\r\n", box, protocol, later, "no space"},
		{"UIDL", "+OK\r\n1 a\r\n2 b\x7f\r\n.\r\n", box, protocol, later, "printable"},
		{"UIDL", "+OK\r\n1 a\r\nx b\r\n.\r\n", box, protocol, later, "not a number"},
		{"UIDL", "+OK\r\n1 a\r\n-2 b\r\n.\r\n", box, protocol, later, "not a number"},
		{"UIDL", "+OK\r\n1 a\r\n99999999999999999999 b\r\n.\r\n", box, protocol, later, "not a number"},
		{"UIDL", "+OK\r\n0 a\r\n1 b\r\n.\r\n", box, protocol, later, "no message 0 among 2"},
		{"UIDL", "+OK\r\n1 a\r\n3 b\r\n.\r\n", box, protocol, later, "no message 3 among 2"},
		{"UIDL", "+OK\r\n1 a\r\n1 b\r\n.\r\n", box, protocol, later, "message 1 is listed twice"},
		{"UIDL", "+OK\r\n1 a\n2 b\r\n.\r\n", account, protocol, later, "does not end in CRLF"},
		{"UIDL", "+OK\r\n1 " + strings.Repeat("x", 4000) + "\r\n.\r\n", account, protocol, later, "more than 2048"},
	} {
		for _, serial := range []bool{false, true} {
			drop := &maildrop{bodies: []string{"a\r\n", "b\r\n"}, serial: serial, answers: map[string]string{
				test.command: test.answer, "QUIT": "-ERR in step\r\n",
			}}
			s, err := drop.source(t, wire.Limits{}).Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = s.Select(t.Context(), mail.Mailbox{Name: mail.Inbox})
			wantError(t, err, test.scope, test.class, test.retry)
			if err == nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%s %q: %v does not say %q", test.command, test.answer, err, test.text)
			}
			if err := s.Fetch(t.Context(), mail.Refs{UIDLs: []mail.UIDL{"a"}}, newReceiver()); err == nil {
				t.Errorf("%s %q: fetched without a listing", test.command, test.answer)
			}
			// After an error of the mailbox the next answer is that to QUIT.
			err = s.Close(t.Context())
			if inStep := strings.Contains(err.Error(), "in step"); inStep != (test.scope == box) {
				t.Errorf("%s %q: closing: %v", test.command, test.answer, err)
			}
		}
	}
}

// A listing that failed leaves none behind that was good before: refs of it
// would be taken for gone.
func TestFetchNeedsAListing(t *testing.T) {
	t.Parallel()
	drop := &maildrop{bodies: fourMessages(), answers: map[string]string{}}
	s, refs, _ := open(t, drop.source(t, wire.Limits{}))
	drop.answers["UIDL"] = "-ERR [SYS/TEMP] not now\r\n"
	if _, _, err := s.Select(t.Context(), mail.Mailbox{Name: mail.Inbox}); err == nil {
		t.Fatal("no error")
	}
	r := newReceiver()
	err := s.Fetch(t.Context(), refs, r)
	wantError(t, err, mail.ScopeAccount, mail.ClassLocal, mail.RetryLater)
	if len(r.events) != 0 {
		t.Errorf("got %q", r.events)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"-ERR what?\r\n": "this version needs it",
	} {
		drop := &maildrop{bodies: []string{"a\r\n", "b\r\n"}, answers: map[string]string{"UIDL": answer}}
		s, err := drop.source(t, wire.Limits{}).Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = s.Select(t.Context(), mail.Mailbox{Name: mail.Inbox})
		if hint := mail.ErrorHint(err); !strings.Contains(hint, want) {
			t.Errorf("%q: hint %q does not say %q", answer, hint, want)
		}
		s.Abort()
	}
}

// What servers really do and no rule forbids.
func TestSelectTolerates(t *testing.T) {
	t.Parallel()
	for _, answers := range []map[string]string{
		{"STAT": "+OK 2 10 (deleted 0)\r\n"},
		{"UIDL": "+OK 2 messages\r\n2 u2\r\n1 u1\r\n.\r\n"},
		{"UIDL": "+OK\r\n001 u1\r\n2 u2\r\n.\r\n", "UIDL 1": "+OK 001 u1\r\n"},
		{"UIDL": "+OK\r\n1 u1 \r\n 2  \tu2 \t\r\n.\r\n", "UIDL 1": "+OK 1 u1 \r\n"},
	} {
		drop := &maildrop{bodies: []string{"a\r\n", "b\r\n"}, answers: answers}
		s, refs, _ := open(t, drop.source(t, wire.Limits{}))
		r := newReceiver()
		if err := s.Fetch(t.Context(), refs, r); err != nil {
			t.Fatal(err)
		}
		if r.settled["u1"] != (outcome{"a\r\n", nil}) || r.settled["u2"] != (outcome{"b\r\n", nil}) {
			t.Errorf("%q: got %+v", answers, r.settled)
		}
	}
}

// RFC 1939 section 7 lets identical copies have one id. The first of them is
// fetched; that the others are not is told in each pass, and stops nothing.
func TestSameUniqueID(t *testing.T) {
	t.Parallel()
	for _, serial := range []bool{false, true} {
		drop := &maildrop{bodies: fourMessages(), uidls: []string{"a", "same", "same", "d"}, serial: serial}
		s, refs, _ := open(t, drop.source(t, wire.Limits{}))
		if want := []mail.UIDL{"a", "same", "d", "same again"}; !slices.Equal(refs.UIDLs, want) {
			t.Fatalf("listed %q, want %q", refs.UIDLs, want)
		}
		r := newReceiver()
		if err := s.Fetch(t.Context(), refs, r); err != nil {
			t.Fatal(err)
		}
		for uidl, body := range map[mail.UIDL]string{"a": drop.bodies[0], "same": drop.bodies[1], "d": drop.bodies[3]} {
			if r.settled[uidl] != (outcome{body, nil}) {
				t.Errorf("%q: got %+v", uidl, r.settled[uidl])
			}
		}
		err := r.settled["same again"].err
		wantError(t, err, mail.ScopeMessage, mail.ClassProtocol, mail.RetryLater)
		if !strings.Contains(fmt.Sprint(err), "messages 2 and 3 have the same unique-id") ||
			!strings.Contains(mail.ErrorHint(err), "one identity") {
			t.Errorf("got %v, %s", err, mail.ErrorHint(err))
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// Some servers repeat a command where an answer belongs.
func TestWrongLinesGiveNothingAway(t *testing.T) {
	t.Parallel()
	for command, answer := range map[string]string{
		"UIDL": "+OK\r\n1 PASS correct horse\r\n2 b\r\n.\r\n",
		"STAT": "+OK PASS correct horse\r\n",
	} {
		drop := &maildrop{bodies: []string{"a\r\n", "b\r\n"}, answers: map[string]string{command: answer}}
		s, err := drop.source(t, wire.Limits{}).Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = s.Select(t.Context(), mail.Mailbox{Name: mail.Inbox})
		if err == nil || !strings.Contains(err.Error(), "PASS") || strings.Contains(err.Error(), "horse") {
			t.Errorf("%s: got %v", command, err)
		}
		s.Abort()
	}
}

func TestCloseChecksTheAnswer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		answer string
		class  mail.Class
		retry  mail.Retry
	}{
		{"-ERR some messages not removed\r\n", mail.ClassServer, mail.RetryLater},
		{"", mail.ClassConnect, mail.RetryNow},
		{"bye\r\n", mail.ClassProtocol, mail.RetryLater},
		{"+OK\r\n+OK\r\n", mail.ClassProtocol, mail.RetryLater},
	} {
		drop := &maildrop{answers: map[string]string{"QUIT": test.answer}}
		s, _, _ := open(t, drop.source(t, wire.Limits{}))
		err := s.Close(t.Context())
		wantError(t, err, mail.ScopeAccount, test.class, test.retry)
		s.Abort()
	}
}

// Only QUIT makes a server act, so only a good end says it.
func TestAbortSaysNothing(t *testing.T) {
	t.Parallel()
	drop := &maildrop{}
	s, _, _ := open(t, drop.source(t, wire.Limits{}))
	s.Abort()
	if err := s.Close(t.Context()); err == nil {
		t.Error("an aborted session closed well")
	}
	if _, _, err := s.Select(t.Context(), mail.Mailbox{Name: mail.Inbox}); err == nil {
		t.Error("an aborted session selects")
	}
	if slices.Contains(drop.commands(), "QUIT") {
		t.Errorf("sent %q", drop.commands())
	}
}

func TestOpenErrorIsTheWires(t *testing.T) {
	t.Parallel()
	drop := &maildrop{answers: map[string]string{"CAPA": "nonsense\r\n"}}
	_, err := drop.source(t, wire.Limits{}).Open(t.Context())
	wantError(t, err, mail.ScopeAccount, mail.ClassProtocol, mail.RetryLater)
	var classified *mail.Error
	if !errors.As(err, &classified) || !strings.HasPrefix(classified.Op, "pop3 ") {
		t.Errorf("got %#v", err)
	}
}

// A listing of many messages is its strings and little more. The test is not
// parallel because it looks at everybody's heap.
func TestListingIsSmall(t *testing.T) {
	const messages = 100_000
	l := newListing(messages, wire.Text)
	before := heap()
	uidls := &column{listing: l}
	for i := range messages {
		uidls.add(fmt.Appendf(nil, "%d 0123456789abcdef%d", i+1, i))
	}
	if err := uidls.check(); err != nil {
		t.Fatal(err)
	}
	l.sort()
	uidls = nil
	used := int64(heap()-before) - messages*24 // a string's size class
	if used > 3<<20 {
		t.Errorf("%d KiB beyond the strings", used>>10)
	}
	runtime.KeepAlive(l)
}

// STAT can count as many messages as it likes: memory is for lines that came.
func TestListingGrows(t *testing.T) {
	t.Parallel()
	const messages = 300_000
	l := newListing(messages, wire.Text)
	near := &column{listing: l}
	near.add([]byte("2 u2"))
	near.add([]byte("1 u1"))
	if len(l.uidls) != firstReach {
		t.Errorf("room for %d messages behind two lines", len(l.uidls))
	}
	for i := 2; i < messages; i++ {
		near.add(fmt.Appendf(nil, "%d u%d", i+1, i+1))
	}
	if err := near.check(); err != nil {
		t.Fatal(err)
	}
	for i, uidl := range l.uidls {
		if uidl != mail.UIDL(fmt.Sprintf("u%d", i+1)) {
			t.Fatalf("message %d has unique-id %s", i+1, uidl)
		}
	}
	far := newListing(messages, wire.Text)
	uidls := &column{listing: far}
	uidls.add(fmt.Appendf(nil, "%d x", messages))
	if len(far.uidls) > 0 || uidls.err == nil {
		t.Errorf("a first line about the last message: %v, room for %d messages", uidls.err, len(far.uidls))
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
