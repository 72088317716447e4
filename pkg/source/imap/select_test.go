package imap

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

func TestSelectStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		caps    string
		examine []string
		want    mail.Status
	}{
		{"usual", "CONDSTORE", []string{
			"OK [UIDVALIDITY 5] v", "OK [UIDNEXT 44] n", "OK [HIGHESTMODSEQ 77] m", "OK [PERMANENTFLAGS ()] p",
		}, mail.Status{Validity: 5, UIDNext: 44, ModSeq: 77}},
		{"lower case", "", []string{"ok [uidvalidity 5]", "ok [uidnext 44]"}, mail.Status{Validity: 5, UIDNext: 44}},
		{"missing", "", []string{}, mail.Status{}},
		{"zero", "", []string{"OK [UIDVALIDITY 0] v"}, mail.Status{}},
		{"33 bits", "", []string{"OK [UIDVALIDITY 4294967301] v"}, mail.Status{}},
		{"not sticky", "", []string{"OK [UIDVALIDITY 5] v", "NO [UIDNOTSTICKY] n"}, mail.Status{}},
		{"modseq without condstore", "", []string{"OK [UIDVALIDITY 5] v", "OK [HIGHESTMODSEQ 77] m"}, mail.Status{Validity: 5}},
		{"no modseq", "CONDSTORE", []string{"OK [UIDVALIDITY 5] v", "OK [NOMODSEQ] m"}, mail.Status{Validity: 5}},
		{"of the mailbox before", "", []string{
			"OK [UIDVALIDITY 9] v", "OK [UIDNEXT 99] n", "OK [CLOSED] c", "2 EXISTS", "OK [UIDVALIDITY 5] v",
		}, mail.Status{Validity: 5}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &peer{caps: tt.caps, examine: tt.examine, messages: sized(2, 10)}
			session := open(t, p.listen(t))
			refs, status, err := session.Select(context.Background(), inbox())
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Messages, tt.want.Size = 2, -1
			if status != tt.want {
				t.Errorf("the status is %+v, want %+v", status, tt.want)
			}
			if refs.Validity != status.Validity || refs.Mailbox != mail.Inbox || refs.UIDs.String() != "10:11" {
				t.Errorf("the refs are %+v", refs)
			}
		})
	}
}

func TestSelectListing(t *testing.T) {
	t.Parallel()
	on := func(prefix string, answer string) func(c *talk, tag, command string) bool {
		return func(c *talk, tag, command string) bool {
			if !strings.HasPrefix(command, prefix) {
				return false
			}
			c.printf("%s", strings.ReplaceAll(answer, "TAG", tag))
			return true
		}
	}
	tests := []struct {
		name  string
		caps  string
		on    func(c *talk, tag, command string) bool
		want  string // of 10:15
		fetch bool   // asked by FETCH, too
	}{
		{"search", "", nil, "10:15", false},
		{"esearch", "ESEARCH", nil, "10:15", false},
		{"search in disorder", "", on("UID SEARCH", "* SEARCH 15 10 14 11 13 12 \r\nTAG OK"), "10:15", false},
		{"search in two answers", "", on("UID SEARCH", "* SEARCH 10 11 12\r\n* SEARCH 13 14 15\r\nTAG OK"), "10:15", false},
		{"search for esearch", "ESEARCH", on("UID SEARCH", "* SEARCH 10 11 12 13 14 15\r\nTAG OK"), "10:15", false},
		{"esearch for search", "", on("UID SEARCH", "* ESEARCH (TAG \"TAG\") UID ALL 10:15\r\nTAG OK"), "10:15", false},
		{"capped search", "", on("UID SEARCH", "* SEARCH 10 11\r\nTAG OK"), "10:15", true},
		{"empty search", "", on("UID SEARCH", "* SEARCH\r\nTAG OK"), "10:15", true},
		{"no search answer", "ESEARCH", on("UID SEARCH", "TAG OK"), "10:15", true},
		{"phantoms", "", on("UID SEARCH", "* SEARCH 10 11 12 13 14 15 16\r\nTAG OK"), "10:16", true},
		{"everything", "ESEARCH", on("UID SEARCH", "* ESEARCH (TAG \"TAG\") UID ALL 1:4294967295\r\nTAG OK"), "10:15", true},
		{"refused search", "", on("UID SEARCH", "TAG BAD select a mailbox first"), "10:15", true},
		{"senseless search", "", on("UID SEARCH", "* SEARCH ten\r\nTAG OK"), "10:15", true},
		{"refused fetch", "", func(c *talk, tag, command string) bool {
			return on("UID SEARCH", "* SEARCH 10 11\r\nTAG OK")(c, tag, command) || on("UID FETCH", "TAG NO")(c, tag, command)
		}, "10:11", true},
		{"one arrives meanwhile", "", on("UID SEARCH", "* SEARCH 10 11 12 13 14 15 16\r\n* 7 EXISTS\r\nTAG OK"), "10:16", false},
		{"one goes meanwhile", "", on("UID SEARCH", "* 3 EXPUNGE\r\n* SEARCH 10 11 13 14 15\r\nTAG OK"), "10:11,13:15", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &peer{caps: tt.caps, on: tt.on, messages: sized(6, 10)}
			_, refs := selectInbox(t, p.listen(t))
			if got := refs.UIDs.String(); got != tt.want {
				t.Errorf("listed %s, want %s", got, tt.want)
			}
			if fetched := len(p.said("UID FETCH")) > 0; fetched != tt.fetch {
				t.Errorf("listed by FETCH: %v, want %v", fetched, tt.fetch)
			}
		})
	}
}

