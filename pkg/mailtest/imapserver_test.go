package mailtest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
	"mailpull/pkg/secret"
	"mailpull/pkg/signin"
	"mailpull/pkg/source/imap"
	"mailpull/pkg/wire"
)

// imapOptions reaches a server over a network in memory, and waits at the
// test's end until it has let everybody go.
func imapOptions(t testing.TB, s *mailtest.IMAPServer, password string) (wire.Options, *mailtest.Link) {
	link := &mailtest.Link{Serve: s.Serve, Record: true}
	t.Cleanup(link.Wait)
	return wire.Options{
		Host: "127.0.0.1", Security: wire.None, Dial: link.Dial,
		Login: signin.Login{Username: "me", Password: func(context.Context) (secret.String, error) {
			return secret.New(password), nil
		}},
	}, link
}

// TestIMAPServerServesTheSource shows that the server is one that mailpull can
// pull from, with and without what it likes to use.
func TestIMAPServerServesTheSource(t *testing.T) {
	t.Parallel()
	for _, caps := range []string{"", "ESEARCH LIST-STATUS AUTH=PLAIN SASL-IR ID"} {
		t.Run("caps "+caps, func(t *testing.T) {
			mailtest.TestSource(t, func(t *testing.T) pull.Source {
				s := &mailtest.IMAPServer{
					Caps: caps, Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", mailtest.SuiteBodies()...)},
					Username: "me", Password: "good",
				}
				options, _ := imapOptions(t, s, "good")
				return pull.NewSource(imap.New(imap.Options{Wire: options}))
			})
		})
	}
}

// TestIMAPServerSignIn looks at every way of signing in, and at who is sent
// away.
func TestIMAPServerSignIn(t *testing.T) {
	t.Parallel()
	for _, caps := range []string{"", "AUTH=PLAIN", "AUTH=PLAIN SASL-IR"} {
		for _, password := range []string{"good", `q"u\ote`, "öther"} { // the last goes as a literal
			s := &mailtest.IMAPServer{Caps: caps, Username: "me", Password: password}
			for _, given := range []string{password, "wrong"} {
				options, _ := imapOptions(t, s, given)
				session, err := wire.OpenIMAP(t.Context(), options)
				if (err == nil) != (given == password) {
					t.Errorf("caps %q, password %q, %q was given: %v", caps, password, given, err)
				}
				if err == nil {
					if err := session.Logout(); err != nil {
						t.Errorf("logout: %v", err)
					}
				}
			}
			if s.Refused() != 1 {
				t.Errorf("caps %q, password %q: refused %d, want 1", caps, password, s.Refused())
			}
		}
	}
}

