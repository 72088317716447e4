package imap

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailpull/pkg/mail"
	"mailpull/pkg/wire"
)

// listed lists the peer's mailboxes.
func listed(t *testing.T, p *peer) []mail.Mailbox {
	t.Helper()
	boxes, err := open(t, p.listen(t)).Mailboxes(context.Background())
	if err != nil {
		t.Fatalf("mailboxes: %v", err)
	}
	return boxes
}

// names returns the names of mailboxes, separated by commas.
func names(boxes []mail.Mailbox) string {
	var all []string
	for _, box := range boxes {
		all = append(all, string(box.Name))
	}
	return strings.Join(all, ",")
}

func TestMailboxesPlain(t *testing.T) {
	t.Parallel()
	p := &peer{
		messages: sized(2, 10),
		list: []string{
			`(\HasChildren) "/" INBOX`,
			`(\HasNoChildren \sent) "/" "Sent"`,
			`(\Noselect) "/" "Work"`,
			`(\NonExistent \HasChildren) "/" "Lost"`,
			`(\Junk \HasNoChildren) "/" "Work/Spam &- more"`,
			`() NIL Flat`,
			"() \".\" {6}\r\nliters",
		},
	}
	p.on = func(c *talk, tag, command string) bool {
		if strings.HasPrefix(command, `STATUS "Sent"`) || strings.HasPrefix(command, "STATUS Sent") {
			c.printf("%s NO not now", tag)
			return true
		}
		return false
	}
	boxes := listed(t, p)
	if got := names(boxes); got != "INBOX,Sent,Work,Lost,Work/Spam & more,Flat,liters" {
		t.Fatalf("the mailboxes are %s", got)
	}
	inbox, sent, work, lost, spam, flat := boxes[0], boxes[1], boxes[2], boxes[3], boxes[4], boxes[5]
	if inbox.Status == nil || *inbox.Status != (mail.Status{Validity: 7, UIDNext: 100, Messages: 2, Size: -1}) {
		t.Errorf("the status of INBOX is %+v", inbox.Status)
	}
	if sent.Status != nil || !slices.Equal(sent.Use, []string{`\Sent`}) {
		t.Errorf("Sent is %+v", sent)
	}
	if !work.NoSelect || !lost.NoSelect || inbox.NoSelect {
		t.Errorf("NoSelect is %v, %v, %v", work.NoSelect, lost.NoSelect, inbox.NoSelect)
	}
	if spam.Wire != "Work/Spam &- more" || spam.Delimiter != '/' {
		t.Errorf("Spam is %+v", spam)
	}
	if flat.Delimiter != 0 {
		t.Errorf("Flat is %+v", flat)
	}
	if got := p.said("LIST"); len(got) != 1 || got[0] != `LIST "" "*"` {
		t.Errorf("it said %q", got)
	}
	for _, command := range p.said("STATUS") {
		if strings.Contains(command, "Work ") || strings.Contains(command, "MODSEQ") || strings.Contains(command, " SIZE") {
			t.Errorf("it said %q", command)
		}
	}
}

func TestMailboxesListStatus(t *testing.T) {
	t.Parallel()
	p := &peer{
		caps: "LIST-EXTENDED LIST-STATUS SPECIAL-USE CONDSTORE STATUS=SIZE",
		list: []string{`() "." inbox`, `() "." Later`},
	}
	p.on = func(c *talk, tag, command string) bool {
		if strings.HasPrefix(command, "LIST") {
			c.printf(`* STATUS INBOX (messages 3 UIDNEXT 9 UIDVALIDITY 4294967295 HIGHESTMODSEQ 18446744073709 SIZE 99)`)
			c.printf(`* STATUS Later (MESSAGES 1 UIDNEXT 9 UIDVALIDITY 4294967296 )`)
		}
		return false
	}
	boxes := listed(t, p)
	if got := names(boxes); got != "INBOX,Later" {
		t.Fatalf("the mailboxes are %s", got)
	}
	want := mail.Status{Validity: 4294967295, UIDNext: 9, Messages: 3, ModSeq: 18446744073709, Size: 99}
	if s := boxes[0].Status; s == nil || *s != want {
		t.Errorf("the status of INBOX is %+v", s)
	}
	if s := boxes[1].Status; s == nil || s.Validity != 0 {
		t.Errorf("a UIDVALIDITY of 33 bits gave %+v", s)
	}
	command := `LIST "" "*" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ SIZE) SPECIAL-USE)`
	if got := p.said("LIST"); len(got) != 1 || got[0] != command {
		t.Errorf("it said %q", got)
	}
	if got := p.said("STATUS"); len(got) != 0 {
		t.Errorf("it said %q, too", got)
	}
}

