package faults

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

// t14Messages is how many messages a mailbox of T14 has, one of them poison.
const t14Messages = 200

// t14Poison is the UID of the poison, and its place in a maildrop from 1.
const t14Poison = 77

// t14Case is one kind of poison.
type t14Case struct {
	// taken is set where mailpull can have the message all the same.
	taken bool

	rig *rig

	// asked counts how often the poison's body was asked for, bodies how often
	// any was.
	asked, bodies *atomic.Int64

	// healed makes the server give the message out.
	healed *atomic.Bool
}

func t14New(taken bool) *t14Case {
	return &t14Case{taken: taken, asked: new(atomic.Int64), bodies: new(atomic.Int64), healed: new(atomic.Bool)}
}

// t14Bodies are 200 small messages.
func t14Bodies() []string {
	bodies := make([]string, t14Messages)
	for i := range bodies {
		bodies[i] = fmt.Sprintf("Subject: message %d\r\nMessage-ID: <%d@example.com>\r\n\r\ntext %d\r\n", i+1, i+1, i+1)
	}
	return bodies
}

// t14IMAP is a server whose poison is answered by poison, which gets the
// honest answer; it returns false when the command is over.
func t14IMAP(taken bool, poison func(c *mailtest.IMAPTalk, tag, honest string) bool) func() *t14Case {
	return func() *t14Case {
		k := t14New(taken)
		box := mailtest.NewIMAPBox("INBOX", t14Bodies()...)
		server := &mailtest.IMAPServer{Boxes: []*mailtest.IMAPBox{box}}
		server.On = func(c *mailtest.IMAPTalk, tag, command string) bool {
			_, args, ok := strings.Cut(command, "FETCH ") // by UID or by number: here they are the same
			set, items, _ := strings.Cut(args, " ")
			if !ok || !strings.Contains(items, "BODY.PEEK[]") {
				return false
			}
			for i, m := range box.Messages {
				if !mailtest.InIMAPSet(set, i+1) {
					continue
				}
				k.bodies.Add(1)
				if i+1 != t14Poison {
					c.SayFetch(i+1, m, items)
					continue
				}
				k.asked.Add(1)
				if k.healed.Load() {
					c.SayFetch(i+1, m, items)
				} else if !poison(c, tag, t14Fetch(m, items)) {
					return true
				}
			}
			c.Printf("%s OK done", tag)
			return true
		}
		k.rig = imapRig(server)
		return k
	}
}

// t14Fetch is the honest answer for the poison, with the items that were asked
// for.
func t14Fetch(m mailtest.IMAPMessage, items string) string {
	told := fmt.Sprintf("UID %d RFC822.SIZE %d", m.UID, len(m.Body))
	if strings.Contains(items, "FLAGS") {
		told += ` FLAGS (\Seen)`
	}
	if strings.Contains(items, "INTERNALDATE") {
		told += ` INTERNALDATE "17-Jul-2024 02:44:25 -0700"`
	}
	return fmt.Sprintf("* %d FETCH (%s BODY[] {%d}\r\n%s)\r\n", t14Poison, told, len(m.Body), m.Body)
}

// t14Instead writes the honest answer with a part of it changed.
func t14Instead(taken bool, part, by string) func() *t14Case {
	return t14IMAP(taken, func(c *mailtest.IMAPTalk, _, honest string) bool {
		c.Raw(strings.Replace(honest, part, by, 1))
		return true
	})
}

// t14Cut writes the honest answer to the middle of its body.
func t14Cut(c *mailtest.IMAPTalk, honest string) { c.Raw(honest[:len(honest)-20]) }

