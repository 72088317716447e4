package demo

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// imapClient signs in over implicit TLS.
func imapClient(t *testing.T, s *Server, o *imapclient.Options) *imapclient.Client {
	t.Helper()
	if o == nil {
		o = &imapclient.Options{}
	}
	o.TLSConfig = trust(t, s)
	c, err := imapclient.DialTLS(s.IMAPSAddr(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.Login(Username, Password).Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}

// fetched is what a client learned of one message.
type fetched struct {
	uid   imap.UID
	body  []byte
	size  int64
	flags []imap.Flag
	date  int64
}

// fetchAll examines a mailbox and fetches all of it.
func fetchAll(t *testing.T, c *imapclient.Client, mailbox string) []fetched {
	t.Helper()
	if _, err := c.Select(mailbox, &imap.SelectOptions{ReadOnly: true}).Wait(); err != nil {
		t.Fatal(err)
	}
	set := imap.UIDSet{imap.UIDRange{Start: 1, Stop: 0}}
	cmd := c.Fetch(set, &imap.FetchOptions{
		UID: true, Flags: true, InternalDate: true, RFC822Size: true,
		BodySection: []*imap.FetchItemBodySection{{Peek: true}},
	})
	var all []fetched
	for m := cmd.Next(); m != nil; m = cmd.Next() {
		all = append(all, collect(t, m))
	}
	if err := cmd.Close(); err != nil {
		t.Fatal(err)
	}
	return all
}

func collect(t *testing.T, m *imapclient.FetchMessageData) fetched {
	t.Helper()
	var f fetched
	for item := m.Next(); item != nil; item = m.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			f.uid = item.UID
		case imapclient.FetchItemDataFlags:
			f.flags = item.Flags
		case imapclient.FetchItemDataInternalDate:
			f.date = item.Time.Unix()
		case imapclient.FetchItemDataRFC822Size:
			f.size = item.Size
		case imapclient.FetchItemDataBodySection:
			body, err := io.ReadAll(item.Literal)
			if err != nil {
				t.Fatal(err)
			}
			f.body = body
		}
	}
	return f
}

func TestIMAPHandsOutEveryMessageByteForByte(t *testing.T) {
	t.Parallel()
	messages := Messages()
	s := start(t, Options{Messages: messages})
	c := imapClient(t, s, nil)

	byBox := map[string][]Message{}
	for _, m := range messages {
		byBox[m.Mailbox] = append(byBox[m.Mailbox], m)
	}
	for box, want := range byBox {
		got := fetchAll(t, c, box)
		if len(got) != len(want) {
			t.Fatalf("%q: got %d messages, want %d", box, len(got), len(want))
		}
		for i, g := range got {
			w := want[i]
			if !bytes.Equal(g.body, w.Body) || g.size != int64(len(w.Body)) {
				t.Errorf("%q uid %d: body of %d bytes, size %d, differs from the stored %d bytes %.60q",
					box, g.uid, len(g.body), g.size, len(w.Body), w.Body)
			}
			if !slices.Equal(flagTexts(g.flags), slices.Concat([]string{}, w.Flags)) || g.date != w.Date.Unix() {
				t.Errorf("%q uid %d: got %v %d, want %v %d", box, g.uid, g.flags, g.date, w.Flags, w.Date.Unix())
			}
		}
	}

	var total Traffic
	for _, m := range messages {
		total.add(true, len(m.Body))
	}
	if got := s.Served(); got != (Served{IMAP: total}) {
		t.Errorf("served %+v, want %+v by IMAP alone", got, total)
	}
}

func TestIMAPSlicesAndSections(t *testing.T) {
	t.Parallel()
	body := "Subject: x\r\n\r\n0123456789"
	s := start(t, Options{Messages: []Message{{Body: []byte(body)}}})
	c := imapClient(t, s, nil)
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		section imap.FetchItemBodySection
		want    string
	}{
		{"header", imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader}, body[:14]},
		{"text", imap.FetchItemBodySection{Specifier: imap.PartSpecifierText}, body[14:]},
		{"first slice", imap.FetchItemBodySection{Partial: &imap.SectionPartial{Offset: 0, Size: 9}}, body[:9]},
		{"last slice", imap.FetchItemBodySection{Partial: &imap.SectionPartial{Offset: 20, Size: 9}}, body[20:]},
		{"beyond the end", imap.FetchItemBodySection{Partial: &imap.SectionPartial{Offset: 99, Size: 9}}, ""},
	} {
		test.section.Peek = true
		cmd := c.Fetch(imap.UIDSetNum(1), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{&test.section}})
		got := collect(t, cmd.Next())
		if err := cmd.Close(); err != nil || string(got.body) != test.want {
			t.Errorf("%s: got %q, %v, want %q", test.name, got.body, err, test.want)
		}
	}
	if got, want := s.Served().IMAP, (Traffic{Bodies: 1, Bytes: 13}); got != want {
		t.Errorf("served %+v, want %+v", got, want)
	}
}

