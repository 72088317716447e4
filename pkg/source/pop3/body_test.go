package pop3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

func TestFetch(t *testing.T) {
	t.Parallel()
	for _, serial := range []bool{false, true} {
		drop := &maildrop{bodies: fourMessages(), serial: serial}
		s, refs, _ := open(t, drop.source(t, wire.Limits{}))
		r := newReceiver()
		if err := s.Fetch(t.Context(), refs, r); err != nil {
			t.Fatal(err)
		}
		for i, body := range fourMessages() {
			if got := r.settled[drop.uidl(i)]; got != (outcome{body, nil}) {
				t.Errorf("message %d: got %+v, want %q", i+1, got, body)
			}
		}
		// Each is settled when the answer behind it proved it, and those of a
		// server that does not pipeline together.
		want := []string{"body u1", "ok u1", "body u2", "ok u2", "body u3", "ok u3", "body u4", "ok u4", "group"}
		fetching := "RETR 1|UIDL 1|RETR 2|UIDL 2|RETR 3|UIDL 3|RETR 4|UIDL 4"
		if serial {
			want = []string{"body u1", "body u2", "body u3", "body u4", "ok u1", "ok u2", "ok u3", "ok u4", "group"}
			fetching = "RETR 1|RETR 2|RETR 3|RETR 4|UIDL 4"
		}
		if !slices.Equal(r.events, want) {
			t.Errorf("got %q, want %q", r.events, want)
		}
		commands := append([]string{"STAT", "UIDL", "UIDL 1"}, strings.Split(fetching, "|")...)
		if got := drop.commands(); !slices.Equal(got, commands) {
			t.Errorf("sent %q, want %q", got, commands)
		}
	}
}

