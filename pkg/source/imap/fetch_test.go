package imap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"mailpull/pkg/mail"
)

// uids names messages 10, 11, ... by their place, counted from one.
func uids(places ...int) []mail.UID {
	var named []mail.UID
	for _, place := range places {
		named = append(named, mail.UID(9+place))
	}
	return named
}

// forBodies answers the commands that ask for bodies and leaves the rest to
// the peer.
func forBodies(answer func(c *talk, tag string, set string, single bool)) func(*talk, string, string) bool {
	return func(c *talk, tag, command string) bool {
		set, isUID := strings.CutPrefix(command, "UID FETCH ")
		if !isUID || !strings.Contains(command, "BODY.PEEK[]") {
			return false
		}
		set, _, _ = strings.Cut(set, " ")
		answer(c, tag, set, !strings.ContainsAny(set, ":,"))
		return true
	}
}

func TestFetchTruth(t *testing.T) {
	t.Parallel()
	p := &peer{caps: "ESEARCH", messages: sized(300, 500)}
	p.messages[4].body = ""
	p.messages[5].body = "\x00\xff no line end"
	p.messages[6].flags = `\Seen \Recent $Forwarded \Flagged`
	session, refs := selectInbox(t, p.listen(t))
	if refs.Validity != 7 || refs.Len() != 300 {
		t.Fatalf("selected %d refs of UIDVALIDITY %d, want 300 of 7", refs.Len(), refs.Validity)
	}
	b := newBox(t)
	if err := session.Fetch(context.Background(), refs, b); err != nil {
		t.Fatalf("fetch: %v", err)
	}
	b.check(refs, p.messages)
	if len(b.whole) != 300 {
		t.Errorf("%d messages came whole, want 300; failed: %v", len(b.whole), b.failed)
	}
	item := b.items[16]
	if got := strings.Join(item.Flags, " "); got != `\Seen $Forwarded \Flagged` {
		t.Errorf("flags are %q", got)
	}
	if got := item.Date.UTC().Format("2006-01-02 15:04:05"); got != "2024-07-17 09:44:25" {
		t.Errorf("date is %s", got)
	}
	if item.Ref != (mail.Ref{Mailbox: "INBOX", Validity: 7, UID: 16}) {
		t.Errorf("ref is %+v", item.Ref)
	}
	for _, command := range p.said("UID FETCH") {
		if !strings.Contains(command, "BODY.PEEK[]") || strings.Contains(command, "ENVELOPE") {
			t.Errorf("the command was %q", command)
		}
	}
	if err := session.Close(context.Background()); err != nil {
		t.Errorf("close: %v", err)
	}
}

// Settlements come in bounded groups, and no group ends while a body of
// another command is in the receiver's hands: box notices that.
func TestFetchGroups(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ messages, size, groups int }{
		{3 * groupMessages, 100, 2},
		{100, 400 << 10, 2},
	} {
		p := &peer{caps: "ESEARCH", messages: sized(tt.messages, tt.size)}
		session, refs := selectInbox(t, p.listen(t))
		b := newBox(t)
		if err := session.Fetch(context.Background(), refs, b); err != nil {
			t.Fatalf("fetch: %v", err)
		}
		b.check(refs, p.messages)
		if len(b.whole) != tt.messages || b.groups < tt.groups {
			t.Errorf("%d messages in %d groups, want %d in %d or more", len(b.whole), b.groups, tt.messages, tt.groups)
		}
	}
}

func TestFetchNothing(t *testing.T) {
	t.Parallel()
	p := &peer{messages: sized(1, 100)}
	session, _ := selectInbox(t, p.listen(t))
	b := newBox(t)
	if err := session.Fetch(context.Background(), mail.Refs{Mailbox: mail.Inbox, Validity: 7}, b); err != nil || b.groups != 0 {
		t.Errorf("got %v and %d groups", err, b.groups)
	}
	if said := p.said("UID FETCH"); len(said) != 0 {
		t.Errorf("it asked for %q", said)
	}
}

