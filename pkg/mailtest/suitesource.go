package mailtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/pull"
)

// SuiteBodies are the messages that TestSource's server holds in INBOX, in
// this order. Each ends in CRLF, so that POP3 can carry it, and some hold what
// readers of lines stumble over.
func SuiteBodies() []string {
	bodies := []string{
		"Subject: plain\r\n\r\nhello\r\n",
		"Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.x\r\n",
		"Subject: bare\r\n\r\nline\nfeeds\n.\nand\rreturns\r\n",
		"Subject: 8-bit\r\n\r\n\xff\xfe\x80\r\n",
		"\r\n",
		"no header at all\r\n",
		"Subject: looks like an end\r\n\r\n)\r\nA1 OK done\r\n* BYE\r\n+OK\r\n-ERR\r\n",
		"Subject: long line\r\n\r\n" + string(bytes.Repeat([]byte("x"), 70_000)) + "\r\n",
	}
	for i := range 40 {
		bodies = append(bodies, fmt.Sprintf("Subject: %d\r\n\r\n%s\r\n", i, bytes.Repeat([]byte("abc\r\n"), i*50)))
	}
	return bodies
}

// TestSource is the suite of pull.Source. open returns a source whose INBOX
// holds SuiteBodies.
func TestSource(t *testing.T, open func(t *testing.T) pull.Source) {
	t.Run("bodies are what the server has", func(t *testing.T) { testSourceBodies(t, open(t)) })
	t.Run("a part of the refs", func(t *testing.T) { testSourcePart(t, open(t)) })
	t.Run("refs last", func(t *testing.T) { testSourceRefsLast(t, open(t)) })
	t.Run("an error of the receiver ends the fetch", func(t *testing.T) { testSourceReceiverError(t, open(t)) })
	t.Run("a cancelled context ends the fetch", func(t *testing.T) { testSourceCancel(t, open(t)) })
	t.Run("a cancelled context opens nothing", func(t *testing.T) { testSourceCancelledOpen(t, open(t)) })
	t.Run("nothing is older by mistake", func(t *testing.T) { testSourceOlder(t, open(t)) })
	t.Run("abort at any time", func(t *testing.T) { testSourceAbort(t, open(t)) })
}

// collector is a receiver that remembers and checks the order of its calls.
type collector struct {
	t       *testing.T
	bodies  map[mail.Ref]string
	settled map[mail.Ref]error
	open    int // settled since the last Settled
	onBody  func(n int) error
}

func newCollector(t *testing.T) *collector {
	return &collector{t: t, bodies: make(map[mail.Ref]string), settled: make(map[mail.Ref]error)}
}

func (c *collector) Body(ref mail.Ref, size int64, body io.Reader) error {
	if c.onBody != nil {
		if err := c.onBody(len(c.bodies)); err != nil {
			return err
		}
	}
	if _, ok := c.settled[ref]; ok {
		c.t.Errorf("%+v: body after it was settled", ref)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if size >= 0 && int64(len(data)) != size {
		c.t.Errorf("%+v: got %d bytes and no error, announced %d", ref, len(data), size)
	}
	c.bodies[ref] = string(data)
	return nil
}

func (c *collector) Settle(item mail.Item, outcome error) error {
	if _, ok := c.settled[item.Ref]; ok {
		c.t.Errorf("%+v: settled twice", item.Ref)
	}
	if _, ok := c.bodies[item.Ref]; !ok && outcome == nil {
		c.t.Errorf("%+v: settled without a body", item.Ref)
	}
	c.settled[item.Ref] = outcome
	c.open++
	return nil
}

func (c *collector) Settled() error {
	c.open = 0
	return nil
}

// inbox opens a session and selects INBOX.
func inbox(t *testing.T, source pull.Source) (pull.Session, mail.Refs) {
	t.Helper()
	s, err := source.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Abort)
	boxes, err := s.Mailboxes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(boxes, func(m mail.Mailbox) bool { return m.Name == mail.Inbox })
	if i < 0 {
		t.Fatalf("no INBOX in %+v", boxes)
	}
	refs, status, err := s.Select(t.Context(), boxes[i])
	if err != nil {
		t.Fatal(err)
	}
	if n := len(SuiteBodies()); refs.Len() != n || status.Messages != n || refs.Mailbox != mail.Inbox {
		t.Fatalf("got %d refs of %q and %d messages, want %d", refs.Len(), refs.Mailbox, status.Messages, n)
	}
	return s, refs
}

