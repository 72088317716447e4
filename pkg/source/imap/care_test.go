package imap

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
)

// passes fetches INBOX in session after session, as the engine does within a
// pass: it leaves out what came whole and what failed twice. It returns what
// came, what failed twice, and the error of each session.
func passes(t *testing.T, p *peer, source *Source) (whole, failed mail.UIDSet, ended []error) {
	t.Helper()
	times := make(map[mail.UID]int)
	for range 20 {
		session, refs := selectInbox(t, source)
		refs.UIDs = refs.UIDs.Minus(whole).Minus(failed)
		b := newBox(t)
		err := session.Fetch(context.Background(), refs, b)
		b.checkWhole(p.messages)
		for uid := range b.whole {
			whole.Add(uid, uid)
		}
		for uid := range b.failed {
			if times[uid]++; times[uid] == 2 {
				failed.Add(uid, uid)
			}
		}
		if err == nil {
			return whole, failed, ended
		}
		if mail.ErrorScope(err) != mail.ScopeAccount {
			t.Fatalf("fetch ended with %v", err)
		}
		if ended = append(ended, err); len(b.items) == 0 && mail.ErrorRetry(err) != mail.RetryNow {
			return whole, failed, ended // the engine would give up
		}
	}
	t.Fatalf("no end: %v", ended)
	return whole, failed, ended
}

// A message on which the session ends, whatever the way, costs its own two
// attempts and nothing else, wherever it stands and however large its
// neighbours are.
func TestFetchMessageThatEndsTheSession(t *testing.T) {
	t.Parallel()
	ways := map[string]func(c *talk, i int, m message){
		"bye": func(c *talk, i int, m message) {
			c.printf("* BYE FETCH failed: Internal error occurred. Refer to server log for more information.")
		},
		"nothing at all": func(*talk, int, message) {},
		"inside a literal": func(c *talk, i int, m message) {
			c.printf("* %d FETCH (UID %d RFC822.SIZE %d BODY[] {%d}\r\n%s", i+1, m.uid, len(m.body), len(m.body), m.body[:len(m.body)/2])
		},
		"behind the body": func(c *talk, i int, m message) { c.sendMessage(i+1, m) },
	}
	for name, hangUp := range ways {
		for _, place := range []int{0, 5, 49} {
			t.Run(fmt.Sprintf("%s, %d", name, place), func(t *testing.T) {
				t.Parallel()
				p := &peer{caps: "ESEARCH", messages: sized(50, 3000)}
				bad := p.messages[place].uid
				p.on = forBodies(func(c *talk, tag, set string, _ bool) {
					for i, m := range p.messages {
						switch {
						case !inSet(set, int(m.uid)):
						case m.uid == bad:
							hangUp(c, i, m)
							c.w.Flush()
							c.Close()
							return
						default:
							c.sendMessage(i+1, m)
						}
					}
					c.printf("%s OK done", tag)
				})
				whole, failed, ended := passes(t, p, p.listen(t))
				if whole.Len() != 49 || failed.String() != fmt.Sprint(bad) {
					t.Errorf("whole are %v, failed %v; sessions ended with %v", whole, failed, ended)
				}
				if len(ended) > 5 {
					t.Errorf("it took %d sessions", len(ended))
				}
			})
		}
	}
}

// A careful mailbox grows out of it: its commands ask for many again.
func TestFetchCareEnds(t *testing.T) {
	t.Parallel()
	p := &peer{caps: "ESEARCH", messages: sized(200, 100)}
	source := p.listen(t)
	source.care.take(mail.Inbox)
	session, refs := selectInbox(t, source)
	b := newBox(t)
	if err := session.Fetch(context.Background(), refs, b); err != nil || len(b.whole) != 200 {
		t.Fatalf("%d messages, %v", len(b.whole), err)
	}
	said := p.said("UID FETCH")
	for i, command := range said[:carefulMessages] {
		if !strings.HasPrefix(command, fmt.Sprintf("UID FETCH %d (", 10+i)) {
			t.Errorf("command %d was %q, want one message", i, command)
		}
	}
	if n := len(said); n > carefulMessages+4 || source.care.needed(mail.Inbox) {
		t.Errorf("it took %d commands, and care is needed still: %v", n, source.care.needed(mail.Inbox))
	}
}

