package faults

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// t12Case is a server that changes what it calls its messages. The account
// pulls everything, change happens, and it pulls again, and once more.
type t12Case struct {
	name   string
	change func(c *t12)
	want   t12Want
}

// t12Want is what the pass behind the change does. Whatever it is, no message
// that the archive had may be lost or stand twice.
type t12Want struct {
	new     int    // messages that are stored
	fetched int    // bodies that are asked for; what is new and what is compared
	err     string // part of the error; empty: the pass is complete
}

// t12 is one account and its server, of which one is set.
type t12 struct {
	*rig
	imap *mailtest.IMAPServer
	pop3 *mailtest.POP3Server
}

func t12Bodies() []string {
	return []string{"one\r\n", "two\r\n", "three\r\nbare\n\r\n", "", "five\r\n", "six\r\n"}
}

func t12IMAP() *t12 {
	s := &mailtest.IMAPServer{Caps: "ESEARCH LIST-STATUS", Boxes: []*mailtest.IMAPBox{
		mailtest.NewIMAPBox("INBOX", t12Bodies()...), mailtest.NewIMAPBox("Work", "w1\r\n", "w2\r\n"),
	}}
	return &t12{rig: imapRig(s), imap: s}
}

func t12POP3() *t12 {
	s := &mailtest.POP3Server{Messages: mailtest.POP3Messages(t12Bodies()...)}
	return &t12{rig: pop3Rig(s), pop3: s}
}

// inbox is the IMAP server's INBOX, changed by fn.
func (c *t12) inbox(fn func(box *mailtest.IMAPBox)) { c.imap.Change(func() { fn(c.imap.Boxes[0]) }) }

// arrive adds a message to INBOX.
func (c *t12) arrive(uid mail.UID, body string) {
	c.inbox(func(box *mailtest.IMAPBox) {
		box.Messages = append(box.Messages, mailtest.IMAPMessage{UID: uid, Body: body})
		c.oracle.Add([]byte(body), imapRef(box, uid))
	})
}

// renumber gives INBOX another UIDVALIDITY and its messages other UIDs.
func (c *t12) renumber(validity uint32, number func(i int) mail.UID) {
	c.inbox(func(box *mailtest.IMAPBox) {
		before := *box
		box.UIDValidity, box.UIDNext = validity, 0
		box.Messages = nil
		for i, m := range before.Messages {
			from := imapRef(&before, m.UID)
			m.UID = number(i)
			box.Messages = append(box.Messages, m)
			c.oracle.Renamed(from, imapRef(box, m.UID))
		}
	})
}

// keep leaves the first n messages of INBOX on the server.
func (c *t12) keep(n int) {
	c.inbox(func(box *mailtest.IMAPBox) {
		for _, m := range box.Messages[n:] {
			c.oracle.Gone(imapRef(box, m.UID))
		}
		box.UIDNext = uint32(box.Messages[len(box.Messages)-1].UID) + 1
		box.Messages = box.Messages[:n]
	})
}

// says has the IMAP server answer commands with this prefix in another way.
func (c *t12) says(prefix string, answer func(talk *mailtest.IMAPTalk, tag, command string)) {
	c.imap.On = func(talk *mailtest.IMAPTalk, tag, command string) bool {
		if !strings.HasPrefix(command, prefix) {
			return false
		}
		answer(talk, tag, command)
		return true
	}
}

// drop changes the maildrop.
func (c *t12) drop(fn func(messages []mailtest.POP3Message) []mailtest.POP3Message) {
	c.pop3.SetMessages(fn(slices.Clone(c.pop3.Messages))...)
}

// reidentify gives those messages of the maildrop other unique-ids.
func (c *t12) reidentify(from int) {
	c.drop(func(messages []mailtest.POP3Message) []mailtest.POP3Message {
		for i := from; i < len(messages); i++ {
			before := pop3Ref(messages[i])
			messages[i].UIDL = fmt.Sprintf("new-%d", i)
			c.oracle.Renamed(before, pop3Ref(messages[i]))
		}
		return messages
	})
}

// forget removes records from the state folder, as somebody does who thinks
// that it helps.
func (c *t12) forget(names ...string) {
	state, err := c.disk.Sub("state")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		if err := state.Remove(name); err != nil {
			panic(err)
		}
	}
}