// What servers were seen to answer, and what must come of it. Each peer has
// six messages, 10 to 15.
func TestFetchLies(t *testing.T) {
	t.Parallel()
	all := uids(1, 2, 3, 4, 5, 6)
	tests := []struct {
		name   string
		answer func(p *peer) func(c *talk, tag, set string, single bool)
		whole  []mail.UID
		failed map[mail.UID]string // a part of the reason
	}{
		{"the uid behind the body", func(p *peer) func(*talk, string, string, bool) {
			return func(c *talk, tag, set string, _ bool) {
				for i, m := range p.messages {
					if inSet(set, int(m.uid)) {
						c.printf("* %d FETCH (BODY[] {%d}\r\n%s UID %d)", i+1, len(m.body), m.body, m.uid)
					}
				}
				c.printf("%s OK done", tag)
			}
		}, all, nil},

		{"flags of the message come first, unasked", func(p *peer) func(*talk, string, string, bool) {
			return func(c *talk, tag, set string, single bool) {
				if !single {
					c.printf(`* 2 FETCH (UID 11 FLAGS (\Seen))`)
				}
				p.fetch(c, set, "BODY.PEEK[]", func(i int) int { return int(p.messages[i].uid) })
				c.printf("%s OK done", tag)
			}
		}, all, nil},

		{"NIL for a body in the set", func(p *peer) func(*talk, string, string, bool) {
			return func(c *talk, tag, set string, single bool) {
				sendBut(p, c, set, 12, single, "* 3 FETCH (UID 12 RFC822.SIZE 500 BODY[] NIL)")
				c.printf("%s OK done", tag)
			}
		}, all, nil},

		{"NIL for a body, always", func(p *peer) func(*talk, string, string, bool) {
			return func(c *talk, tag, set string, _ bool) {
				sendBut(p, c, set, 12, false, "* 3 FETCH (UID 12 RFC822.SIZE 500 BODY[] NIL)")
				c.printf("%s OK done", tag)
			}
		}, all, nil}, // by sequence number the peer tells the truth

		{"an empty string for a body in the set", func(p *peer) func(*talk, string, string, bool) {
			return func(c *talk, tag, set string, single bool) {
				sendBut(p, c, set, 12, single, `* 3 FETCH (UID 12 RFC822.SIZE 500 BODY[] "")`)
				c.printf("%s OK done", tag)
			}
		}, all, nil},

		{"an empty literal for a body in the set", func(p *peer) func(*talk, string, string, bool) {
			return func(c *talk, tag, set string, single bool) {
				sendBut(p, c, set, 12, single, "* 3 FETCH (UID 12 RFC822.SIZE 500 BODY[] {0}\r\n)")
				c.printf("%s OK done", tag)
			}
		}, all, nil},

		{"a message is left out of the set", func(p *peer) func(*talk, string, string, bool) {
			return func(c *talk, tag, set string, single bool) {
				sendBut(p, c, set, 13, single, "* 99 EXISTS")
				c.printf("%s OK done", tag)
			}
		}, all, nil},

		{"the header only", func(p *peer) func(*talk, string, string, bool) {
			return func(c *talk, tag, set string, single bool) {
				sendBut(p, c, set, 13, single, "* 4 FETCH (UID 13 BODY[HEADER] {4}\r\nA: b)")
				c.printf("%s OK done", tag)
			}
		}, all, nil},

		{"a part of the body", func(p *peer) func(*talk, string, string, bool) {
			return func(c *talk, tag, set string, single bool) {
				sendBut(p, c, set, 13, single, "* 4 FETCH (UID 13 BODY[]<0> {4}\r\nA: b)")
				c.printf("%s OK done", tag)
			}
		}, all, nil},

		{"a message not asked for", func(p *peer) func(*talk, string, string, bool) {
			return func(c *talk, tag, set string, _ bool) {
				c.sendMessage(9, message{uid: 999, body: "not asked for"})
				p.fetch(c, set, "BODY.PEEK[]", func(i int) int { return int(p.messages[i].uid) })
				c.printf("%s OK done", tag)
			}
		}, all, nil},

		{"every message twice", func(p *peer) func(*talk, string, string, bool) {
			return func(c *talk, tag, set string, _ bool) {
				for range 2 {
					p.fetch(c, set, "BODY.PEEK[]", func(i int) int { return int(p.messages[i].uid) })
				}
				c.printf("%s OK done", tag)
			}
		}, all, nil},

		{"two bodies in one answer", func(p *peer) func(*talk, string, string, bool) {
			return func(c *talk, tag, set string, single bool) {
				m := p.messages[3]
				sendBut(p, c, set, 13, single, fmt.Sprintf("* 4 FETCH (UID 13 BODY[] {%d}\r\n%s BODY[] {3}\r\nbad)", len(m.body), m.body))
				c.printf("%s OK done", tag)
			}
		}, all, nil},

		{"two uids in one answer", func(p *peer) func(*talk, string, string, bool) {
			return func(c *talk, tag, set string, _ bool) {
				sendBut(p, c, set, 13, false, "* 4 FETCH (UID 13 BODY[] {3}\r\nbad UID 14)")
				c.printf("%s OK done", tag)
			}
		}, uids(1, 2, 3, 5, 6), map[mail.UID]string{13: "without saying"}},

		{"one bad message spoils the set", func(p *peer) func(*talk, string, string, bool) {
			return func(c *talk, tag, set string, single bool) {
				if inSet(set, 13) {
					if !single {
						c.sendMessage(1, p.messages[0])
					}
					c.printf("%s NO [SERVERBUG] cannot read message", tag)
					return
				}
				p.fetch(c, set, "BODY.PEEK[]", func(i int) int { return int(p.messages[i].uid) })
				c.printf("%s OK done", tag)
			}
		}, uids(1, 2, 3, 5, 6), map[mail.UID]string{13: "NO [SERVERBUG] cannot read message"}},

		{"BAD for a set", func(p *peer) func(*talk, string, string, bool) {
			return func(c *talk, tag, set string, single bool) {
				if !single {
					c.printf("%s BAD set", tag)
					return
				}
				p.fetch(c, set, "BODY.PEEK[]", func(i int) int { return int(p.messages[i].uid) })
				c.printf("%s OK done", tag)
			}
		}, all, nil},

		{"throttled once", func(p *peer) func(*talk, string, string, bool) {
			return func(c *talk, tag, set string, single bool) {
				if inSet(set, 13) {
					c.printf("%s NO [LIMIT] rate limit hit", tag)
					return
				}
				p.fetch(c, set, "BODY.PEEK[]", func(i int) int { return int(p.messages[i].uid) })
				c.printf("%s OK done", tag)
			}
		}, uids(1, 2, 3, 5, 6), map[mail.UID]string{13: "rate limit"}},

		{"vanished meanwhile", func(p *peer) func(*talk, string, string, bool) {
			return func(c *talk, tag, set string, single bool) {
				p.messages = sized(6, 500)[:5]
				p.fetch(c, set, "BODY.PEEK[]", func(i int) int { return int(p.messages[i].uid) })
				c.printf("%s OK done", tag)
			}
		}, uids(1, 2, 3, 4, 5), map[mail.UID]string{15: "gone"}},

		{"RFC822.SIZE is wrong", func(p *peer) func(*talk, string, string, bool) {
			return func(c *talk, tag, set string, single bool) {
				m := p.messages[3]
				sendBut(p, c, set, 13, false, fmt.Sprintf("* 4 FETCH (UID 13 RFC822.SIZE 1 BODY[] {%d}\r\n%s)", len(m.body), m.body))
				c.printf("%s OK done", tag)
			}
		}, all, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &peer{caps: "ESEARCH", messages: sized(6, 500)}
			messages := p.messages
			p.on = forBodies(tt.answer(p))
			session, refs := selectInbox(t, p.listen(t))
			b := newBox(t)
			if err := session.Fetch(context.Background(), refs, b); err != nil {
				t.Fatalf("fetch: %v", err)
			}
			b.check(refs, messages)
			b.wantWhole(tt.whole...)
			for uid, reason := range tt.failed {
				if err := b.failed[uid]; err == nil || !strings.Contains(err.Error(), reason) {
					t.Errorf("uid %d failed with %v, want %q", uid, err, reason)
				}
			}
			if len(b.failed) != len(tt.failed) {
				t.Errorf("failed are %v", b.failed)
			}
		})
	}
}

