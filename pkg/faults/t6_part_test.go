package faults

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

// A maildrop so long that it is listed in part. Whatever its server says
// meanwhile, each message comes once, and what no proof can show a day later.

// t6Long are the messages of such a maildrop.
func t6Long(first, messages int) []mailtest.POP3Message {
	long := make([]mailtest.POP3Message, messages)
	for i := range long {
		long[i] = mailtest.POP3Message{UIDL: fmt.Sprintf("id%d", first+i), Body: fmt.Sprintf("Subject: %06d\r\n\r\n", first+i)}
	}
	return long
}

// t6Part is an account over a long maildrop, with all of it in the archive.
type t6Part struct {
	*rig
	t      *testing.T
	server *mailtest.POP3Server
	lies   map[string]string // answers to whole lines of the client
	heard  int               // lines of earlier passes
}

func newT6Part(t *testing.T) *t6Part {
	server := &mailtest.POP3Server{Messages: t6Long(1, 10_000)}
	p := &t6Part{t: t, server: server, lies: map[string]string{}}
	server.On = func(c *mailtest.POP3Talk, command string) bool {
		answer, lie := p.lies[command]
		if lie {
			c.Raw(answer)
		}
		return lie
	}
	p.rig = pop3Rig(server)
	p.mustList("first", true)
	return p
}

// add puts messages at a place of the maildrop.
func (p *t6Part) add(place int, messages ...mailtest.POP3Message) {
	p.server.SetMessages(slices.Insert(p.server.Maildrop(), place, messages...)...)
	for _, m := range messages {
		p.oracle.Add([]byte(m.Body), pop3Ref(m))
	}
}

// once makes a pass and reports whether it asked for the whole list.
func (p *t6Part) once() (result pull.Result, whole bool, err error) {
	result, err = p.pass(p.t.Context())
	heard := p.server.Heard("")
	whole = slices.Contains(heard[p.heard:], "UIDL")
	p.heard = len(heard)
	return result, whole, err
}

// mustList makes a pass that is complete and asks for the whole list, or not.
func (p *t6Part) mustList(name string, want bool) pull.Result {
	p.t.Helper()
	result, whole, err := p.once()
	if err != nil || whole != want {
		p.t.Errorf("%s: listed whole %t, %v", name, whole, err)
	}
	messages := len(p.server.Maildrop())
	if m := result.Mailboxes[0]; m.Server != messages || m.Archived != messages {
		p.t.Errorf("%s: %+v, want %d messages", name, m, messages)
	}
	return result
}

// mustBeWhole judges the archive.
func (p *t6Part) mustBeWhole(name string) {
	p.t.Helper()
	if breaches, err := p.judge(true); err != nil || len(breaches) > 0 {
		p.t.Errorf("%s: %v, %v", name, breaches, err)
	}
}

func TestT6ListedInPart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newT6Part(t)
		p.mustList("no news", false)
		p.add(10_000, t6Long(20_001, 3)...)
		if r := p.mustList("three new", false); r.New != 3 {
			t.Errorf("three new: %d came", r.New)
		}
		p.mustBeWhole("three new")
		p.lie()
		p.cut()
		p.server.SetMessages(p.server.Maildrop()[1:]...)
		p.mustList("one gone", true)
		p.mustList("no news", false)
		p.hide()
	})
}

// lie makes the server say in each place what is not so: all are listed.
func (p *t6Part) lie() {
	for command, answer := range map[string]string{
		"STAT": "+OK 10003 1\r\n", "UIDL 1": "-ERR what?\r\n", "UIDL 10003": "+OK 10003 other\r\n", "UIDL 1250": "+OK\r\n",
	} {
		p.lies = map[string]string{command: answer}
		if _, whole, err := p.once(); !whole || err != nil {
			p.t.Errorf("%q to %s: listed whole %t, %v", answer, command, whole, err)
		}
		p.lies = nil
		p.mustList("behind "+command, command == "STAT") // which the checkpoint remembers
		p.mustList("and then", false)
	}
}

// cut ends connections in the middle: nothing is overlooked, and nothing comes
// twice.
func (p *t6Part) cut() {
	for i := range int64(24) {
		p.add(len(p.server.Maildrop()), t6Long(40_001+int(i)*4, 4)...)
		p.link.Cut(20+i*28, []mailtest.Ending{mailtest.EndEOF, mailtest.EndReset, mailtest.EndStall}[i%3])
		if _, _, err := p.once(); !p.link.WasCut() {
			p.t.Errorf("cut %d: it was not, %v", i, err)
		}
		if _, _, err := p.once(); err != nil {
			p.t.Errorf("behind cut %d: %v", i, err)
		}
	}
	p.mustBeWhole("cut")
	if len(p.server.Heard("LIST 10015")) == 0 {
		p.t.Error("nothing was listed in part")
	}
}

// hide puts a message into the middle while one of the same size goes. It is
// found within a day, and the server is never trusted again.
func (p *t6Part) hide() {
	p.add(4000, t6Long(30_001, 1)...)
	drop := p.server.Maildrop()
	p.server.SetMessages(slices.Delete(drop, 4500, 4501)...)
	if r := p.mustList("hidden", false); r.New != 0 {
		p.t.Errorf("hidden: %d came", r.New)
	}
	time.Sleep(24 * time.Hour)
	if r := p.mustList("a day later", true); r.New != 1 {
		p.t.Errorf("a day later: %d came", r.New)
	}
	p.mustBeWhole("a day later")
	p.mustList("once and for all", true)
}