// fetched counts the bodies that were asked for.
func (c *t12) fetched() int {
	if c.pop3 != nil {
		return len(c.pop3.Heard("RETR"))
	}
	n := 0
	for _, command := range c.imap.Heard("UID FETCH") {
		set, err := mail.ParseUIDSet(strings.Fields(command)[2])
		if err != nil || !strings.Contains(command, "BODY") {
			continue // it lists
		}
		n += set.Len()
	}
	return n
}

// t12IMAPCases are what IMAP servers do to UIDVALIDITY and UIDs.
func t12IMAPCases() []t12Case {
	same := func(i int) mail.UID { return mail.UID(i + 1) }
	return []t12Case{
		{"nothing changed", func(*t12) {}, t12Want{}},
		{"uidvalidity changed, the same uids", func(c *t12) { c.renumber(8, same) }, t12Want{fetched: 6}},
		{"uidvalidity changed, other uids", func(c *t12) { c.renumber(8, func(i int) mail.UID { return mail.UID(100 + 7*i) }) }, t12Want{fetched: 6}},
		{"uidvalidity became smaller", func(c *t12) { c.renumber(3, same) }, t12Want{fetched: 6}},
		{"uidvalidity changed and new mail came", func(c *t12) { c.renumber(8, same); c.arrive(7, "seven\r\n") }, t12Want{new: 1, fetched: 7}},
		{"uidvalidity changed and half is gone", func(c *t12) { c.keep(3); c.renumber(8, same) }, t12Want{fetched: 3}},
		{"uidvalidity changed and changed back", func(c *t12) {
			c.renumber(8, same)
			c.pull()
			c.renumber(7, same)
		}, t12Want{fetched: 6}},
		{"uidvalidity changed while the checkpoint was deleted", func(c *t12) { c.renumber(8, same); c.forget("checkpoint") }, t12Want{fetched: 6}},
		{"uidvalidity changed while all records were deleted", func(c *t12) { c.renumber(8, same); c.forget("checkpoint", "manifest") }, t12Want{fetched: 8}},
		{"all records deleted", func(c *t12) { c.forget("checkpoint", "manifest") }, t12Want{fetched: 8}},
		{"checkpoint deleted", func(c *t12) { c.forget("checkpoint") }, t12Want{}},
		{"uidvalidity is 0", func(c *t12) { c.arrive(7, "seven\r\n"); c.validity("[UIDVALIDITY 0]") }, t12Want{err: "UIDVALIDITY"}},
		{"uidvalidity is missing", func(c *t12) { c.arrive(7, "seven\r\n"); c.validity("") }, t12Want{err: "UIDVALIDITY"}},
		{"uidvalidity is not a number", func(c *t12) { c.arrive(7, "seven\r\n"); c.validity("[UIDVALIDITY x]") }, t12Want{err: "UIDVALIDITY"}},
		{"uidvalidity is too large", func(c *t12) { c.arrive(7, "seven\r\n"); c.validity("[UIDVALIDITY 4294967296]") }, t12Want{err: "UIDVALIDITY"}},
		{"uidvalidity in lower case", func(c *t12) { c.arrive(7, "seven\r\n"); c.validity("[uidvalidity 7]") }, t12Want{new: 1, fetched: 1}},
		{"uids with gaps up to the last one", func(c *t12) { c.arrive(1000, "a\r\n"); c.arrive(4294967295, "b\r\n") }, t12Want{new: 2, fetched: 2}},
		{"a uid is used again for another message", func(c *t12) {
			c.inbox(func(box *mailtest.IMAPBox) {
				c.oracle.Gone(imapRef(box, 6))
				box.Messages[5].Body = "another six\r\n"
			})
		}, t12Want{}},
		{"a uid is used again while all records were deleted", func(c *t12) {
			c.inbox(func(box *mailtest.IMAPBox) {
				c.oracle.Gone(imapRef(box, 6))
				box.Messages[5].Body = "another six\r\n"
			})
			c.forget("checkpoint", "manifest")
		}, t12Want{fetched: 8, err: "differs from what the server sends"}},
		{"expunged between listing and fetching", func(c *t12) {
			c.arrive(7, "seven\r\n")
			c.arrive(8, "eight\r\n")
			c.says("UID ", func(talk *mailtest.IMAPTalk, tag, command string) {
				switch {
				case strings.HasPrefix(command, "UID SEARCH UID"):
					talk.Printf("* SEARCH")
					talk.Printf("%s OK done", tag)
					return
				case strings.HasPrefix(command, "UID SEARCH"):
					talk.Answer(tag, command)
					return
				}
				talk.Printf("* 7 EXPUNGE")
				talk.Printf("* 7 FETCH (UID 8 FLAGS () INTERNALDATE \"17-Jul-2024 02:44:25 -0700\" RFC822.SIZE 7 BODY[] {7}\r\neight\r\n)")
				talk.Printf("%s OK done", tag)
			})
			c.oracle.Gone(imapRef(c.imap.Boxes[0], 7))
		}, t12Want{new: 1, fetched: 3}},
		{"uidnext lies and the count grew", func(c *t12) {
			c.arrive(7, "seven\r\n")
			c.inbox(func(box *mailtest.IMAPBox) { box.UIDNext = 7 })
		}, t12Want{new: 1, fetched: 1}},
		{"the mailbox was renamed", func(c *t12) {
			c.imap.Change(func() {
				work := c.imap.Boxes[1]
				for _, m := range work.Messages {
					c.oracle.Gone(imapRef(work, m.UID))
				}
				renamed := *work
				renamed.Name = "Arbeit"
				c.imap.Boxes[1] = &renamed
				for _, m := range renamed.Messages {
					c.oracle.Add([]byte(m.Body), imapRef(&renamed, m.UID))
				}
			})
		}, t12Want{new: 2, fetched: 2}},
		{"the mailbox vanished", func(c *t12) {
			c.imap.Change(func() {
				for _, m := range c.imap.Boxes[1].Messages {
					c.oracle.Gone(imapRef(c.imap.Boxes[1], m.UID))
				}
				c.imap.Boxes = c.imap.Boxes[:1]
			})
		}, t12Want{}},
		{"the mailbox shrank", func(c *t12) { c.keep(2) }, t12Want{}},
		{"the mailbox was emptied", func(c *t12) {
			c.inbox(func(box *mailtest.IMAPBox) {
				for _, m := range box.Messages {
					c.oracle.Gone(imapRef(box, m.UID))
				}
				box.Messages, box.UIDNext = nil, 7
			})
		}, t12Want{}},
		{"uidvalidity differs between status and examine", func(c *t12) {
			c.says("LIST", func(talk *mailtest.IMAPTalk, tag, command string) {
				talk.Printf(`* STATUS "INBOX" (MESSAGES 6 UIDNEXT 7 UIDVALIDITY 99)`)
				talk.Answer(tag, command)
			})
		}, t12Want{}},
		{"search lists what is not there", func(c *t12) {
			c.arrive(7, "seven\r\n")
			c.says("UID SEARCH", func(talk *mailtest.IMAPTalk, tag, _ string) {
				talk.Printf("* ESEARCH (TAG %q) UID ALL 1:9", tag)
				talk.Printf("%s OK done", tag)
			})
		}, t12Want{new: 1, fetched: 5}},
	}
}