func TestIMAPServerStartTLS(t *testing.T) {
	t.Parallel()
	ca := mailtest.NewCA(t)
	s := &mailtest.IMAPServer{TLS: ca.Good(t).ServerConfig(), Username: "me", Password: "good"}
	options, link := imapOptions(t, s, "good")
	options.Security, options.CAFile = wire.StartTLS, filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(options.CAFile, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	session, err := wire.OpenIMAP(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	if session.Has("STARTTLS") {
		t.Error("STARTTLS is offered inside TLS")
	}
	if err := session.Logout(); err != nil {
		t.Error(err)
	}
	if got := s.Heard("STARTTLS"); len(got) != 1 {
		t.Errorf("heard %q", got)
	}
	if bytes.Contains(link.Heard(), []byte("LOGIN")) {
		t.Error("the password went over the wire in the clear")
	}
}

// conversation says the lines and returns what the server said.
func conversation(t *testing.T, s *mailtest.IMAPServer, lines ...string) string {
	t.Helper()
	client, server := mailtest.Pipe()
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(server) }()
	fmt.Fprintf(client, "%s\r\n", strings.Join(append(lines, "z LOGOUT"), "\r\n"))
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(client); err != nil {
		t.Fatal(err)
	}
	<-done
	return answer.String()
}

// TestIMAPServerAnswers holds the bytes of one session with everything in it.
func TestIMAPServerAnswers(t *testing.T) {
	t.Parallel()
	box := mailtest.NewIMAPBox("INBOX", "a\r\n", "")
	box.Messages[0].Flags = []string{`\Seen`}
	s := &mailtest.IMAPServer{Boxes: []*mailtest.IMAPBox{
		box,
		{Name: `W"ork`, Attrs: []string{`\Noselect`, `\HasChildren`}},
		{Name: "two\r\nlines", Delimiter: `\`, UIDValidity: 9, UIDNext: 50, ModSeq: 4, Messages: []mailtest.IMAPMessage{{UID: 20}, {UID: 22}}},
	}}
	lines := []string{
		`a LIST "" "*"`, `b LOGIN me x`, `c LIST "" "*" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY SIZE))`,
		`d STATUS "inbox" (HIGHESTMODSEQ)`, `e EXAMINE Nowhere`, `f UID SEARCH ALL`, `g EXAMINE "INBOX"`,
		`h UID SEARCH ALL`, `i UID SEARCH RETURN (ALL) ALL`,
		`j UID FETCH 1:* (BODY.PEEK[] RFC822.SIZE INTERNALDATE FLAGS UID)`, `k FETCH 2 (UID)`, `l EXPUNGE`,
	}
	want := `* OK ready
a BAD sign in first
b OK done
* LIST () "/" "INBOX"
* STATUS "INBOX" (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 7 SIZE 3)
* LIST (\Noselect \HasChildren) NIL "W\"ork"
* LIST () "\\" {10}
two
lines
* STATUS {10}
two
lines (MESSAGES 2 UIDNEXT 50 UIDVALIDITY 9 SIZE 0)
c OK done
* STATUS "INBOX" (HIGHESTMODSEQ 0)
d OK done
e NO [NONEXISTENT] no such mailbox
f BAD no mailbox is selected
* FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
* 2 EXISTS
* 0 RECENT
* OK [UIDVALIDITY 7] ok
* OK [UIDNEXT 3] ok
g OK [READ-ONLY] done
* SEARCH 1 2
h OK done
* ESEARCH (TAG "i") UID ALL 1:2
i OK done
* 1 FETCH (UID 1 FLAGS (\Seen) INTERNALDATE "17-Jul-2024 02:44:25 -0700" RFC822.SIZE 3 BODY[] {3}
a
)
* 2 FETCH (UID 2 FLAGS () INTERNALDATE "17-Jul-2024 02:44:25 -0700" RFC822.SIZE 0 BODY[] {0}
)
j OK done
* 2 FETCH (UID 2)
k OK done
l BAD unknown command
* BYE bye
z OK done
`
	for range 2 {
		if got := conversation(t, s, lines...); got != strings.ReplaceAll(want, "\n", "\r\n") {
			t.Errorf("got %s", got)
		}
	}
}

// TestIMAPServerHooks lies, surrounds the truth, hangs up and falls silent.
func TestIMAPServerHooks(t *testing.T) {
	t.Parallel()
	s := &mailtest.IMAPServer{Greeting: "* PREAUTH already in", Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", "a")}}
	s.On = func(c *mailtest.IMAPTalk, tag, command string) bool {
		switch command {
		case "NOOP":
			c.Printf("* OK [ALERT] before")
			c.Answer(tag, command)
			c.Raw("* behind\r\n")
		case "ID":
			c.Printf("%s NO", tag)
			c.HangUp()
		default:
			return false
		}
		return true
	}
	got := conversation(t, s, "a NOOP", "b ID", "c NOOP")
	if want := "* PREAUTH already in\r\n* OK [ALERT] before\r\na OK done\r\n* behind\r\nb NO\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := s.Heard("NO"); !slices.Equal(got, []string{"NOOP"}) {
		t.Errorf("heard %q; the server hung up before the second", got)
	}

	s.On = func(c *mailtest.IMAPTalk, _, _ string) bool { c.Stall(); return true }
	client, server := mailtest.Pipe()
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(server) }()
	fmt.Fprintf(client, "a NOOP\r\nb NOOP\r\n")
	_ = client.Close() // what a client does that waited long enough
	<-done
}

func TestIMAPServerChange(t *testing.T) {
	t.Parallel()
	box := mailtest.NewIMAPBox("INBOX", "a")
	s := &mailtest.IMAPServer{Greeting: "* PREAUTH", Boxes: []*mailtest.IMAPBox{box}}
	s.On = func(c *mailtest.IMAPTalk, _, command string) bool {
		if command == "NOOP" {
			s.Change(func() { box.Messages = append(box.Messages, mailtest.IMAPMessage{UID: 2, Body: "b"}) })
		}
		return false
	}
	got := conversation(t, s, "a EXAMINE INBOX", "b NOOP", "c UID SEARCH ALL", `d STATUS INBOX (MESSAGES)`)
	if !strings.Contains(got, "* SEARCH 1\r\n") || !strings.Contains(got, "(MESSAGES 2)") {
		t.Errorf("the open mailbox stays, its status does not; got %s", got)
	}
}

// TestIMAPServerMany reads messages that are made when they are asked for, with
// one behind them that is kept.
func TestIMAPServerMany(t *testing.T) {
	t.Parallel()
	uids := mail.UIDSet{{Lo: 3, Hi: 5}, {Lo: 9, Hi: 9}, {Lo: 20, Hi: 1_000_018}}
	box := &mailtest.IMAPBox{Name: "INBOX", UIDValidity: 7, Many: mailtest.NewIMAPMany(uids, func(uid mail.UID) string { return fmt.Sprint(uid) })}
	box.Messages = []mailtest.IMAPMessage{{UID: 1_000_020, Body: "kept"}}
	s := &mailtest.IMAPServer{Greeting: "* PREAUTH in", Boxes: []*mailtest.IMAPBox{box}}
	got := conversation(t, s, "a STATUS INBOX (MESSAGES UIDNEXT)", "b EXAMINE INBOX", "c UID SEARCH RETURN (ALL) ALL",
		"d UID FETCH 5:20,1000018:* (BODY.PEEK[])", "e FETCH 1,3:6,1000003:* (UID)")
	for _, want := range []string{
		"(MESSAGES 1000004 UIDNEXT 1000021)", "* 1000004 EXISTS", "UID ALL 3:5,9,20:1000018,1000020\r\n",
		"* 3 FETCH (UID 5 BODY[] {1}\r\n5)\r\n* 4 FETCH (UID 9 BODY[] {1}\r\n9)\r\n* 5 FETCH (UID 20 BODY[] {2}\r\n20)\r\n" +
			"* 1000003 FETCH (UID 1000018 BODY[] {7}\r\n1000018)\r\n* 1000004 FETCH (UID 1000020 BODY[] {4}\r\nkept)\r\nd OK",
		"* 1 FETCH (UID 3)\r\n* 3 FETCH (UID 5)\r\n* 4 FETCH (UID 9)\r\n* 5 FETCH (UID 20)\r\n* 6 FETCH (UID 21)\r\n" +
			"* 1000003 FETCH (UID 1000018)\r\n* 1000004 FETCH (UID 1000020)\r\ne OK",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}

func TestInIMAPSet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		set  string
		n    int
		want bool
	}{
		{"3", 3, true}, {"3", 4, false}, {"1:3", 2, true}, {"3:1", 2, true}, {"1,5:7", 6, true},
		{"1,5:7", 4, false}, {"5:*", 9, true}, {"5:*", 4, false},
	} {
		if got := mailtest.InIMAPSet(c.set, c.n); got != c.want {
			t.Errorf("%d in %s: got %v", c.n, c.set, got)
		}
	}
}

// BenchmarkIMAPServer reads a session with eight small messages, as the fault
// programme does thousands of times.
func BenchmarkIMAPServer(b *testing.B) {
	s := &mailtest.IMAPServer{Boxes: []*mailtest.IMAPBox{mailtest.NewIMAPBox("INBOX", mailtest.SuiteBodies()[:7]...)}}
	lines := "a LOGIN me x\r\nb LIST \"\" \"*\"\r\nc EXAMINE INBOX\r\nd UID SEARCH ALL\r\n" +
		"e UID FETCH 1:7 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])\r\nf LOGOUT\r\n"
	for b.Loop() {
		client, server := mailtest.Pipe()
		go s.Serve(server) // it ends with LOGOUT
		if _, err := io.WriteString(client, lines); err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, client); err != nil {
			b.Fatal(err)
		}
	}
}