func testSourceBodies(t *testing.T, source pull.Source) {
	s, refs := inbox(t, source)
	c := newCollector(t)
	if err := s.Fetch(t.Context(), refs, c); err != nil {
		t.Fatal(err)
	}
	if c.open != 0 {
		t.Errorf("%d settlements after the last Settled", c.open)
	}
	want := SuiteBodies()
	i := 0
	for ref := range refs.All {
		if err, ok := c.settled[ref]; !ok || err != nil {
			t.Errorf("%+v: settled %v, %v", ref, ok, err)
		}
		if c.bodies[ref] != want[i] {
			t.Errorf("%+v: got %.80q, want %.80q", ref, c.bodies[ref], want[i])
		}
		i++
	}
	if len(c.settled) != refs.Len() {
		t.Errorf("settled %d of %d", len(c.settled), refs.Len())
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
}

// part takes the refs at some places.
func part(refs mail.Refs, places ...int) mail.Refs {
	out := mail.Refs{Mailbox: refs.Mailbox, Validity: refs.Validity}
	i := 0
	for ref := range refs.All {
		if slices.Contains(places, i) {
			if ref.UIDL != "" {
				out.UIDLs = append(out.UIDLs, ref.UIDL)
			} else {
				out.UIDs.Add(ref.UID, ref.UID)
			}
		}
		i++
	}
	return out
}

// A source that cannot tell messages by their dates says so, and one that can
// names none that it is not sure of. Both go on.
func testSourceOlder(t *testing.T, source pull.Source) {
	s, refs := inbox(t, source)
	older, err := s.Older(t.Context(), time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil && (!errors.Is(err, mail.ErrNoDates) || mail.ErrorScope(err) == mail.ScopeAccount) || older.Len() != 0 {
		t.Errorf("got %s, %v", older, err)
	}
	c := newCollector(t)
	if err := s.Fetch(t.Context(), refs, c); err != nil || len(c.bodies) != refs.Len() {
		t.Errorf("afterwards: %d bodies, %v", len(c.bodies), err)
	}
}

func testSourcePart(t *testing.T, source pull.Source) {
	s, refs := inbox(t, source)
	want := SuiteBodies()
	for _, places := range [][]int{{2}, {0, 5, 6, 47}, {}} {
		c := newCollector(t)
		some := part(refs, places...)
		if err := s.Fetch(t.Context(), some, c); err != nil {
			t.Fatal(err)
		}
		if len(c.bodies) != len(places) || len(c.settled) != len(places) {
			t.Errorf("got %d bodies and %d settled, want %d", len(c.bodies), len(c.settled), len(places))
		}
		i := 0
		for ref := range some.All {
			if c.bodies[ref] != want[places[i]] {
				t.Errorf("%+v: got %.80q, want %.80q", ref, c.bodies[ref], want[places[i]])
			}
			i++
		}
	}
}

func testSourceRefsLast(t *testing.T, source pull.Source) {
	s, first := inbox(t, source)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, second := inbox(t, source)
	if !slices.Equal(slices.Collect(first.All), slices.Collect(second.All)) {
		t.Errorf("refs changed between two sessions: %v, %v", first, second)
	}
}

func testSourceReceiverError(t *testing.T, source pull.Source) {
	s, refs := inbox(t, source)
	c := newCollector(t)
	full := errors.New("disk is full")
	c.onBody = func(n int) error {
		if n == 20 {
			return full
		}
		return nil
	}
	if err := s.Fetch(t.Context(), refs, c); !errors.Is(err, full) {
		t.Errorf("got %v, want the receiver's own error", err)
	}
	if len(c.settled) >= refs.Len() {
		t.Error("everything was settled")
	}
	s.Abort()
}

func testSourceCancel(t *testing.T, source pull.Source) {
	s, refs := inbox(t, source)
	ctx, cancel := context.WithCancel(t.Context())
	c := newCollector(t)
	c.onBody = func(n int) error {
		if n == 20 {
			cancel()
		}
		return nil
	}
	err := s.Fetch(ctx, refs, c)
	if err == nil {
		t.Fatal("the fetch went on to its end")
	}
	for ref, outcome := range c.settled {
		if outcome != nil {
			t.Errorf("%+v: settled with %v because the pass was cancelled", ref, outcome)
		}
	}
	if _, _, err := s.Select(t.Context(), mail.Mailbox{Name: mail.Inbox, Wire: "INBOX"}); err == nil {
		t.Error("the session lives on")
	}
}

func testSourceCancelledOpen(t *testing.T, source pull.Source) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, err := source.Open(ctx)
	if err == nil {
		s.Abort()
		t.Fatal("opened")
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's cause", err)
	}
}

func testSourceAbort(t *testing.T, source pull.Source) {
	s, _ := inbox(t, source)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Abort()
	s.Abort()
	if source.Limit() < 1 {
		t.Errorf("limit is %d", source.Limit())
	}
}