// validity replaces the code that tells UIDVALIDITY in the answer to EXAMINE.
func (c *t12) validity(code string) {
	c.says("EXAMINE", func(talk *mailtest.IMAPTalk, tag, command string) {
		if !strings.Contains(command, "INBOX") {
			talk.Answer(tag, command)
			return
		}
		talk.Quietly(func() { talk.Answer(tag, command) })
		talk.Printf("* 7 EXISTS")
		talk.Printf("* OK %s hello", code)
		talk.Printf("* OK [UIDNEXT 8] hello")
		talk.Printf("%s OK [READ-ONLY] done", tag)
	})
}

// t12POP3Cases are what POP3 servers do to unique-ids.
func t12POP3Cases() []t12Case {
	type messages = []mailtest.POP3Message
	return []t12Case{
		{"nothing changed", func(*t12) {}, t12Want{}},
		{"all unique-ids are new", func(c *t12) { c.reidentify(0) }, t12Want{fetched: 6}},
		{"all unique-ids are new and new mail came", func(c *t12) { c.reidentify(0); c.post("u9", "nine\r\n") }, t12Want{new: 1, fetched: 7}},
		{"all unique-ids are new and half is gone", func(c *t12) {
			c.drop(func(m messages) messages {
				for _, gone := range m[3:] {
					c.oracle.Gone(pop3Ref(gone))
				}
				return m[:3]
			})
			c.reidentify(0)
		}, t12Want{fetched: 3}},
		{"all unique-ids are new while the checkpoint was deleted", func(c *t12) { c.reidentify(0); c.forget("checkpoint") }, t12Want{fetched: 6}},
		{"all unique-ids are new while all records were deleted", func(c *t12) { c.reidentify(0); c.forget("checkpoint", "manifest") }, t12Want{fetched: 6}},
		{"half of the unique-ids are new", func(c *t12) { c.reidentify(3) }, t12Want{fetched: 3}},
		{"one unique-id is new", func(c *t12) { c.reidentify(5) }, t12Want{fetched: 1}},
		{"the order changed", func(c *t12) { c.drop(func(m messages) messages { slices.Reverse(m); return m }) }, t12Want{}},
		{"a unique-id stands twice", func(c *t12) {
			c.drop(func(m messages) messages { return append(m, mailtest.POP3Message{UIDL: "u1", Body: "another\r\n"}) })
		}, t12Want{err: "u1"}},
		{"a unique-id is used again for another message", func(c *t12) {
			c.drop(func(m messages) messages {
				c.oracle.Gone(pop3Ref(m[5]))
				m[5].Body = "another six\r\n"
				return m
			})
		}, t12Want{}},
		{"a unique-id is used again while all records were deleted", func(c *t12) {
			c.drop(func(m messages) messages {
				c.oracle.Gone(pop3Ref(m[5]))
				m[5].Body = "another six\r\n"
				return m
			})
			c.forget("checkpoint", "manifest")
		}, t12Want{fetched: 6, err: "differs from what the server sends"}},
		{"the maildrop shrank", func(c *t12) {
			c.drop(func(m messages) messages {
				for _, gone := range m[1:] {
					c.oracle.Gone(pop3Ref(gone))
				}
				return m[:1]
			})
		}, t12Want{}},
		{"the maildrop was emptied", func(c *t12) {
			c.drop(func(m messages) messages {
				for _, gone := range m {
					c.oracle.Gone(pop3Ref(gone))
				}
				return nil
			})
		}, t12Want{}},
		{"checkpoint deleted", func(c *t12) { c.forget("checkpoint") }, t12Want{}},
		{"all records deleted", func(c *t12) { c.forget("checkpoint", "manifest") }, t12Want{fetched: 6}},
	}
}