// sendBut sends the messages of a set, and the line in place of one of them
// unless truth is asked for.
func sendBut(p *peer, c *talk, set string, uid mail.UID, truth bool, line string) {
	for i, m := range p.messages {
		switch {
		case !inSet(set, int(m.uid)):
		case m.uid == uid && !truth:
			c.printf("%s", line)
		default:
			c.sendMessage(i+1, m)
		}
	}
}

// A message without a body in any way is failed, and told from an empty one.
func TestFetchNoBodyAtAll(t *testing.T) {
	t.Parallel()
	p := &peer{caps: "ESEARCH", messages: sized(3, 500)}
	p.on = func(c *talk, tag, command string) bool {
		if !strings.Contains(command, "BODY.PEEK[]") {
			return false
		}
		c.printf(`* 2 FETCH (UID 11 RFC822.SIZE 500 BODY[] "")`)
		c.printf(`* 3 FETCH (UID 12 RFC822.SIZE 0 BODY[] "")`)
		c.printf("%s OK done", tag)
		return true
	}
	session, _ := selectInbox(t, p.listen(t))
	refs := mail.Refs{Mailbox: mail.Inbox, Validity: 7, UIDs: mail.UIDSet{{Lo: 11, Hi: 12}}}
	b := newBox(t)
	if err := session.Fetch(context.Background(), refs, b); err != nil {
		t.Fatalf("fetch: %v", err)
	}
	b.wantWhole(12)
	if err := b.failed[11]; !errors.Is(err, errNoBody) || mail.ErrorClass(err) != mail.ClassServer {
		t.Errorf("uid 11 failed with %v", err)
	}
	if len(b.whole[12]) != 0 {
		t.Errorf("the empty message has %d bytes", len(b.whole[12]))
	}
}