func TestMailboxesListStatusRefused(t *testing.T) {
	t.Parallel()
	p := &peer{caps: "LIST-STATUS", list: []string{`() "." INBOX`}}
	p.on = func(c *talk, tag, command string) bool {
		if strings.Contains(command, "RETURN") {
			c.printf("%s BAD what", tag)
			return true
		}
		return false
	}
	if boxes := listed(t, p); len(boxes) != 1 || boxes[0].Status == nil {
		t.Errorf("got %+v", boxes)
	}
}

// One bad line costs its mailbox, and no line at all leaves INBOX.
func TestMailboxesBrokenLines(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, line, want string }{
		{"nothing", "", "INBOX,Last"},
		{"no name", `() "/"`, "INBOX,Last"},
		{"empty name", `() "/" ""`, "INBOX,Last"},
		{"name is a list", `() "/" (x)`, "INBOX,Last"},
		{"no attributes", `"/" Name`, "INBOX,Last"},
		{"delimiter of two", `() "//" Name`, "INBOX,Name,Last"},
		{"empty delimiter", `() "" Name`, "INBOX,Name,Last"},
		{"bare ampersand", `() "/" R&D`, "INBOX,\uFFFDR&D,Last"},
		{"latin-1", "() \"/\" \"Stra\xdfe\"", "INBOX,\uFFFDStra\xdfe,Last"},
		{"plain utf-8", `() "/" "Straße"`, "INBOX,\uFFFDStraße,Last"},
		{"tab", "() \"/\" \"a\tb\"", "INBOX,\uFFFDa\tb,Last"},
		{"hostile", `() "/" "../../etc"`, "INBOX,../../etc,Last"},
		{"extended data", `() "/" Name (CHILDINFO ("SUBSCRIBED"))`, "INBOX,Name,Last"},
		{"an open quote", `() "\" INBOX`, "INBOX,Last"},
		{"a stray parenthesis", `() "/" foo)bar`, "INBOX,Last"},
		{"a very long name", `() "/" ` + strings.Repeat("x", maxName+1), "INBOX,Last"},
		{"twice", `() "/" Last`, "INBOX,Last"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &peer{list: []string{tt.line, `() "/" Last`}}
			if tt.line == "" {
				p.list = p.list[1:]
			}
			if got := names(listed(t, p)); got != tt.want {
				t.Errorf("the mailboxes are %q, want %q", got, tt.want)
			}
		})
	}
}

func TestMailboxesRefused(t *testing.T) {
	t.Parallel()
	p := &peer{}
	p.on = func(c *talk, tag, command string) bool {
		if strings.HasPrefix(command, "LIST") {
			c.printf("%s BAD User is authenticated but not connected", tag)
			return true
		}
		return false
	}
	_, err := open(t, p.listen(t)).Mailboxes(context.Background())
	if mail.ErrorScope(err) != mail.ScopeAccount || mail.ErrorClass(err) != mail.ClassThrottled {
		t.Errorf("got %v of class %s", err, mail.ErrorClass(err))
	}
}

func TestMailboxesBounded(t *testing.T) {
	t.Parallel()
	p := &peer{}
	for i := range 20 {
		p.list = append(p.list, fmt.Sprintf(`() "/" box%d`, i))
	}
	s := p.listen(t)
	s.options.Wire.Limits.Mailboxes = 10
	_, err := open(t, s).Mailboxes(context.Background())
	if mail.ErrorScope(err) != mail.ScopeAccount || mail.ErrorClass(err) != mail.ClassProtocol {
		t.Errorf("got %v of class %s", err, mail.ErrorClass(err))
	}
}

// Many mailboxes are asked in groups, all of them.
func TestMailboxesStatusInGroups(t *testing.T) {
	t.Parallel()
	p := &peer{}
	for i := range 3*statusGroup + 5 {
		p.list = append(p.list, fmt.Sprintf(`() "/" box%d`, i))
	}
	for _, box := range listed(t, p) {
		if box.Status == nil {
			t.Fatalf("%q has no status", box.Name)
		}
	}
}