// What a session's end teaches depends on what ended it.
func TestLearn(t *testing.T) {
	t.Parallel()
	conn := open(t, (&peer{}).listen(t)).wire
	for class, want := range map[mail.Class]struct {
		careful bool
		retry   mail.Retry
	}{
		mail.ClassConnect:   {true, mail.RetryNow},
		mail.ClassServer:    {true, mail.RetryNow},
		mail.ClassProtocol:  {true, mail.RetryNow},
		mail.ClassTimeout:   {true, mail.RetryNow},
		mail.ClassThrottled: {false, mail.RetryLater},
		mail.ClassLocal:     {false, mail.RetryLater},
	} {
		var known care
		first, second := newBox(t), newBox(t)
		fetchOf := func(b *box) *fetch {
			return &fetch{
				Session: &Session{care: &known, wire: conn}, receiver: b, refs: mail.Refs{Mailbox: mail.Inbox, Validity: 7},
				flight: []*command{{uids: mail.UIDSet{{Lo: 12, Hi: 12}}}},
			}
		}
		dead := &mail.Error{Class: class, Err: errors.New("it ended")}
		if err := fetchOf(first).learn(dead); err != nil || len(first.failed) != 0 {
			t.Errorf("%s: first got %v and blamed %v", class, err, first.failed)
		}
		if known.needed(mail.Inbox) != want.careful || dead.Retry != want.retry {
			t.Errorf("%s: careful is %v, retry %d", class, known.needed(mail.Inbox), dead.Retry)
		}
		dead = &mail.Error{Class: class, Err: errors.New("it ended")}
		if err := fetchOf(second).learn(dead); err != nil || (second.failed[12] != nil) != want.careful {
			t.Errorf("%s: then got %v and blamed %v", class, err, second.failed)
		}
		if want.careful && mail.ErrorClass(second.failed[12]) != class {
			t.Errorf("%s: settled as %v", class, second.failed[12])
		}
	}
}

// A session that was cut after messages came is no reason for care.
func TestLearnAfterProgress(t *testing.T) {
	t.Parallel()
	var known care
	f := &fetch{Session: &Session{care: &known}, refs: mail.Refs{Mailbox: mail.Inbox}, well: 1}
	if err := f.learn(&mail.Error{Class: mail.ClassConnect}); err != nil || known.needed(mail.Inbox) {
		t.Errorf("got %v, and careful is %v", err, known.needed(mail.Inbox))
	}
}

// However many messages a server spoils, what is remembered is bounded.
func TestCareIsBounded(t *testing.T) {
	t.Parallel()
	var c care
	ref := func(uid mail.UID) mail.Ref { return mail.Ref{Mailbox: mail.Inbox, Validity: 7, UID: uid} }
	for uid := range mail.UID(10 * maxBlamed) {
		c.blame(ref(uid + 1))
		if len(c.blamed) > maxBlamed {
			t.Fatalf("%d are remembered", len(c.blamed))
		}
	}
	c.blame(ref(1))
	c.blame(ref(2))
	refs := mail.Refs{Mailbox: mail.Inbox, Validity: 7, UIDs: mail.UIDSet{{Lo: 1, Hi: 3}}}
	if alone := c.among(refs); alone.String() != "1:2" {
		t.Errorf("alone are %v", alone)
	}
	c.well(ref(2))
	if alone := c.among(refs); alone.String() != "1" || len(c.blamed) != 1 {
		t.Errorf("after one went well alone are %v, and %d are remembered", alone, len(c.blamed))
	}
	c.well(mail.Ref{Mailbox: "Other"})
	if len(c.careful) != 0 {
		t.Errorf("counts are kept of %v", c.careful)
	}
}