func TestFetchSome(t *testing.T) {
	t.Parallel()
	drop := &maildrop{bodies: fourMessages()}
	s, refs, _ := open(t, drop.source(t, wire.Limits{}))
	for _, uidls := range [][]mail.UIDL{{"u2", "u4"}, {"u4", "u1"}, {}, {"u3"}} {
		r := newReceiver()
		refs.UIDLs = uidls
		if err := s.Fetch(t.Context(), refs, r); err != nil {
			t.Fatal(err)
		}
		if len(r.settled) != len(uidls) || len(uidls) == 0 && len(r.events) != 0 {
			t.Errorf("%q: got %q", uidls, r.events)
		}
		for i, body := range fourMessages() {
			if uidl := drop.uidl(i); slices.Contains(uidls, uidl) && r.settled[uidl] != (outcome{body, nil}) {
				t.Errorf("%q: got %+v, want %q", uidl, r.settled[uidl], body)
			}
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestFetchOfWhatIsNotListed(t *testing.T) {
	t.Parallel()
	drop := &maildrop{bodies: fourMessages()}
	s, refs, _ := open(t, drop.source(t, wire.Limits{}))
	refs.UIDLs = []mail.UIDL{"u1", "other", "u2"}
	r := newReceiver()
	if err := s.Fetch(t.Context(), refs, r); err != nil {
		t.Fatal(err)
	}
	if got := r.settled["other"].err; got != mail.ErrGone {
		t.Errorf("got %v, want %v", got, mail.ErrGone)
	}
	if r.settled["u1"].err != nil || r.settled["u2"].err != nil || len(r.settled) != 3 {
		t.Errorf("got %+v", r.settled)
	}
}

// One message that the server refuses costs no other, wherever it stands.
func TestRefusedMessage(t *testing.T) {
	t.Parallel()
	for answer, retry := range map[string]mail.Retry{
		"-ERR\r\n":                       mail.RetryLater,
		"-ERR no such message\r\n":       mail.RetryLater,
		"-ERR [SYS/TEMP] wait\r\n":       mail.RetryLater,
		"-ERR [SYS/PERM] it is gone\r\n": mail.RetryNever,
	} {
		for bad := range 4 {
			for _, serial := range []bool{false, true} {
				command := fmt.Sprintf("RETR %d", bad+1)
				drop := &maildrop{bodies: fourMessages(), serial: serial, answers: map[string]string{command: answer}}
				s, refs, _ := open(t, drop.source(t, wire.Limits{}))
				r := newReceiver()
				if err := s.Fetch(t.Context(), refs, r); err != nil {
					t.Fatal(err)
				}
				for i, body := range fourMessages() {
					got := r.settled[drop.uidl(i)]
					if i != bad && got != (outcome{body, nil}) {
						t.Errorf("%q at %d: message %d: got %+v", answer, bad, i, got)
					}
					if i == bad {
						wantError(t, got.err, mail.ScopeMessage, mail.ClassServer, retry)
						var e *mail.Error
						if errors.As(got.err, &e) && (e.UIDL != drop.uidl(i) || e.Mailbox != mail.Inbox) {
							t.Errorf("the error is of %q %q", e.Mailbox, e.UIDL)
						}
					}
				}
				if err := s.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// An error of the receiver ends the fetch, comes back as it is, and leaves
// the session dead.
func TestReceiverErrors(t *testing.T) {
	t.Parallel()
	full := errors.New("disk is full")
	for name, break_ := range map[string]func(r *receiver){
		"body": func(r *receiver) {
			r.onBody = func(mail.Ref, io.Reader) error { return full }
		},
		"half a body": func(r *receiver) {
			r.onBody = func(_ mail.Ref, body io.Reader) error {
				if _, err := body.Read(make([]byte, 3)); err != nil {
					return err
				}
				return full
			}
		},
		"group": func(r *receiver) { r.onEnd = func() error { return full } },
	} {
		drop := &maildrop{bodies: fourMessages()}
		s, refs, _ := open(t, drop.source(t, wire.Limits{}))
		r := newReceiver()
		break_(r)
		if err := s.Fetch(t.Context(), refs, r); err != full {
			t.Errorf("%s: got %v, want the receiver's error", name, err)
		}
		if err := s.Close(t.Context()); err == nil {
			t.Errorf("%s: the session lives on", name)
		}
		if slices.Contains(drop.commands(), "QUIT") {
			t.Errorf("%s: QUIT was sent", name)
		}
	}
}

// What the receiver leaves of a body is read and dropped.
func TestReceiverLeavesSome(t *testing.T) {
	t.Parallel()
	drop := &maildrop{bodies: []string{strings.Repeat("x\r\n", 100_000), "b\r\n"}}
	s, refs, _ := open(t, drop.source(t, wire.Limits{}))
	r := newReceiver()
	r.onBody = func(_ mail.Ref, body io.Reader) error {
		_, err := body.Read(make([]byte, 1))
		return err
	}
	if err := s.Fetch(t.Context(), refs, r); err != nil {
		t.Fatal(err)
	}
	if want := []string{"body u1", "ok u1", "body u2", "ok u2", "group"}; !slices.Equal(r.events, want) {
		t.Errorf("got %q, want %q", r.events, want)
	}
}

// A panic of the receiver leaves no goroutine: TestMain looks.
func TestReceiverPanics(t *testing.T) {
	t.Parallel()
	drop := &maildrop{bodies: fourMessages()}
	s, refs, _ := open(t, drop.source(t, wire.Limits{}))
	r := newReceiver()
	r.onBody = func(mail.Ref, io.Reader) error { panic("a bug") }
	defer func() {
		if recover() == nil {
			t.Error("the panic was swallowed")
		}
		if err := s.Close(t.Context()); err == nil {
			t.Error("the session lives on")
		}
	}()
	_ = s.Fetch(t.Context(), refs, r) // it panics
}

func TestGroups(t *testing.T) {
	t.Parallel()
	small := slices.Repeat([]string{"x\r\n"}, 150)
	large := slices.Repeat([]string{strings.Repeat("x", 1<<20) + "\r\n"}, 10)
	for _, test := range []struct {
		bodies []string
		want   []int // settlements in each group
	}{
		{small, []int{64, 64, 22}},
		{large, []int{4, 4, 2}},
		{small[:64], []int{64}},
	} {
		s, refs, _ := open(t, (&maildrop{bodies: test.bodies}).source(t, wire.Limits{}))
		r := newReceiver()
		if err := s.Fetch(t.Context(), refs, r); err != nil {
			t.Fatal(err)
		}
		var got []int
		n := 0
		for _, event := range r.events {
			switch {
			case strings.HasPrefix(event, "ok "):
				n++
			case event == "group":
				got, n = append(got, n), 0
			}
		}
		if n != 0 || !slices.Equal(got, test.want) {
			t.Errorf("got %v and %d without a group, want %v", got, n, test.want)
		}
	}
}

// writes counts the packets of a connection.
type writes struct {
	net.Conn
	n *atomic.Int64
}

func (w writes) Write(p []byte) (int, error) {
	w.n.Add(1)
	return w.Conn.Write(p)
}

// Commands travel together: a thousand messages are not a thousand packets.
func TestCommandsShareWrites(t *testing.T) {
	t.Parallel()
	drop := &maildrop{bodies: slices.Repeat([]string{"x\r\n"}, 1000)}
	var n atomic.Int64
	done := make(chan struct{})
	source := drop.dialled(wire.Limits{}, func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() { defer close(done); drop.serve(far) }() // the test waits for it
		return writes{near, &n}, nil
	})
	s, refs, _ := open(t, source)
	before := n.Load()
	if err := s.Fetch(t.Context(), refs, newReceiver()); err != nil {
		t.Fatal(err)
	}
	if got := n.Load() - before; got > 2*1000/(maxDepth/4)+2 {
		t.Errorf("%d writes for 1000 messages", got)
	}
	s.Abort()
	<-done
}

// How far to read ahead: what is sent before each answer is read.
func TestReadAhead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		pipelining bool
		unprovable bool
		careful    bool
		messages   int
		want       string
	}{
		{"serial", false, false, false, 3, "1|2|3|U3|"},
		{"careful", true, false, true, 2, "1|U1|2|U2|"},
		{"not to be proved", true, true, false, 2, "1|STAT|2|STAT|"},
		{"together", true, false, false, 4, "1 U1 2 U2 3 U3 4 U4||||||||"},
	} {
		s := &Session{conn: &wire.POP3{Pipelining: test.pipelining}, listing: &listing{}, care: &care{}, provable: !test.unprovable}
		if test.careful {
			s.care.lost()
		}
		f := &fetch{Session: s, commands: make(chan []string, 1)}
		for i := range test.messages {
			f.todo = append(f.todo, int32(i))
		}
		f.suspects = len(f.todo)
		var got []string
		for {
			f.fill()
			var batch []string
			if len(f.commands) > 0 {
				batch = <-f.commands
			}
			got = append(got, strings.NewReplacer("RETR ", "", "UIDL ", "U").Replace(strings.Join(batch, " ")))
			if len(f.due) == 0 {
				break
			}
			if !f.due[0].proof {
				f.read++
			}
			f.due = f.due[1:]
		}
		if got := strings.Join(got, "|"); got != test.want {
			t.Errorf("%s: sent %s, want %s", test.name, got, test.want)
		}
	}
}

// A cancelled fetch settles nothing more, however much is buffered.
func TestCancelledFetchSettlesNothing(t *testing.T) {
	t.Parallel()
	cause := errors.New("the daemon stops")
	s, refs, _ := open(t, (&maildrop{bodies: fourMessages()}).source(t, wire.Limits{}))
	ctx, cancel := context.WithCancelCause(t.Context())
	r := newReceiver()
	r.onBody = func(mail.Ref, io.Reader) error {
		cancel(cause)
		return nil
	}
	if err := s.Fetch(ctx, refs, r); !errors.Is(err, cause) || len(r.settled) != 0 {
		t.Errorf("got %v, settled %v", err, r.settled)
	}
}

// Commands in flight must fit into any transport's window.
func TestCommandsInFlightAreFew(t *testing.T) {
	t.Parallel()
	s := &Session{conn: &wire.POP3{Pipelining: true}, listing: &listing{}, care: &care{}, provable: true}
	f := &fetch{Session: s, commands: make(chan []string, maxDepth+1)}
	for i := range maxDepth {
		f.todo = append(f.todo, int32(maxMessages-1-i))
	}
	f.suspects = len(f.todo)
	f.fill()
	batch := <-f.commands
	if size := len(strings.Join(batch, "\r\n")); len(batch) != maxDepth || size > 16<<10 {
		t.Errorf("%d commands of %d bytes", len(batch), size)
	}
}