func TestSelectEmptyAsksNothing(t *testing.T) {
	t.Parallel()
	p := &peer{}
	session := open(t, p.listen(t))
	box := inbox()
	box.Status = &mail.Status{}
	refs, _, err := session.Select(context.Background(), box)
	if err != nil || refs.Len() != 0 || len(p.said("UID")) != 0 {
		t.Errorf("listed %v by %q: %v", refs, p.said("UID"), err)
	}
}

// The server does not answer EXAMINE before it has the search too: a mailbox is
// opened and listed in one round trip.
func TestSelectIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	p := &peer{caps: "ESEARCH", messages: sized(3, 10)}
	var examine string
	p.on = func(c *talk, tag, command string) bool {
		switch {
		case strings.HasPrefix(command, "EXAMINE"):
			examine = tag
		case strings.HasPrefix(command, "UID SEARCH"):
			c.printf("* 3 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n* OK [UIDNEXT 100]\r\n%s OK", examine)
			c.printf("* 4 EXISTS\r\n* ESEARCH (TAG %q) UID ALL 10:13\r\n%s OK", tag, tag)
		default:
			return false
		}
		return true
	}
	session := open(t, p.listen(t))
	refs, status, err := session.Select(context.Background(), inbox())
	if err != nil || refs.UIDs.String() != "10:13" {
		t.Errorf("listed %v: %v", refs, err)
	}
	// One arrived behind EXAMINE. The next pass must find it as news.
	if status.Messages != 3 || status.UIDNext != 100 {
		t.Errorf("status %+v is not what EXAMINE told", status)
	}
}

// An emptiness that STATUS did not know of is looked at twice.
func TestSelectEmptyIsNotBelieved(t *testing.T) {
	t.Parallel()
	p := &peer{messages: sized(2, 10)}
	p.on = func(c *talk, tag, command string) bool {
		if !strings.HasPrefix(command, "EXAMINE") {
			return false
		}
		c.printf("* 0 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n%s OK", tag)
		return true
	}
	session := open(t, p.listen(t))
	box := inbox()
	box.Status = &mail.Status{Messages: 2}
	refs, _, err := session.Select(context.Background(), box)
	if err != nil || refs.Len() != 2 {
		t.Errorf("listed %v, %v", refs, err)
	}
}

func TestSelectRefused(t *testing.T) {
	t.Parallel()
	p := &peer{messages: sized(2, 10)}
	p.on = func(c *talk, tag, command string) bool {
		if !strings.Contains(command, "Locked") {
			return false
		}
		c.printf("%s NO [INUSE] come \x1b[31mback", tag)
		return true
	}
	session := open(t, p.listen(t))
	_, _, err := session.Select(context.Background(), mail.Mailbox{Name: "Locked", Wire: "Locked"})
	if mail.ErrorScope(err) != mail.ScopeMailbox || mail.ErrorClass(err) != mail.ClassServer {
		t.Fatalf("got %v", err)
	}
	if text := err.Error(); !strings.Contains(text, `imap examine "Locked": the server answered NO [INUSE]`) || strings.Contains(text, "\x1b") {
		t.Errorf("the error reads %q", text)
	}
	if _, _, err := session.Select(context.Background(), inbox()); err != nil {
		t.Errorf("the next mailbox: %v", err)
	}
}