// FuzzNodes gives any tree to the readers of answers: none may panic, and what
// they accept must make sense.
func FuzzNodes(f *testing.F) {
	for _, seed := range []string{
		`( \Sent ) / Sent`, `( ) NIL &AGE-`, `( ( ) ) ( ) NIL`, `INBOX ( MESSAGES 3 UIDVALIDITY 7 UIDNEXT )`,
		`x ( MESSAGES -1 UIDVALIDITY 7 )`, `( UID 5 FLAGS ( ) )`, `( FLAGS ( ) UID 0 )`, ``,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		nodes := nodesOf(line)
		if box, err := parseList(wire.Response{Nodes: nodes}); err == nil && (box.Name == "" || box.Wire == "") {
			t.Errorf("%q is a mailbox without a name", line)
		}
		if _, status, err := parseStatus(wire.Response{Nodes: nodes}, true); err == nil && status.Messages < 0 {
			t.Errorf("%q is a status of %d messages", line, status.Messages)
		}
		if uid, ok := fetchedUID(nodes); ok && uid == 0 {
			t.Errorf("%q names UID 0", line)
		}
	})
}

// nodesOf builds a tree from words, of which the parentheses make lists.
func nodesOf(line string) []wire.Node {
	lists := [][]wire.Node{nil}
	for word := range strings.FieldsSeq(line) {
		last := len(lists) - 1
		switch {
		case word == "(":
			lists = append(lists, nil)
		case word == ")" && last > 0:
			lists[last-1] = append(lists[last-1], wire.Node{Kind: wire.List, List: lists[last]})
			lists = lists[:last]
		case word == "NIL":
			lists[last] = append(lists[last], wire.Node{Kind: wire.Nil})
		default:
			lists[last] = append(lists[last], wire.Node{Kind: wire.Atom, Text: word})
		}
	}
	return lists[0]
}

// Whatever a server lists, what is kept of it is bounded in bytes.
func TestMailboxesBoundedInBytes(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"names":  `() "/" "%d` + strings.Repeat("x", 500) + `"`,
		"odd":    `() "/" "%d`,
		"status": `() "/" box%[1]d` + "\r\n* STATUS " + strings.Repeat("y", 500) + "%[1]d (MESSAGES 1 UIDVALIDITY 1)",
	} {
		p := &peer{caps: "LIST-STATUS"}
		for i := range 100 {
			p.list = append(p.list, fmt.Sprintf(line, i))
		}
		s := p.listen(t)
		s.options.Wire.Limits.Listing = 20_000
		if _, err := open(t, s).Mailboxes(context.Background()); mail.ErrorClass(err) != mail.ClassProtocol {
			t.Errorf("%s: got %v of class %s", name, err, mail.ErrorClass(err))
		}
	}
}

// Nobody asked for the status of what is not listed, nor for a use twice.
func TestMailboxesKeepsWhatIsListed(t *testing.T) {
	t.Parallel()
	s := open(t, (&peer{}).listen(t))
	l := newList(s)
	attributes := strings.Repeat(`\Sent `, 1000) + `\Junk`
	if err := l.take(wire.Response{Type: "LIST", Nodes: nodesOf("( " + attributes + " ) / Sent")}); err != nil {
		t.Fatal(err)
	}
	if use := l.boxes[0].Use; !slices.Equal(use, []string{`\Sent`, `\Junk`}) {
		t.Errorf("the uses are %q", use)
	}
	l.whole = true
	for _, name := range []string{"Sent", "Other"} {
		if err := l.take(wire.Response{Type: "STATUS", Nodes: nodesOf(name + " ( MESSAGES 3 UIDVALIDITY 7 )")}); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.status) != 1 || l.status["Sent"] == nil {
		t.Errorf("kept are %v", l.status)
	}
}

// A session that is used again leaves the mailbox that is selected, once, and
// whatever the server says to that.
func TestMailboxesLeaveTheSelectedOne(t *testing.T) {
	t.Parallel()
	for caps, leaves := range map[string]string{"LIST-STATUS UNSELECT": "UNSELECT", "LIST-STATUS": "CLOSE", "": "CLOSE"} {
		t.Run(caps+" "+leaves, func(t *testing.T) {
			t.Parallel()
			p := &peer{caps: caps, messages: sized(2, 10), list: []string{`() "/" INBOX`}}
			p.on = func(c *talk, tag, command string) bool {
				if command == leaves {
					c.printf("%s NO why", tag)
				}
				return command == leaves
			}
			s, _ := selectInbox(t, p.listen(t))
			for range 2 {
				boxes, err := s.Mailboxes(t.Context())
				if err != nil || names(boxes) != "INBOX" {
					t.Fatalf("the mailboxes are %s, %v", names(boxes), err)
				}
			}
			said := p.said("")
			at := slices.Index(said, leaves)
			if at < 0 || !strings.HasPrefix(said[at+1], "LIST") || slices.Contains(said[at+1:], leaves) {
				t.Errorf("the server heard %q", said)
			}
		})
	}
}
