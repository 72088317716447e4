package pop3

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/secret"
	"mailpull/pkg/wire"
)

// longDrop is a maildrop that is listed in part, each message with a size of
// its own.
func longDrop(messages int) *maildrop {
	drop := &maildrop{answers: map[string]string{}}
	for i := range messages {
		drop.bodies = append(drop.bodies, strings.Repeat("x", i%500)+"\r\n")
		drop.uidls = append(drop.uidls, fmt.Sprintf("id%d", i+1))
	}
	return drop
}

// selected opens a session and selects INBOX since a status.
func selected(t testing.TB, drop *maildrop, since *mail.Status) (*Session, mail.Refs, mail.Status) {
	t.Helper()
	s, err := drop.source(t, wire.Limits{}).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Abort)
	refs, status, err := s.Select(t.Context(), mail.Mailbox{Name: mail.Inbox, Since: since})
	if err != nil {
		t.Fatal(err)
	}
	return s, refs, status
}

// nine are the questions by which a maildrop of so many messages is known again.
func nine(messages int) []string { return uidlOf(places(messages)) }

func TestPart(t *testing.T) {
	t.Parallel()
	_, whole, since := selected(t, longDrop(minPart), nil)
	if whole.Rest != 0 || whole.Len() != minPart || since.Mark == 0 {
		t.Fatalf("%d messages and %d more, %+v", whole.Len(), whole.Rest, since)
	}
	for _, news := range []int{0, 1, 3, maxNews} {
		drop := longDrop(minPart + news)
		s, refs, status := selected(t, drop, &since)
		if refs.Rest != minPart || !slices.Equal(refs.UIDLs, toUIDLs(drop.uidls[minPart:])) || refs.Total() != minPart+news {
			t.Fatalf("%d new: %d left out, %q", news, refs.Rest, refs.UIDLs)
		}
		want := append([]string{"STAT"}, nine(minPart)...)
		for n := minPart + 1; n <= minPart+news; n++ {
			want = append(want, fmt.Sprintf("UIDL %d", n), fmt.Sprintf("LIST %d", n))
		}
		if news > 0 {
			want = append(want, nine(minPart+news)...)
		}
		if got := drop.commands(); !slices.Equal(got, want) {
			t.Errorf("%d new: sent %q, want %q", news, got, want)
		}
		// It is the status of a whole listing.
		if _, _, all := selected(t, longDrop(minPart+news), nil); status != all {
			t.Errorf("%d new: got %+v, want %+v", news, status, all)
		}
		r := newReceiver()
		if err := s.Fetch(t.Context(), refs, r); err != nil {
			t.Fatal(err)
		}
		for i, uidl := range refs.UIDLs {
			if r.settled[uidl] != (outcome{drop.bodies[minPart+i], nil}) {
				t.Errorf("%d new: %s has %+v", news, uidl, r.settled[uidl])
			}
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func toUIDLs(texts []string) (uidls []mail.UIDL) {
	for _, text := range texts {
		uidls = append(uidls, mail.UIDL(text))
	}
	return uidls
}

// Whatever speaks against a listing in part, all are listed, and the connection
// is in step.
func TestNoPart(t *testing.T) {
	t.Parallel()
	const last = minPart + 3
	_, _, since := selected(t, longDrop(minPart), nil)
	answer := func(command, text string) func(*maildrop) {
		return func(d *maildrop) { d.answers[command] = text + "\r\n" }
	}
	at := func(n int) string { return fmt.Sprintf("UIDL %d", n) }
	size := func(n int) string { return fmt.Sprintf("LIST %d", n) }
	for name, change := range map[string]func(d *maildrop){
		"one is gone":            func(d *maildrop) { d.uidls, d.bodies = d.uidls[4:], d.bodies[4:] },
		"another in its place":   func(d *maildrop) { d.uidls[minPart-1] = "other" },
		"two changed places":     func(d *maildrop) { d.uidls[0], d.uidls[1] = d.uidls[1], d.uidls[0] },
		"the order is reversed":  func(d *maildrop) { slices.Reverse(d.uidls) },
		"one came in the middle": func(d *maildrop) { d.uidls = slices.Insert(d.uidls, 7000, "other")[:last] },
		"one grew":               func(d *maildrop) { d.bodies[17] += "x" },
		"one shrank":             func(d *maildrop) { d.bodies[400] = "\r\n" },
		"made anew": func(d *maildrop) {
			for i := range d.uidls {
				d.uidls[i] += "x"
			}
		},
		"too many are new":               func(d *maildrop) { *d = *longDrop(minPart + maxNews + 1) },
		"a new one has a new one's id":   func(d *maildrop) { d.uidls[last-1] = d.uidls[last-2] },
		"STAT has fewer bytes":           answer("STAT", fmt.Sprintf("+OK %d 1", last)),
		"STAT has more bytes":            answer("STAT", fmt.Sprintf("+OK %d 9223372036854775807", last)),
		"UIDL of the first is refused":   answer(at(1), "-ERR what?"),
		"UIDL of the first has no value": answer(at(1), "+OK"),
		"UIDL of the first is empty":     answer(at(1), "+OK 1 "),
		"UIDL has no number":             answer(at(minPart), "+OK id10000"),
		"UIDL has another number":        answer(at(minPart), "+OK 1 id10000"),
		"UIDL has more words":            answer(at(minPart), "+OK 10000 id10000 x"),
		"UIDL of a new one is refused":   answer(at(last-1), "-ERR"),
		"UIDL of a new one is no id":     answer(at(last-1), "+OK 10002 a\x01"),
		"LIST of a new one is refused":   answer(size(last), "-ERR"),
		"LIST of a new one is no size":   answer(size(last), "+OK 10003 x"),
		"LIST of a new one is negative":  answer(size(last), "+OK 10003 -5"),
		"LIST of a new one is too much":  answer(size(last), "+OK 10003 9223372036854775807"),
		"LIST of a new one is another's": answer(size(last), "+OK 1 2"),
		"LIST of two is right together": func(d *maildrop) {
			d.answers[size(last-1)] = "-ERR\r\n"
			d.answers[size(last)] = fmt.Sprintf("+OK %d %d\r\n", last, len(d.bodies[last-1])+len(d.bodies[last-2])+1)
		},
		"none is new and one grew": func(d *maildrop) {
			*d = *longDrop(minPart)
			d.bodies[17] += "x"
		},
		"the server does not pipeline": func(d *maildrop) { d.serial = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			drop := longDrop(last)
			change(drop)
			stat := drop.answers["STAT"]
			s, refs, _ := selected(t, drop, &since)
			if refs.Rest != 0 || stat == "" && refs.Total() < len(drop.bodies)-1 {
				t.Errorf("%d are left out, %d listed", refs.Rest, refs.Len())
			}
			if !slices.Contains(drop.commands(), "UIDL") {
				t.Errorf("sent %.300q", drop.commands())
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A listing in part wants a mark, and a maildrop that is long enough; only such
// a one gets a mark.
func TestPartOfAShortDrop(t *testing.T) {
	t.Parallel()
	_, _, status := selected(t, longDrop(minPart-1), nil)
	if status.Mark != 0 {
		t.Errorf("got %+v", status)
	}
	for _, since := range []mail.Status{{Messages: minPart}, {Messages: minPart - 1, Mark: 5}} {
		drop := longDrop(minPart)
		selected(t, drop, &since)
		if got := drop.commands(); !slices.Equal(got, []string{"STAT", "UIDL", "UIDL 1"}) {
			t.Errorf("%+v: sent %q", since, got)
		}
	}
	serial := longDrop(minPart)
	serial.serial = true
	if _, _, status := selected(t, serial, nil); status.Mark != 0 {
		t.Errorf("without pipelining: got %+v", status)
	}
	unlike := longDrop(minPart)
	unlike.answers["UIDL 1"] = "-ERR\r\n"
	if _, _, status := selected(t, unlike, nil); status.Mark != 0 {
		t.Errorf("without UIDL for one: got %+v", status)
	}
}

// The questions must fit into any transport's window.
func TestQuestionsOfAPartAreFew(t *testing.T) {
	t.Parallel()
	commands := newsOf(maxMessages-maxNews, maxMessages)
	if size := len(strings.Join(commands, "\r\n")); size > 4<<10 {
		t.Errorf("%d commands of %d bytes", len(commands), size)
	}
}

// Connections that end while the answers come are an error and no listing.
func TestPartOfALostConnection(t *testing.T) {
	t.Parallel()
	_, _, since := selected(t, longDrop(minPart), nil)
	for _, behind := range []string{"STAT", "UIDL 1", "UIDL 10000", "UIDL 10002", "LIST 10003"} {
		drop := longDrop(minPart + 3)
		drop.hangsUp = []string{behind}
		s, err := drop.source(t, wire.Limits{}).Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = s.Select(t.Context(), mail.Mailbox{Name: mail.Inbox, Since: &since})
		wantError(t, err, mail.ScopeAccount, mail.ClassConnect, mail.RetryNow)
	}
}

// turnsOf counts how often a client that signs in, selects INBOX and says
// goodbye waits for the server: once for each packet that it sends.
func turnsOf(t *testing.T, server *mailtest.POP3Server, since *mail.Status) (sent []string) {
	t.Helper()
	done := make(chan struct{})
	source := (&maildrop{}).dialled(wire.Limits{}, func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() { defer close(done); server.Serve(far) }() // the test waits for it
		return packets{near, &sent}, nil
	})
	source.options.Wire.Login.Password = oneWord
	s, err := source.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Select(t.Context(), mail.Mailbox{Name: mail.Inbox, Since: since}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-done
	return sent
}

// oneWord is a password that can go out with the user name.
func oneWord(context.Context) (secret.String, error) { return secret.New("horse"), nil }

// packets keeps what is sent, commands in one packet with a bar between them.
type packets struct {
	net.Conn
	sent *[]string
}

func (p packets) Write(b []byte) (int, error) {
	*p.sent = append(*p.sent, strings.ReplaceAll(strings.TrimSuffix(string(b), "\r\n"), "\r\n", "|"))
	return p.Conn.Write(b)
}

// The round trips of a pass without news, behind those of TCP and TLS and the
// greeting.
func TestTurnsWithoutNews(t *testing.T) {
	t.Parallel()
	short := &mailtest.POP3Server{Messages: mailtest.POP3Messages("a", "b")}
	want := []string{"CAPA", "USER isp|PASS horse", "STAT|UIDL|UIDL 1", "QUIT"}
	if got := turnsOf(t, short, nil); !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
	drop := longDrop(minPart)
	drop.build()
	drop.server.Caps = nil
	_, _, since := selected(t, longDrop(minPart), nil)
	want[2] = "STAT|" + strings.Join(nine(minPart), "|")
	if got := turnsOf(t, &drop.server, &since); !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
}

// FuzzPart plays the answers to the questions of a listing in part. Whatever
// they are, a listing in part names as many messages as STAT counts.
func FuzzPart(f *testing.F) {
	const last = minPart + 1
	_, _, since := selected(f, longDrop(minPart), nil)
	good := fmt.Sprintf("+OK %d %d\r\n", last, since.Size+int64(len(longDrop(last).bodies[minPart])))
	for _, n := range places(minPart) {
		good += fmt.Sprintf("+OK %d id%d\r\n", n, n)
	}
	news := fmt.Sprintf("\x00+OK %d new\r\n+OK %d %d\r\n", last, last, len(longDrop(last).bodies[minPart]))
	for _, n := range places(last) {
		news += fmt.Sprintf("+OK %d id%d\r\n", n, n)
	}
	f.Add([]byte(good + strings.Replace(news, "id10001", "new", 1)))
	f.Add([]byte(good + news))
	f.Add([]byte(strings.Replace(good, "+OK 1 ", "-ERR ", 1) + "\x00+OK 1 1\r\n+OK\r\n1 a\r\n.\r\n+OK 1 a\r\n"))
	f.Add([]byte(fmt.Sprintf("+OK %d %d\r\n", minPart, since.Size) + strings.SplitN(good, "\r\n", 2)[1]))
	f.Fuzz(func(t *testing.T, data []byte) {
		texts := [][]byte{[]byte("+OK\r\n"), []byte("+OK\r\nUSER\r\nPIPELINING\r\n.\r\n"), []byte("+OK\r\n+OK\r\n")}
		texts = append(texts, bytes.Split(data, []byte{0})...)
		source := (&maildrop{}).dialled(wire.Limits{Listing: 1 << 16}, func(context.Context, string, string) (net.Conn, error) {
			return &playedConn{in: pieces(texts)}, nil
		})
		source.options.Wire.Login.Password = oneWord
		s, err := source.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Abort()
		refs, status, err := s.Select(t.Context(), mail.Mailbox{Name: mail.Inbox, Since: &since})
		if err == nil && (refs.Total() != status.Messages || refs.Rest != 0 && refs.Rest != minPart) {
			t.Errorf("%q: %d of %d are listed and %d left out", data, refs.Len(), status.Messages, refs.Rest)
		}
		if refs.Rest != 0 && status.Mark == 0 {
			t.Errorf("%q: listed in part without a mark", data)
		}
	})
}