func TestIMAPListsNamesUsesAndStatus(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Messages: Messages(), Mailboxes: []string{"Empty"}})
	c := imapClient(t, s, nil)
	list, err := c.List("", "*", &imap.ListOptions{
		ReturnSpecialUse: true, ReturnStatus: &imap.StatusOptions{NumMessages: true, UIDNext: true, UIDValidity: true},
	}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]*imap.ListData{}
	for _, l := range list {
		got[l.Mailbox] = l
	}
	for name, use := range map[string]imap.MailboxAttr{
		"Sent": imap.MailboxAttrSent, "Junk": imap.MailboxAttrJunk, "Entwürfe": imap.MailboxAttrDrafts,
	} {
		if got[name] == nil || !slices.Contains(got[name].Attrs, use) {
			t.Errorf("%q: got %+v, want the attribute %s", name, got[name], use)
		}
	}
	if box := got["日本語"]; box == nil || box.Status == nil || *box.Status.NumMessages != 7 || box.Status.UIDNext != 8 {
		t.Errorf("日本語: got %+v, want a status of 7 messages", box)
	}
	if box := got["Projects"]; box == nil || !slices.Contains(box.Attrs, imap.MailboxAttrNoSelect) || box.Status != nil {
		t.Errorf("Projects: got %+v, want a name without messages", box)
	}
	if box := got["Empty"]; box == nil || *box.Status.NumMessages != 0 {
		t.Errorf("Empty: got %+v, want an empty mailbox", box)
	}
	if _, err := c.Select("Projects", nil).Wait(); err == nil {
		t.Error("a name without messages can be selected")
	}
}

func TestIMAPStartTLSAndWrongPassword(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	c, err := imapclient.DialStartTLS(s.IMAPAddr(), &imapclient.Options{TLSConfig: trust(t, s)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Login(Username, "wrong").Wait(); err == nil {
		t.Error("a wrong password is let in")
	}
	if err := c.Login(Username, Password).Wait(); err != nil {
		t.Error(err)
	}
	if err := c.Logout().Wait(); err != nil {
		t.Error(err)
	}
}

func TestIMAPTellsOfNewMailWhileIdle(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Messages: Odd()})
	news := make(chan uint32, 10)
	c := imapClient(t, s, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(data *imapclient.UnilateralDataMailbox) {
			if data.NumMessages != nil {
				news <- *data.NumMessages
			}
		},
	}})
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	idle, err := c.Idle()
	if err != nil {
		t.Fatal(err)
	}
	s.Append(Message{Body: []byte("new\r\n")})
	if got, want := <-news, uint32(len(Odd())+1); got != want {
		t.Errorf("told of %d messages, want %d", got, want)
	}
	if err := idle.Close(); err != nil {
		t.Error(err)
	}
	if err := idle.Wait(); err != nil {
		t.Error(err)
	}
	got := fetchAll(t, c, "INBOX")
	if last := got[len(got)-1]; string(last.body) != "new\r\n" || int(last.uid) != len(Odd())+1 {
		t.Errorf("got %+v, want the new message", last)
	}
}

func TestIMAPAppendSearchStoreExpunge(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	c := imapClient(t, s, nil)
	for _, body := range []string{"one", "two\n.\n", "three\x00"} {
		cmd := c.Append("INBOX", int64(len(body)), nil)
		if _, err := io.WriteString(cmd, body); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	deleted := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}
	if err := c.Store(imap.UIDSetNum(1, 2), deleted, nil).Close(); err != nil {
		t.Fatal(err)
	}
	found, err := c.UIDSearch(&imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagDeleted}}, nil).Wait()
	if err != nil || found.All.String() != "3" {
		t.Errorf("search: got %v, %v, want 3", found, err)
	}
	if err := c.UIDExpunge(imap.UIDSetNum(2, 3)).Close(); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, f := range fetchAll(t, c, "INBOX") {
		left = append(left, string(f.body))
	}
	if want := []string{"one", "three\x00"}; !slices.Equal(left, want) {
		t.Errorf("left %q, want %q", left, want)
	}
}

func TestIMAPExaminedMailboxStaysAsItIs(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Messages: []Message{{Body: []byte("x"), Flags: []string{`\Deleted`}}}})
	c := imapClient(t, s, nil)
	if _, err := c.Select("INBOX", &imap.SelectOptions{ReadOnly: true}).Wait(); err != nil {
		t.Fatal(err)
	}
	seen := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}}
	if err := c.Store(imap.UIDSetNum(1), seen, nil).Close(); err == nil {
		t.Error("flags of an examined mailbox can be changed")
	}
	if err := c.Expunge().Close(); err != nil {
		t.Error(err)
	}
	if got := fetchAll(t, c, "INBOX"); len(got) != 1 || len(got[0].flags) != 1 {
		t.Errorf("got %+v, want the message untouched", got)
	}
}

func TestSetsReachAcrossTheLastMessage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		n, start, stop, last uint32
		want                 bool
	}{
		{n: 5, start: 1, stop: 0, last: 5, want: true},
		{n: 5, start: 9, stop: 0, last: 5, want: true}, // RFC 9051: 9:* always holds the last one
		{n: 4, start: 9, stop: 0, last: 5, want: false},
		{n: 3, start: 4, stop: 2, last: 5, want: true},
		{n: 6, start: 0, stop: 0, last: 5, want: false},
	} {
		if got := between(test.n, test.start, test.stop, test.last); got != test.want {
			t.Errorf("%+v: got %v", test, got)
		}
	}
}
