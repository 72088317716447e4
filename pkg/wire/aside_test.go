package wire

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
)

// opened opens a connection to a server that plays after sign-in, without a
// library on top.
func opened(t *testing.T, limits Limits, play func(s *script)) *IMAP {
	t.Helper()
	o, _ := serve(t, func(s *script) {
		signedIn(s, "IMAP4rev1")
		play(s)
	})
	o.Limits = limits
	c, err := OpenIMAP(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// playAside answers two commands out of order, with data for both.
func playAside(s *script) {
	s.want(`LIST "" "*"`)
	first := s.tag
	s.want(`STATUS "a" (UIDNEXT)`)
	s.say(`* LIST (\HasNoChildren) "/" "R&D \"x\""`, `* LIST (\Noselect) NIL {3}`, `a`+"\xe4"+`b`, "* SEARCH 1 2 3")
	s.say("$ NO [NONEXISTENT] none")
	s.say("* STATUS a (UIDNEXT 7 MESSAGES 3) ", first+" OK [READ-ONLY] done")
}

func checkAside(t *testing.T, c *IMAP) {
	t.Helper()
	var got []string
	statuses, err := c.Aside(t.Context(), []string{`LIST "" "*"`, `STATUS "a" (UIDNEXT)`}, func(i int, r Response) error {
		if r.Type == "EXISTS" {
			return nil // unasked, and sometimes go-imap's to read
		}
		got = append(got, fmt.Sprintf("%d %s %q %v", i, r.Type, r.Raw, r.Nodes))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`0 LIST "" [{3  [{0 \HasNoChildren []}]} {1 / []} {1 R&D "x" []}]`,
		`0 LIST "" [{3  [{0 \Noselect []}]} {2  []} {1 a` + "\xe4" + `b []}]`,
		`0 SEARCH "1 2 3" []`,
		`0 STATUS "" [{0 a []} {3  [{0 UIDNEXT []} {0 7 []} {0 MESSAGES []} {0 3 []}]}]`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	wantStatuses := []Status{
		{Condition: "OK", Code: "READ-ONLY", Text: "done"}, {Condition: "NO", Code: "NONEXISTENT", Text: "none"},
	}
	if !reflect.DeepEqual(statuses, wantStatuses) {
		t.Errorf("got %+v", statuses)
	}
}

func TestAsideAlone(t *testing.T) {
	t.Parallel()
	checkAside(t, opened(t, Limits{}, func(s *script) { playAside(s); s.stall() }))
}

// The first Aside names us to a server that announced ID, in the same write, and
// whatever comes of that is nothing to the caller.
func TestAsideSaysWhoWeAre(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string][]string{
		"answered":   {"* ID NIL", "$ OK"},
		"refused":    {"$ NO not to you"},
		"unknown":    {"$ BAD no such command"},
		"with other": {"* 5 EXISTS", `* ID ("name" "x")`, "$ OK [ALERT] maintenance"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, _ := serve(t, func(s *script) {
				signedIn(s, "IMAP4rev1 ID")
				s.want(idCommand)
				id := s.tag
				if s.in.Buffered() == 0 {
					t.Error("server: ID came alone")
				}
				s.want(`LIST "" "*"`)
				list := s.tag
				s.tag = id
				s.say(answer...)
				s.say(`* LIST () "/" a`, list+" OK done")
				s.want("NOOP")
				s.say("$ NO never")
				s.stall()
			})
			c, err := OpenIMAP(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			lists := 0
			statuses, err := c.Aside(t.Context(), []string{`LIST "" "*"`}, func(i int, r Response) error {
				if r.Type == "LIST" && i == 0 {
					lists++
				}
				return nil
			})
			if err != nil || len(statuses) != 1 || !statuses[0].OK() || lists != 1 {
				t.Errorf("%d lists, %v, %v", lists, statuses, err)
			}
			if statuses, err = c.Aside(t.Context(), []string{"NOOP"}, nil); err != nil || len(statuses) != 1 || statuses[0].OK() {
				t.Errorf("the second: %v, %v", statuses, err)
			}
		})
	}
}

// A proxy in front of the server that drops what it has read behind each command
// until we are signed in costs nothing: nothing was sent behind one.
func TestNothingBehindTheSignIn(t *testing.T) {
	t.Parallel()
	for name, play := range map[string]func(s *script){
		"AUTHENTICATE": func(s *script) {
			s.say("* OK [CAPABILITY " + plainCaps + " ID] hello")
			s.want("AUTHENTICATE PLAIN " + plainResponse())
		},
		"LOGIN": func(s *script) {
			s.say("* OK [CAPABILITY IMAP4rev1 ID] hello")
			s.want(`LOGIN "work" "s3cret-pass phrase"`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, _ := serve(t, func(s *script) {
				play(s)
				s.in.Reset(s) // what was read is dropped
				s.say("$ OK [CAPABILITY IMAP4rev1 ID] in")
				s.want(idCommand)
				s.say("$ OK")
				s.want("NOOP")
				s.say("$ OK")
				s.stall()
			})
			c, err := OpenIMAP(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Aside(t.Context(), []string{"NOOP"}, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAsideBesideLibrary takes turns with go-imap on one connection.
func TestAsideBesideLibrary(t *testing.T) {
	t.Parallel()
	for range 20 { // the reading goroutine is caught at different points
		c, client := library(t, Limits{}, func(s *script) {
			s.say("* 5 EXISTS") // go-imap's reader is under way
			for range 2 {
				playAside(s)
				s.tag, _, _ = strings.Cut(s.line(), " ")
				s.raw("* 1 FETCH (UID 9 BODY[] {3}\r\nabc)\r\n")
				s.say("$ OK")
			}
			s.stall()
		})
		for range 2 {
			checkAside(t, c)
			cmd := client.Fetch(imap.UIDSetNum(9), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}})
			messages, err := cmd.Collect()
			if err != nil || len(messages) != 1 || messages[0].UID != 9 {
				t.Fatalf("got %v, %v", messages, err)
			}
		}
	}
}

func TestAsideOverTLS(t *testing.T) {
	t.Parallel()
	ours := mailtest.NewCA(t)
	o, _ := serve(t, func(s *script) {
		if !s.tls(config(t, ours, nil)) {
			return
		}
		signedIn(s, "IMAP4rev1")
		playAside(s)
		s.want("NOOP")
		s.say("$ OK")
		playAside(s)
		s.stall()
	})
	o.Security, o.CAFile = TLS, ours.File(t)
	c, err := OpenIMAP(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	client := imapclient.New(c.Conn(), nil)
	defer client.Close()
	checkAside(t, c)
	if err := client.Noop().Wait(); err != nil {
		t.Fatal(err)
	}
	checkAside(t, c)
}

// TestAsideFinishesAnUnaskedResponse begins while go-imap's goroutine is in
// the middle of a response.
func TestAsideFinishesAnUnaskedResponse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, client := library(t, Limits{}, func(s *script) {
			s.raw("* 1 FETCH (X {5}\r\nab")
			s.want("NOOP")
			s.raw("cde UID 7 Y {1}\r\n")
			time.Sleep(time.Second)
			s.raw("x FLAGS ())\r\n")
			s.say("* 1 EXISTS", "$ OK done")
			s.stall()
		})
		synctest.Wait()
		time.AfterFunc(time.Second, func() { _, _ = c.conn.Write([]byte("x NOOP\r\n")) })
		_, err := c.Aside(t.Context(), []string{"NOOP"}, nil)
		if !errors.Is(err, errForeignTag) {
			t.Errorf("got %v, want the answer to the stray command", err)
		}
		_ = client.Close()
	})
}

func TestAsideManyCommands(t *testing.T) {
	t.Parallel()
	const n = 5000
	c := opened(t, Limits{}, func(s *script) {
		for i := range n {
			s.want(fmt.Sprintf("STATUS box%d (UIDNEXT)", i))
			s.say(fmt.Sprintf("* STATUS box%d (UIDNEXT %d)", i, i), "$ OK")
		}
		s.stall()
	})
	commands := make([]string, n)
	for i := range commands {
		commands[i] = fmt.Sprintf("STATUS box%d (UIDNEXT)", i)
	}
	next := 0
	statuses, err := c.Aside(t.Context(), commands, func(i int, r Response) error {
		if want := fmt.Sprintf("box%d", next); i != next || r.Nodes[0].Text != want {
			t.Errorf("got %d %q, want %d", i, r.Nodes[0].Text, next)
		}
		next++
		return nil
	})
	if err != nil || len(statuses) != n || next != n {
		t.Errorf("got %d statuses and %d responses, %v", len(statuses), next, err)
	}
}

func TestAsideFails(t *testing.T) {
	t.Parallel()
	own := errors.New("enough")
	cases := []struct {
		name  string
		play  func(s *script)
		class mail.Class
	}{
		{"foreign tag", func(s *script) { s.say("T1 OK") }, mail.ClassProtocol},
		{"continuation", func(s *script) { s.say("+ go on") }, mail.ClassProtocol},
		{"tagged BYE", func(s *script) { s.say("$ BYE x") }, mail.ClassProtocol},
		{"deep", func(s *script) { s.say("* LIST " + strings.Repeat("(", 65)) }, mail.ClassProtocol},
		{"many values", func(s *script) { s.say("* LIST " + strings.Repeat("()", maxNodes+1)) }, mail.ClassProtocol},
		{"large literal", func(s *script) { s.say("* LIST {65537}") }, mail.ClassProtocol},
		{"endless chatter", func(s *script) {
			for range maxAside + 1 {
				s.say("* 1 EXISTS")
			}
		}, mail.ClassProtocol},
		{"half a list", func(s *script) { s.say("* NAMESPACE (a") }, mail.ClassProtocol},
		{"BYE", func(s *script) { s.say("* BYE so long") }, mail.ClassServer},
		{"hangs up", func(*script) {}, mail.ClassConnect},
		{"callback", func(s *script) { s.say("* LIST () NIL a", "$ OK") }, ""},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := opened(t, Limits{}, func(s *script) { s.want("NOOP"); tc.play(s) })
			_, err := c.Aside(t.Context(), []string{"NOOP"}, func(int, Response) error {
				if tc.class == "" {
					return own
				}
				return nil
			})
			if tc.class == "" {
				if err != own {
					t.Errorf("got %v, want the callback's error as it is", err)
				}
			} else {
				wantError(t, err, tc.class, mail.RetryLater)
			}
			if c.Err() == nil {
				t.Error("the connection is still open")
			}
		})
	}
}

func TestAsideEnds(t *testing.T) {
	t.Parallel()
	limits := Limits{Idle: 20 * time.Second, Response: 90 * time.Second}
	cases := []struct {
		name string
		play func(s *script)
		want time.Duration
	}{
		{"silence", func(s *script) { s.want("NOOP"); s.stall() }, 20 * time.Second},
		{"chatter", func(s *script) {
			s.want("NOOP")
			for range 1000 {
				time.Sleep(15 * time.Second)
				s.say("* OK still here", "* LIST () NIL unasked")
			}
		}, 90 * time.Second},
		{"nobody reads", func(s *script) { time.Sleep(time.Minute) }, 20 * time.Second},
		{"a line that never ends", func(s *script) {
			s.want("NOOP")
			s.raw("* X ")
			for range 1000 {
				time.Sleep(15 * time.Second)
				s.raw("a")
			}
		}, 90 * time.Second},
	}
	for _, tc := range cases {
		for _, attached := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %t", tc.name, attached), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					c := opened(t, limits, tc.play)
					if attached {
						client := imapclient.New(c.Conn(), nil)
						defer client.Close()
						if err := client.WaitGreeting(); err != nil {
							t.Fatal(err)
						}
						synctest.Wait()
					}
					begin := time.Now()
					_, err := c.Aside(t.Context(), []string{"NOOP"}, nil)
					wantError(t, err, mail.ClassTimeout, mail.RetryLater)
					if took := time.Since(begin); took != tc.want {
						t.Errorf("it took %v, want %v", took, tc.want)
					}
				})
			})
		}
	}
}

func TestAsideCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, client := library(t, Limits{}, func(s *script) { s.stall() })
		cause := errors.New("no more")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		if _, err := c.Aside(ctx, []string{"NOOP"}, nil); !errors.Is(err, cause) {
			t.Errorf("got %v, want the cause", err)
		}
		<-client.Closed()
	})
}

func TestAsideAtTheWrongTime(t *testing.T) {
	t.Parallel()
	c, client := library(t, Limits{}, func(s *script) {
		s.want("NOOP")
		s.want("NOOP")
		s.say("T2 OK", "T1 OK")
		s.stall()
	})
	one := client.Noop()
	if _, err := c.Aside(t.Context(), []string{"NOOP"}, nil); mail.ErrorClass(err) != mail.ClassLocal {
		t.Errorf("got %v, want class local", err)
	}
	two := client.Noop()
	if err := errors.Join(one.Wait(), two.Wait()); err != nil {
		t.Errorf("the library's commands suffered: %v", err)
	}
	if _, err := c.Aside(t.Context(), []string{"NOOP\r\nDELETE a"}, nil); mail.ErrorClass(err) != mail.ClassLocal {
		t.Errorf("got %v, want class local", err)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	heard := make(chan struct{})
	c, client := library(t, Limits{}, func(s *script) {
		s.want("LOGOUT") // and says nothing: nobody waits for it
		close(heard)
		s.stall()
	})
	if err := c.Logout(); err != nil {
		t.Error(err)
	}
	<-heard
	<-client.Closed()
	if err := c.Logout(); err == nil {
		t.Error("a goodbye on a closed connection is no error")
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in, want string
		ok       bool
	}{
		{"", `""`, true},
		{`a"b\c`, `"a\"b\\c"`, true},
		{"Entw\xc3\xbcrfe \xff", "\"Entw\xc3\xbcrfe \xff\"", true},
		{"a\nb", "", false}, {"a\rb", "", false}, {"a\x00b", "", false},
	} {
		if got, ok := Quote(tc.in); got != tc.want || ok != tc.ok {
			t.Errorf("%q: got %q, %t", tc.in, got, ok)
		}
	}
}

// A list may take its time as long as it comes, and a line of it that makes no
// sense costs nothing but itself.
func TestAsideLongList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := opened(t, Limits{Idle: 20 * time.Second, Response: 90 * time.Second}, func(s *script) {
			s.want(`LIST "" "*"`)
			for range 20 {
				time.Sleep(15 * time.Second)
				s.say(`* LIST () "\" INBOX`, `* LIST () "/" foo)bar`, `* LIST () "/" good`)
			}
			s.say("$ OK done")
			s.stall()
		})
		odd, good := 0, 0
		_, err := c.Aside(t.Context(), []string{`LIST "" "*"`}, func(_ int, r Response) error {
			switch {
			case r.Odd != nil && r.Nodes == nil:
				odd++
			case len(r.Nodes) == 3:
				good++
			}
			return nil
		})
		if err != nil || odd != 40 || good != 20 {
			t.Errorf("got %d odd and %d good lines, %v", odd, good, err)
		}
	})
}