// t14POP3 is a maildrop whose poison is answered by poison, which gets the
// text of the honest answer with its end.
func t14POP3(taken bool, poison func(c *mailtest.POP3Talk, honest string)) func() *t14Case {
	return func() *t14Case {
		k := t14New(taken)
		server := &mailtest.POP3Server{Messages: mailtest.POP3Messages(t14Bodies()...)}
		server.On = func(c *mailtest.POP3Talk, command string) bool {
			if !strings.HasPrefix(command, "RETR ") {
				return false
			}
			k.bodies.Add(1)
			if command != fmt.Sprint("RETR ", t14Poison) {
				return false
			}
			k.asked.Add(1)
			if k.healed.Load() {
				return false
			}
			poison(c, "+OK\r\n"+server.Messages[t14Poison-1].Body+".\r\n")
			return true
		}
		k.rig = pop3Rig(server)
		return k
	}
}

// t14Cases are the kinds of poison, by protocol and name.
func t14Cases() map[string]func() *t14Case {
	type imapTalk = *mailtest.IMAPTalk
	type pop3Talk = *mailtest.POP3Talk
	return map[string]func() *t14Case{
		"imap date nil":        t14Instead(true, `"17-Jul-2024 02:44:25 -0700"`, "NIL"),
		"imap date 31-Feb":     t14Instead(true, "17-Jul-2024", "31-Feb-2024"),
		"imap flag with ]":     t14Instead(true, `(\Seen)`, `(\Seen odd])`),
		"imap keyword utf-8":   t14Instead(true, `(\Seen)`, "(\\Seen wichtig-\u00fc)"),
		"imap size -1":         t14Instead(true, "RFC822.SIZE ", "RFC822.SIZE -"),
		"imap uid over 32 bit": t14Instead(false, "UID 77", "UID 4294967373"),
		"imap body nil":        t14Instead(false, "BODY[] {", "BODY[] NIL X {"),
		"imap literal of 1 TB": t14Instead(false, "BODY[] {", "BODY[] {1000000000000}\r\n{"),
		"imap garbage":         t14Instead(false, "* 77 FETCH", "<html>"),
		"imap cut": t14IMAP(false, func(c imapTalk, _, honest string) bool {
			t14Cut(c, honest)
			c.HangUp()
			return false
		}),
		"imap bye": t14IMAP(false, func(c imapTalk, _, _ string) bool {
			c.Printf("* BYE internal error")
			c.HangUp()
			return false
		}),
		"imap no": t14IMAP(false, func(c imapTalk, tag, _ string) bool {
			c.Printf("%s NO [SERVERBUG] cannot read the message", tag)
			return false
		}),
		"imap stall": t14IMAP(false, func(c imapTalk, _, honest string) bool {
			t14Cut(c, honest)
			c.Stall()
			return false
		}),
		"pop3 err":     t14POP3(false, func(c pop3Talk, _ string) { c.Raw("-ERR cannot read the message\r\n") }),
		"pop3 garbage": t14POP3(false, func(c pop3Talk, _ string) { c.Raw("<html>\r\n") }),
		"pop3 no end":  t14POP3(false, func(c pop3Talk, honest string) { c.Raw(strings.TrimSuffix(honest, ".\r\n")) }),
		"pop3 stall": t14POP3(false, func(c pop3Talk, honest string) {
			c.Raw(honest[:len(honest)-10])
			c.Stall()
		}),
		"pop3 cut": t14POP3(false, func(c pop3Talk, honest string) {
			c.Raw(honest[:len(honest)-10])
			c.HangUp()
		}),
		"pop3 line without end": t14POP3(false, func(c pop3Talk, _ string) {
			c.Raw("+OK")
			for c.Alive() {
				c.Raw(strings.Repeat("x", 64<<10))
			}
		}),
	}
}

// t14Lost are the kinds at which the connection is lost and the server says
// nothing. That may be the network, so two more passes ask at once.
func t14Lost() []string {
	return []string{"imap cut", "imap stall", "pop3 cut", "pop3 stall", "pop3 no end"}
}