// What one session taught about the server is not believed until the daemon ends.
func TestCareForgetsTheServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c care
		if c.isPlain() || !c.parts() {
			t.Error("something is believed from the beginning")
		}
		c.bePlain()
		c.sendsNoParts()
		for _, wait := range []time.Duration{0, believed - time.Second} {
			if time.Sleep(wait); !c.isPlain() || c.parts() {
				t.Errorf("forgotten already: plain is %v, parts %v", c.isPlain(), c.parts())
			}
		}
		if time.Sleep(time.Second); c.isPlain() || !c.parts() {
			t.Errorf("believed still: plain is %v, parts %v", c.isPlain(), c.parts())
		}
	})
}

// An answer that cannot be read costs its message and a connection or two,
// not the mailbox.
func TestFetchPoison(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"garbage behind a body": "* %d FETCH (UID %d BODY[] {3}\r\nbad]]]",
		"no list":               "* %d FETCH UID %d",
		"an open quote":         `* %d FETCH (UID %d INTERNALDATE "31-Feb-2024)`,
		"a literal of no size":  "* %d FETCH (UID %d BODY[] {9999999999999}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &peer{caps: "ESEARCH", messages: sized(40, 300)}
			p.on = forBodies(func(c *talk, tag, set string, _ bool) {
				sendBut(p, c, set, 12, false, fmt.Sprintf(line, 3, 12))
				c.printf("%s OK done", tag)
			})
			whole, failed, ended := passes(t, p, p.listen(t))
			if whole.Len() != 39 || failed.String() != "12" {
				t.Errorf("whole are %v, failed %v; sessions ended with %v", whole, failed, ended)
			}
		})
	}
}

// A message that only its date makes unreadable comes without the date.
func TestFetchBlamedWithLess(t *testing.T) {
	t.Parallel()
	p := &peer{caps: "ESEARCH", messages: sized(40, 300)}
	p.on = func(c *talk, tag, command string) bool {
		return forBodies(func(c *talk, tag, set string, _ bool) {
			bad := strings.Contains(command, "INTERNALDATE")
			sendBut(p, c, set, 12, !bad, `* 3 FETCH (UID 12 INTERNALDATE "31-Feb-2024 BODY[] NIL)`)
			c.printf("%s OK done", tag)
		})(c, tag, command)
	}
	source := p.listen(t)
	whole, failed, ended := passes(t, p, source)
	if whole.Len() != 40 || len(ended) != 2 {
		t.Errorf("whole are %v, failed %v; sessions ended with %v", whole, failed, ended)
	}
	if len(source.care.blamed) != 0 {
		t.Errorf("%v are blamed still", source.care.blamed)
	}
}

// An empty body is a message's only where the server says that it has no bytes:
// to store an empty file and never ask again would lose a message.
func TestFetchEmptyOfUnknownSize(t *testing.T) {
	t.Parallel()
	p := &peer{caps: "ESEARCH", messages: sized(3, 500)}
	p.on = func(c *talk, tag, command string) bool {
		if !strings.Contains(command, "BODY.PEEK[]") {
			return false
		}
		if !strings.Contains(command, "RFC822.SIZE") {
			t.Errorf("the size is not asked for in %q", command)
		}
		c.printf("* 2 FETCH (UID 11 BODY[] {0}\r\n)")
		c.printf("%s OK done", tag)
		return true
	}
	for _, blamed := range []bool{false, true} {
		source := p.listen(t)
		session, _ := selectInbox(t, source)
		refs := mail.Refs{Mailbox: mail.Inbox, Validity: 7, UIDs: mail.UIDSet{{Lo: 11, Hi: 11}}}
		if blamed {
			source.care.blame(mail.Ref{Mailbox: mail.Inbox, Validity: 7, UID: 11})
		}
		b := newBox(t)
		if err := session.Fetch(context.Background(), refs, b); err != nil {
			t.Fatalf("fetch: %v", err)
		}
		if err := b.failed[11]; !errors.Is(err, errNoBody) {
			t.Errorf("blamed before %v: uid 11 ended with %v, whole are %v", blamed, err, b.whole)
		}
	}
}