// Messages that are removed while others are looked for move those behind them up.
func TestFetchBySequenceAfterExpunge(t *testing.T) {
	t.Parallel()
	p := &peer{caps: "ESEARCH", messages: sized(6, 500)}
	served := p.messages
	remove := func(c *talk, seq int) {
		p.messages = slices.Delete(slices.Clone(p.messages), seq-1, seq)
		c.printf("* %d EXPUNGE", seq)
	}
	p.on = func(c *talk, tag, command string) bool {
		switch {
		case strings.HasPrefix(command, "UID FETCH") && strings.Contains(command, "BODY.PEEK[]"):
			c.printf("%s OK done", tag)
			return true
		case command == "UID FETCH 15 (UID)":
			c.printf("* 6 FETCH (UID 15)")
			c.printf("* 0 EXPUNGE") // no message has this number
			remove(c, 1)
			c.printf("%s OK done", tag)
			return true
		case command == "NOOP":
			remove(c, 2)
		}
		return false
	}
	session, refs := selectInbox(t, p.listen(t))
	b := newBox(t)
	if err := session.Fetch(context.Background(), refs, b); err != nil {
		t.Fatalf("fetch: %v", err)
	}
	b.check(refs, served)
	b.wantWhole(11, 13, 14, 15)
	for _, uid := range []mail.UID{10, 12} {
		if err := b.failed[uid]; !errors.Is(err, mail.ErrGone) {
			t.Errorf("uid %d ended with %v", uid, err)
		}
	}
}

func TestFetchThrottledForGood(t *testing.T) {
	t.Parallel()
	p := &peer{caps: "ESEARCH", messages: sized(300, 100)}
	p.on = forBodies(func(c *talk, tag, _ string, _ bool) {
		c.printf("%s NO Request is throttled. Suggested Backoff Time: 300000 milliseconds", tag)
	})
	session, refs := selectInbox(t, p.listen(t))
	b := newBox(t)
	err := session.Fetch(context.Background(), refs, b)
	if mail.ErrorClass(err) != mail.ClassThrottled || mail.ErrorScope(err) != mail.ScopeAccount {
		t.Fatalf("fetch ended with %v of class %q", err, mail.ErrorClass(err))
	}
	if got := mail.ErrorAfter(err); got != 5*time.Minute {
		t.Errorf("the server is left alone for %s, want 5m", got)
	}
	if n := len(p.said("UID FETCH")); n > 2*maxInFlight+maxThrottled {
		t.Errorf("it asked %d times", n)
	}
}

// A delay that was asked for while the connection ended is not lost with it,
// whether the server said goodbye or not.
func TestFetchLostTellsTheDelay(t *testing.T) {
	t.Parallel()
	for _, condition := range []string{"BYE", "NO"} {
		p := &peer{caps: "ESEARCH", messages: sized(3, 100)}
		p.on = forBodies(func(c *talk, _, _ string, _ bool) {
			c.printf("* %s Request is throttled. Suggested Backoff Time: 201317 milliseconds", condition)
			c.w.Flush()
			c.Close()
		})
		session, refs := selectInbox(t, p.listen(t))
		err := session.Fetch(context.Background(), refs, newBox(t))
		if mail.ErrorClass(err) != mail.ClassThrottled || mail.ErrorAfter(err) != 201317*time.Millisecond {
			t.Errorf("%s: after %s: %v of class %q", condition, mail.ErrorAfter(err), err, mail.ErrorClass(err))
		}
	}
}

// Answers of two commands may come mixed: the sets are disjoint. Nobody may
// wait for the other then, and no body may be forgotten between.
func TestFetchMixedAnswers(t *testing.T) {
	t.Parallel()
	p := &peer{caps: "ESEARCH", messages: sized(4*firstMessages, 300)}
	var tags []string
	p.on = forBodies(func(c *talk, tag, _ string, _ bool) {
		if tags = append(tags, tag); len(tags) < maxInFlight {
			return
		}
		for i := range firstMessages { // one message of each command in turn
			for k := range maxInFlight {
				n := k*firstMessages + i
				c.sendMessage(n+1, p.messages[n])
			}
		}
		for i := range tags {
			c.printf("%s OK done", tags[len(tags)-1-i])
		}
	})
	session, refs := selectInbox(t, p.listen(t))
	b := newBox(t)
	if err := session.Fetch(context.Background(), refs, b); err != nil {
		t.Fatalf("fetch: %v", err)
	}
	b.check(refs, p.messages)
	if len(b.whole) != len(p.messages) {
		t.Errorf("%d messages came whole, want %d; failed: %v", len(b.whole), len(p.messages), b.failed)
	}
}

func TestFetchReceiverFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk full")
	p := &peer{caps: "ESEARCH", messages: sized(300, 5000)}
	session, refs := selectInbox(t, p.listen(t))
	b := newBox(t)
	b.onBody = func(ref mail.Ref) error {
		if ref.UID == 40 {
			return broken
		}
		return nil
	}
	if err := session.Fetch(context.Background(), refs, b); err != broken {
		t.Errorf("fetch ended with %v, want the receiver's own error", err)
	}
	if _, _, err := session.Select(context.Background(), inbox()); err == nil {
		t.Error("the session is still alive")
	}
}

// A receiver that panics, wherever, leaves no goroutine behind: TestMain looks.
func TestFetchReceiverPanics(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"body", "settle", "settled"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			p := &peer{caps: "ESEARCH", messages: sized(200, 20_000)}
			session, refs := selectInbox(t, p.listen(t))
			defer func() {
				if v := recover(); v != when {
					t.Errorf("recovered %v", v)
				}
			}()
			err := session.Fetch(context.Background(), refs, &panicker{box: newBox(t), when: when})
			t.Errorf("the fetch ended with %v", err)
		})
	}
}

// panicker is a receiver that panics, not before it has taken some messages.
type panicker struct {
	*box
	when string
	n    int
}

func (p *panicker) at(place string) {
	if p.n++; place == p.when && p.n > 10 {
		panic(place)
	}
}

func (p *panicker) Body(ref mail.Ref, size int64, body io.Reader) error {
	p.at("body")
	return p.box.Body(ref, size, body)
}

func (p *panicker) Settle(item mail.Item, outcome error) error {
	p.at("settle")
	return p.box.Settle(item, outcome)
}

func (p *panicker) Settled() error {
	p.at("settled")
	return p.box.Settled()
}

func TestFetchCancelled(t *testing.T) {
	t.Parallel()
	why := errors.New("told to stop")
	p := &peer{caps: "ESEARCH", messages: sized(300, 5000)}
	session, refs := selectInbox(t, p.listen(t))
	ctx, cancel := context.WithCancelCause(context.Background())
	b := newBox(t)
	b.onBody = func(ref mail.Ref) error {
		if ref.UID == 40 {
			cancel(why)
			<-ctx.Done()
		}
		return nil
	}
	err := session.Fetch(ctx, refs, b)
	if !errors.Is(err, why) || mail.ErrorClass(err) != mail.ClassLocal || mail.ErrorScope(err) != mail.ScopeAccount {
		t.Errorf("fetch ended with %v of class %s, want the cause of its context", err, mail.ErrorClass(err))
	}
}

func TestAbortFromOutside(t *testing.T) {
	t.Parallel()
	p := &peer{caps: "ESEARCH", messages: sized(3, 500)}
	asked := make(chan struct{})
	p.on = forBodies(func(c *talk, _, _ string, _ bool) {
		c.w.Flush()
		close(asked) // and never an answer
	})
	session, refs := selectInbox(t, p.listen(t))
	go func() {
		<-asked
		session.Abort()
		session.Abort()
	}()
	err := session.Fetch(context.Background(), refs, newBox(t))
	if mail.ErrorScope(err) != mail.ScopeAccount || !errors.Is(err, net.ErrClosed) {
		t.Errorf("fetch ended with %v of class %s", err, mail.ErrorClass(err))
	}
}

func TestBodyReader(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		data string
		size int64
		want error
	}{
		{"12345", 5, nil},
		{"1234", 5, io.ErrUnexpectedEOF},
		{"", 5, io.ErrUnexpectedEOF},
	} {
		b := &bodyReader{r: strings.NewReader(tt.data), left: tt.size}
		if _, err := io.ReadAll(b); err != tt.want {
			t.Errorf("%q for %d bytes ended with %v, want %v", tt.data, tt.size, err, tt.want)
		}
	}
}

func TestFetchNotSelected(t *testing.T) {
	t.Parallel()
	p := &peer{}
	session := open(t, p.listen(t))
	err := session.Fetch(context.Background(), mail.Refs{Mailbox: "Other", UIDs: mail.UIDSet{{Lo: 1, Hi: 1}}}, newBox(t))
	if !errors.Is(err, errNotOpen) {
		t.Errorf("got %v", err)
	}
}