// TestT14Poison gives an account one message of 200 that cannot be had, of each
// kind: all others arrive, runs are quiet and leave it alone until it is due,
// then ask again; ignored it is never asked for; healed it arrives.
func TestT14Poison(t *testing.T) {
	t.Parallel()
	cases := t14Cases()
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := cases[name]()
				defer k.rig.link.Wait()
				if k.taken {
					k.mustBringAll(t)
					return
				}
				k.mustFail(t)
				if slices.Contains(t14Lost(), name) {
					k.mustFail(t)
					k.mustFail(t)
				}
				k.mustBeQuiet(t)
				time.Sleep(time.Hour) // the bubble's clock, not the wall's
				k.mustFail(t)
				k.mustBeQuiet(t)
				time.Sleep(3 * time.Hour)
				k.mustBeQuiet(t)
				k.change(t, func(q *mail.Quarantined) { q.Ignored = true })
				time.Sleep(30 * 24 * time.Hour)
				k.mustBeQuiet(t)
				k.change(t, func(q *mail.Quarantined) { q.Ignored = false })
				k.healed.Store(true)
				k.mustBringAll(t)
			})
		})
	}
	mailtest.Figure(t, "T14", "poison kinds", len(cases), 10)
}

// pass makes a pass and holds the disk against the promises.
func (k *t14Case) pass(t *testing.T) (pull.Result, error) {
	t.Helper()
	r, err := k.rig.pass(t.Context())
	k.rig.check(t, false)
	return r, err
}

// mustBringAll makes a pass after which nothing is missing or in quarantine.
func (k *t14Case) mustBringAll(t *testing.T) {
	t.Helper()
	r, err := k.pass(t)
	if err != nil || r.Mailboxes[0].Archived != t14Messages || r.Quarantined != 0 || len(k.inQuarantine(t)) != 0 {
		t.Fatalf("got %v, %+v", err, r)
	}
	k.rig.check(t, true)
}

// mustFail makes a pass that asks for the poison, names it and puts it into
// quarantine.
func (k *t14Case) mustFail(t *testing.T) {
	t.Helper()
	asked := k.asked.Load()
	r, err := k.pass(t)
	if mail.ErrorScope(err) != mail.ScopeMessage || !strings.Contains(err.Error(), fmt.Sprint(t14Poison)) {
		t.Fatalf("got %v, want an error of message %d", err, t14Poison)
	}
	if m := r.Mailboxes[0]; m.Archived != t14Messages-1 || m.Missing != 1 || k.asked.Load() == asked {
		t.Fatalf("asked for the poison %d times: got %+v", k.asked.Load()-asked, m)
	}
	if q := k.inQuarantine(t); len(q) != 1 || q[0].Ref.UID != t14Poison && q[0].Ref.UIDL != "u77" || q[0].Reason == "" {
		t.Fatalf("in quarantine: %+v", q)
	}
}

// mustBeQuiet makes a pass that asks for no message and says nothing.
func (k *t14Case) mustBeQuiet(t *testing.T) {
	t.Helper()
	bodies := k.bodies.Load()
	r, err := k.pass(t)
	if err != nil || !r.Complete || r.Quarantined != 1 || k.bodies.Load() != bodies {
		t.Fatalf("asked for %d messages: got %v, %+v", k.bodies.Load()-bodies, err, r)
	}
}

func (k *t14Case) inQuarantine(t *testing.T) []mail.Quarantined {
	t.Helper()
	p, err := k.rig.open()
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	return p.checkpoint.Quarantined(mail.Inbox)
}

// change changes what is in quarantine, as the command does.
func (k *t14Case) change(t *testing.T, fn func(*mail.Quarantined)) {
	t.Helper()
	p, err := k.rig.open()
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	entries := p.checkpoint.Quarantined(mail.Inbox)
	for i := range entries {
		fn(&entries[i])
	}
	if err := p.checkpoint.Quarantine(entries); err != nil {
		t.Fatal(err)
	}
	if err := p.checkpoint.Commit(nil); err != nil {
		t.Fatal(err)
	}
}