// post adds a message to the maildrop.
func (c *t12) post(uidl, body string) {
	m := mailtest.POP3Message{UIDL: uidl, Body: body}
	c.drop(func(messages []mailtest.POP3Message) []mailtest.POP3Message { return append(messages, m) })
	c.oracle.Add([]byte(body), pop3Ref(m))
}

// pull makes a pass that must be complete.
func (c *t12) pull() {
	if _, err := c.pass(context.Background()); err != nil {
		panic(err)
	}
}

// Whatever a server does to the names of its messages, none that the archive
// had is lost, and none comes to stand twice.
func TestT12Identity(t *testing.T) {
	t.Parallel()
	n := 0
	for protocol, suite := range map[string]struct {
		fresh func() *t12
		cases []t12Case
	}{
		"imap": {t12IMAP, t12IMAPCases()},
		"pop3": {t12POP3, t12POP3Cases()},
	} {
		for _, tt := range suite.cases {
			n++
			t.Run(protocol+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				c := suite.fresh()
				c.pull()
				before := c.fetched()
				tt.change(c)
				if tt.want.fetched += before; strings.Contains(tt.name, "changed back") {
					tt.want.fetched += 6
				}
				c.checkPass(t, tt.want)
			})
		}
	}
	mailtest.Figure(t, "T12", "identity cases", n, 25)
}

// checkPass makes the pass behind the change, and one that has nothing to do.
func (c *t12) checkPass(t *testing.T, want t12Want) {
	t.Helper()
	result, err := c.pass(t.Context())
	if want.err == "" && err != nil || want.err != "" && (err == nil || !strings.Contains(err.Error(), want.err)) {
		t.Errorf("error %v, want %q", err, want.err)
	}
	if result.New != want.new || c.fetched() != want.fetched {
		t.Errorf("%d new, %d bodies asked for; want %d, %d", result.New, c.fetched(), want.new, want.fetched)
	}
	c.check(t, err == nil)
	if again, err := c.pass(t.Context()); again.New != 0 || err != nil && want.err == "" {
		t.Errorf("a later pass: %d new, %v", again.New, err)
	}
	c.check(t, err == nil)
}