func TestSelectSendsRawNames(t *testing.T) {
	t.Parallel()
	for _, wireName := range []string{"R&D", "Stra\xdfe", "Straße", `quote"back\slash`, "Entw&APw-rfe"} {
		t.Run(fmt.Sprintf("%q", wireName), func(t *testing.T) {
			t.Parallel()
			p := &peer{}
			session := open(t, p.listen(t))
			if _, _, err := session.Select(context.Background(), mail.Mailbox{Name: mailboxName(wireName), Wire: wireName}); err != nil {
				t.Fatal(err)
			}
			quoted := `EXAMINE "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(wireName) + `"`
			if got := p.said("EXAMINE"); len(got) != 1 || got[0] != quoted {
				t.Errorf("it said %q, want %q", got, quoted)
			}
		})
	}
}

// A server can make up any number of messages in one line, and each would cost
// memory.
func TestSelectTooManyMessages(t *testing.T) {
	t.Parallel()
	for name, exists := range map[string]string{"exists": "4294967295 EXISTS", "more than exists": "11 EXISTS"} {
		p := &peer{caps: "ESEARCH", examine: []string{exists, "OK [UIDVALIDITY 7] ok"}}
		p.on = func(c *talk, tag, command string) bool {
			if !strings.HasPrefix(command, "UID SEARCH") {
				return false
			}
			c.printf("* ESEARCH (TAG %q) UID ALL 1:%s", tag, strings.Fields(exists)[0])
			c.printf("%s OK done", tag)
			return true
		}
		source := p.listen(t)
		if name != "exists" {
			source.options.Wire.Limits.Messages = 10
		}
		session := open(t, source)
		_, _, err := session.Select(context.Background(), inbox())
		if mail.ErrorScope(err) != mail.ScopeMailbox || mail.ErrorClass(err) != mail.ClassProtocol {
			t.Errorf("%s: got %v of class %s", name, err, mail.ErrorClass(err))
		}
		if _, err := session.Mailboxes(context.Background()); err != nil {
			t.Errorf("%s: the session is dead: %v", name, err)
		}
	}
}

// What a server echoes of the password reaches no error.
func TestSelectRedacts(t *testing.T) {
	t.Parallel()
	password, err := testLogin().Password(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{messages: sized(1, 10)}
	p.on = func(c *talk, tag, command string) bool {
		switch {
		case strings.HasPrefix(command, "UID SEARCH"):
			c.printf("* SEARCH %s", password.Reveal())
			c.printf("%s OK done", tag)
		case strings.HasPrefix(command, "UID FETCH"):
			c.printf("%s NO %s", tag, password.Reveal())
		default:
			return false
		}
		return true
	}
	name := "x" + password.Reveal()
	_, _, err = open(t, p.listen(t)).Select(context.Background(), mail.Mailbox{Name: mail.MailboxName(name), Wire: name})
	if err == nil || strings.Contains(err.Error(), password.Reveal()) || !strings.Contains(err.Error(), "redacted") {
		t.Errorf("the error is %v", err)
	}
}

// Whoever reads that a server fell silent when it was to list something is told
// what to do about one that is only slow.
func TestSilenceAtAListing(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"LIST", "EXAMINE", "UID SEARCH"} {
		synctest.Test(t, func(t *testing.T) {
			l := newLine("x\r\n")
			l.server.On = func(_ *mailtest.IMAPTalk, _, command string) bool { return strings.HasPrefix(command, at) }
			session, err := l.source.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer session.end()
			if at == "LIST" {
				_, err = session.Mailboxes(t.Context())
			} else {
				_, _, err = session.Select(t.Context(), inbox())
			}
			if mail.ErrorClass(err) != mail.ClassTimeout || !strings.Contains(mail.ErrorHint(err), "idle_timeout") {
				t.Errorf("silent at %s: %v, hint %q", at, err, mail.ErrorHint(err))
			}
		})
	}
}
