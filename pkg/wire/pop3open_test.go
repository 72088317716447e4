package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/secret"
	"mailpull/pkg/signin"
)

// talk plays a conversation: lines that begin with "C: " are heard, all
// others are said. It ends at the first line that is not heard.
func talk(s *script, lines ...string) bool {
	for _, line := range lines {
		want, heard := strings.CutPrefix(line, "C: ")
		if !heard {
			s.say(line)
			continue
		}
		if got := s.line(); got != want {
			s.t.Errorf("server: got %q, want %q", got, want)
			return false
		}
	}
	return true
}

// pop3Capa is a conversation up to sign-in with the announced capabilities.
func pop3Capa(caps ...string) []string {
	lines := []string{"+OK hello", "C: CAPA", "+OK"}
	return append(append(lines, caps...), ".")
}

// authPlain is the conversation of AUTH PLAIN up to its outcome.
func authPlain() []string { return []string{"C: AUTH PLAIN", "+ ", "C: " + plainResponse()} }

func TestOpenPOP3(t *testing.T) {
	t.Parallel()
	userPass := []string{"C: USER " + testUser, "+OK", "C: PASS " + testPassword, "+OK in"}
	for _, test := range []struct {
		name       string
		talk       []string
		pipelining bool
	}{
		{"AUTH PLAIN", append(pop3Capa("TOP", "PIPELINING", "SASL LOGIN PLAIN"), append(authPlain(), "+OK in")...), true},
		{"small letters", append(pop3Capa("pipelining", "sasl plain"), append(authPlain(), "+OK in")...), true},
		{"bare plus", append(pop3Capa("SASL PLAIN"), "C: AUTH PLAIN", "+", "C: "+plainResponse(), "+OK in"), false},
		{"no PLAIN", append(pop3Capa("USER", "SASL CRAM-MD5", "", "X-PIPELINING"), userPass...), false},
		{"no CAPA", append([]string{"+OK hello <1.2@pop.example.com>", "C: CAPA", "-ERR what?"}, userPass...), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o, _ := serve(t, func(s *script) {
				talk(s, append(test.talk, "C: NOOP", "C: NOOP")...)
				s.raw("+OK one\r\n+OK two\r\n")
				s.stall()
			})
			conn, err := OpenPOP3(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got := conn.limits.Listing; got != 128<<20 {
				t.Errorf("a listing may have %d bytes", got)
			}
			if conn.Pipelining != test.pipelining {
				t.Errorf("pipelining: got %t, want %t", conn.Pipelining, test.pipelining)
			}
			if err := conn.Send("NOOP", "NOOP"); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"one", "two"} {
				if reply, err := conn.Answer(); reply.Text != want || err != nil {
					t.Errorf("the connection is of no use: got %+v, %v, want %q", reply, err, want)
				}
			}
		})
	}
}

// A server that announces both hears USER and PASS before it answers, and
// nothing behind them. What is no argument of one word goes another way.
func TestUserAndPassInOneWrite(t *testing.T) {
	t.Parallel()
	announced := []string{"USER", "SASL PLAIN", "PIPELINING"}
	long := strings.Repeat("p", 249) // with the command and its end 256 bytes
	for _, test := range []struct {
		user, password string
		caps           []string
		talk           []string
		class          mail.Class
	}{
		{"work", "secret", announced, []string{"C: USER work", "C: PASS secret", "+OK", "+OK in"}, ""},
		{"me@example.com", "!~" + long[2:247], announced, []string{"C: USER me@example.com", "C: PASS !~" + long[2:247], "+OK", "+OK in"}, ""},
		{"work", "secret", announced, []string{"C: USER work", "C: PASS secret", "-ERR who?", "-ERR no user"}, mail.ClassAuth},
		{"work", "secret", announced, []string{"C: USER work", "C: PASS secret", "+OK", "-ERR [IN-USE] locked"}, mail.ClassServer},
		{"work", "secret", []string{"USER"}, []string{"C: USER work", "+OK", "C: PASS secret", "+OK in"}, ""},
		{"work", "secret", []string{"PIPELINING"}, []string{"C: USER work", "+OK", "C: PASS secret", "+OK in"}, ""},
		{"work", "two words", announced[:1], []string{"C: USER work", "+OK", "C: PASS two words", "+OK in"}, ""},
		{"work", "two words", announced, []string{"C: AUTH PLAIN", "-ERR"}, mail.ClassAuth},
		{"my work", "secret", announced, []string{"C: AUTH PLAIN", "-ERR"}, mail.ClassAuth},
		{"work", "p\u00e4ss", announced, []string{"C: AUTH PLAIN", "-ERR"}, mail.ClassAuth},
		{"work", long, announced, []string{"C: AUTH PLAIN", "-ERR"}, mail.ClassAuth},
	} {
		synctest.Test(t, func(t *testing.T) {
			o, s := serve(t, func(s *script) {
				talk(s, append(pop3Capa(test.caps...), test.talk...)...)
				s.stall()
			})
			o.Login = signin.Login{Username: test.user, Password: func(context.Context) (secret.String, error) {
				return secret.New(test.password), nil
			}}
			conn, err := OpenPOP3(t.Context(), o)
			switch {
			case test.class == "" && err != nil:
				t.Errorf("%q, %v: %v", test.password, test.caps, err)
			case test.class != "":
				wantError(t, err, test.class, mail.ErrorRetry(err))
			}
			if err == nil {
				_ = conn.Close() // it is of no more use
			}
			if heard := s.transcript(); strings.Contains(heard, "AUTH") == strings.Contains(heard, "USER") {
				t.Errorf("%q, %v: heard %q", test.password, test.caps, heard)
			}
		})
	}
}

// Servers that know no response codes say in words that a refusal passes.
func TestPassingPOP3Refusals(t *testing.T) {
	t.Parallel()
	const locked, wait = "another program", "asks to wait"
	for text, hint := range map[string]string{
		"maildrop already locked":                     locked,
		"Unable to lock maildrop":                     locked,
		"unable to obtain maildrop lock":              locked,
		"Server Unavailable. 21":                      wait,
		"Login is limited to once every 15 minutes":   wait,
		"too many connections":                        wait,
		"Temporary authentication failure":            wait,
		"system error, please try again later":        wait,
		"your account is locked, please try it later": wait,
	} {
		capa := append(pop3Capa("USER"), "C: USER "+testUser, "+OK", "C: PASS "+testPassword)
		for step, lines := range map[string][]string{
			"greeting":   {"-ERR " + text},
			"AUTH":       {"+OK", "C: CAPA", "+OK", "SASL PLAIN", ".", "C: AUTH PLAIN", "-ERR " + text},
			"PASS":       append(capa, "-ERR "+text),
			"AUTH codes": append(append(pop3Capa("SASL PLAIN", "AUTH-RESP-CODE"), authPlain()...), "-ERR "+text),
		} {
			o, _ := serve(t, func(s *script) { talk(s, lines...) })
			_, err := OpenPOP3(t.Context(), o)
			wantError(t, err, mail.ClassThrottled, mail.RetryLater)
			if !strings.Contains(mail.ErrorHint(err), hint) {
				t.Errorf("%s, %q: hint %q", step, text, mail.ErrorHint(err))
			}
		}
	}
}

// What a code says counts more than words.
func TestPassingByCode(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"-ERR [AUTH] temporarily wrong": false, "-ERR [SYS/PERM] unavailable": false, "-ERR wrong": false,
		"-ERR": false, "+OK too many": false, "-ERR [SYS/TEMP]": true, "-ERR [IN-USE] x": true,
		"-ERR [LOGIN-DELAY] x": true, "-ERR [X] too many": true,
	} {
		if reply, err := parsePOP3Reply([]byte(line)); err != nil || reply.Passing() != want {
			t.Errorf("%q: got %t, %v", line, reply.Passing(), err)
		}
	}
}

func TestOpenPOP3Refused(t *testing.T) {
	t.Parallel()
	auth := func(answers ...string) []string {
		return append(append(pop3Capa("SASL PLAIN"), authPlain()...), answers...)
	}
	pass := func(answers ...string) []string {
		return append(append(pop3Capa("USER"), "C: USER "+testUser, "+OK", "C: PASS "+testPassword), answers...)
	}
	for _, test := range []struct {
		name  string
		talk  []string
		class mail.Class
		retry mail.Retry
		text  string
	}{
		{"greeting", []string{"-ERR closed today"}, mail.ClassServer, mail.RetryLater, "closed today"},
		{"greeting, locked", []string{"-ERR [IN-USE] locked"}, mail.ClassServer, mail.RetryLater, "locked"},
		{"IMAP greeting", []string{"* OK IMAP4rev1 ready"}, mail.ClassProtocol, mail.RetryLater, "IMAP4rev1 ready"},
		{"HTTP greeting", []string{"HTTP/1.1 400 Bad Request"}, mail.ClassProtocol, mail.RetryLater, "HTTP"},
		{"empty greeting", []string{""}, mail.ClassProtocol, mail.RetryLater, "neither"},
		{"hangs up", nil, mail.ClassConnect, mail.RetryLater, ""},
		{"hangs up at CAPA", []string{"+OK", "C: CAPA", "+OK", "SASL PLAIN"}, mail.ClassConnect, mail.RetryLater, ""},
		{"wrong password", auth("-ERR wrong"), mail.ClassAuth, mail.RetryNever, "wrong"},
		{"wrong password, PASS", pass("-ERR wrong"), mail.ClassAuth, mail.RetryNever, "wrong"},
		{"wrong user", append(pop3Capa("USER"), "C: USER "+testUser, "-ERR who?"), mail.ClassAuth, mail.RetryNever, "who?"},
		{"[AUTH]", auth("-ERR [AUTH] wrong"), mail.ClassAuth, mail.RetryNever, "wrong"},
		{"[IN-USE]", auth("-ERR [IN-USE] locked"), mail.ClassServer, mail.RetryLater, "locked"},
		{"[LOGIN-DELAY]", pass("-ERR [LOGIN-DELAY] wait"), mail.ClassThrottled, mail.RetryLater, "wait"},
		{"[SYS/TEMP]", pass("-ERR [SYS/TEMP] later"), mail.ClassServer, mail.RetryLater, "later"},
		{"[SYS/PERM]", pass("-ERR [SYS/PERM] never"), mail.ClassServer, mail.RetryNever, "never"},
		{"no [AUTH] where it is announced", append(append(pop3Capa("SASL PLAIN", "AUTH-RESP-CODE"), authPlain()...), "-ERR oops"),
			mail.ClassServer, mail.RetryLater, "oops"},
		{"empty answer is no success", pass(""), mail.ClassProtocol, mail.RetryLater, "neither"},
		{"no challenge", append(pop3Capa("SASL PLAIN"), "C: AUTH PLAIN", "+OK in"), mail.ClassProtocol, mail.RetryLater, "before it was told"},
		{"a third step", auth("+ more"), mail.ClassProtocol, mail.RetryLater, "neither"},
		{"hangs up at sign-in", auth(), mail.ClassConnect, mail.RetryLater, ""},
		{"echoed password", pass("-ERR wrong: PASS " + testPassword), mail.ClassAuth, mail.RetryNever, "wrong: PASS"},
		{"echoed response", auth("-ERR wrong: " + plainResponse()), mail.ClassAuth, mail.RetryNever, "wrong: "},
		{"echo that is no answer", pass("PASS " + testPassword + "?"), mail.ClassProtocol, mail.RetryLater, "PASS"},
		{"echo at the edge of what is shown", pass("-ERR " + strings.Repeat("x", 190) + testPassword), mail.ClassAuth, mail.RetryNever, "xxx"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o, _ := serve(t, func(s *script) { talk(s, test.talk...) })
			_, err := OpenPOP3(t.Context(), o)
			wantError(t, err, test.class, test.retry)
			if !strings.Contains(err.Error(), test.text) {
				t.Errorf("%q does not say %q", err, test.text)
			}
			for _, secret := range []string{testPassword, plainResponse(), testPassword[:4]} {
				if strings.Contains(err.Error()+mail.ErrorHint(err), secret) {
					t.Errorf("the error gives the password away: %q", err)
				}
			}
		})
	}
}

// A user name or password that would carry a command of its own is refused
// before there is a connection.
func TestPOP3CredentialsThatCannotBeSent(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ user, password string }{
		{"a\r\nDELE 1", "p"}, {"a", "p\nDELE 1"}, {"a\x00b", "p"}, {"a", "p\r"}, {"", "p"}, {"a", ""},
	} {
		o, s := serve(t, func(s *script) { s.stall() })
		o.Login = signin.Login{Username: test.user, Password: func(context.Context) (secret.String, error) {
			return secret.New(test.password), nil
		}}
		dial := o.Dial
		dialled := false
		o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dialled = true
			return dial(ctx, network, addr)
		}
		_, err := OpenPOP3(t.Context(), o)
		wantError(t, err, mail.ClassConfig, mail.RetryNever)
		if dialled || s.transcript() != "" {
			t.Errorf("%q: connected, and the server heard %q", test, s.transcript())
		}
	}
}

// TestSTLS runs good and bad STLS, and TLS from the start.
func TestSTLS(t *testing.T) {
	t.Parallel()
	ours, theirs := mailtest.NewCA(t), mailtest.NewCA(t)
	oursFile := ours.File(t)
	plain := append(pop3Capa("STLS", "PIPELINING"), "C: STLS", "+OK go on")
	packet := func(text string) func(*script) { return func(s *script) { s.raw(text) } }
	helloAnswered := func(s *script) {
		_, _ = s.in.ReadByte() // of the client's hello
		s.say("+OK", "SASL PLAIN", ".")
	}
	inside := append(append([]string{"C: CAPA", "+OK", "SASL PLAIN", "."}, authPlain()...), "+OK in")
	for _, test := range []struct {
		name     string
		security Security
		plain    []string      // in plain text
		then     func(*script) // what the server does then, in plain text
		config   *tls.Config
		class    mail.Class // empty: it succeeds
	}{
		{"STLS", StartTLS, plain, nil, config(t, ours, nil), ""},
		{"TLS", TLS, nil, nil, config(t, ours, nil), ""},
		{"unknown authority", StartTLS, plain, nil, config(t, theirs, nil), mail.ClassTLS},
		{"unknown authority, TLS", TLS, nil, nil, config(t, theirs, nil), mail.ClassTLS},
		{"other host", StartTLS, plain, nil, config(t, ours, func(c *x509.Certificate) { c.DNSNames = []string{"x.example.com"} }), mail.ClassTLS},
		{"expired", StartTLS, plain, nil, config(t, ours, func(c *x509.Certificate) { c.NotAfter = time.Unix(0, 0) }), mail.ClassTLS},
		{"stripped", StartTLS, pop3Capa("SASL PLAIN", "USER"), nil, nil, mail.ClassTLS},
		{"no CAPA", StartTLS, []string{"+OK", "C: CAPA", "-ERR"}, nil, nil, mail.ClassTLS},
		{"-ERR", StartTLS, append(pop3Capa("STLS", "SASL PLAIN"), "C: STLS", "-ERR no"), nil, nil, mail.ClassTLS},
		{"no answer but a challenge", StartTLS, append(pop3Capa("STLS"), "C: STLS", "+ "), nil, nil, mail.ClassProtocol},
		{"injected answer", StartTLS, plain[:len(plain)-1], packet("+OK go on\r\n+OK\r\nSASL PLAIN\r\n.\r\n"), nil, mail.ClassProtocol},
		{"injected behind the greeting", StartTLS, nil, packet("+OK hello\r\n+OK\r\n"), nil, mail.ClassProtocol},
		{"plain text instead of TLS", StartTLS, plain, helloAnswered, nil, mail.ClassTLS},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o, s := serve(t, func(s *script) {
				if !talk(s, test.plain...) {
					return
				}
				if test.then != nil {
					test.then(s)
				}
				if test.config != nil && s.tls(test.config) {
					if test.security == TLS {
						talk(s, "+OK hello")
					}
					talk(s, inside...)
				}
				s.stall()
			})
			o.Security, o.CAFile = test.security, oursFile
			conn, err := OpenPOP3(t.Context(), o)
			if test.class == "" {
				if err != nil {
					t.Fatal(err)
				}
				if conn.Pipelining || !conn.Secure() {
					t.Errorf("pipelining %t, secure %t: what was said in plain text counts", conn.Pipelining, conn.Secure())
				}
				_ = conn.Close()
				return
			}
			wantError(t, err, test.class, mail.RetryLater)
			wantNoCredentials(t, s.transcript())
		})
	}
}

// TestOpenPOP3Stalls lets the server fall silent at each step: one budget
// holds for all.
func TestOpenPOP3Stalls(t *testing.T) {
	t.Parallel()
	whole := append(pop3Capa("SASL PLAIN"), authPlain()...)
	old := []string{"+OK", "C: CAPA", "-ERR", "C: USER " + testUser, "+OK", "C: PASS " + testPassword}
	together := append(pop3Capa("USER", "PIPELINING"), "C: USER "+testUser, "C: PASS "+testPassword[:6], "+OK")
	for _, conversation := range [][]string{whole, old, together, append(pop3Capa("STLS"), "C: STLS", "+OK")} {
		for n := range len(conversation) + 1 {
			synctest.Test(t, func(t *testing.T) {
				o, _ := serve(t, func(s *script) {
					talk(s, conversation[:n]...)
					s.stall()
				})
				o.Limits = Limits{Open: 45 * time.Second, Idle: 50 * time.Second}
				if slices.Contains(conversation, "C: STLS") {
					o.Security = StartTLS
				}
				if slices.Contains(conversation, "C: PASS "+testPassword[:6]) {
					o.Login.Password = func(context.Context) (secret.String, error) { return secret.New(testPassword[:6]), nil }
				}
				begin := time.Now()
				_, err := OpenPOP3(t.Context(), o)
				wantError(t, err, mail.ClassTimeout, mail.RetryLater)
				if took := time.Since(begin); took != 45*time.Second {
					t.Errorf("%q: it took %v", conversation[:n], took)
				}
			})
		}
	}
}

func TestOpenPOP3Cancelled(t *testing.T) {
	t.Parallel()
	cause := errors.New("no more")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		o, _ := serve(t, func(s *script) { talk(s, "+OK", "C: CAPA"); s.stall() })
		time.AfterFunc(time.Second, func() { cancel(cause) })
		if _, err := OpenPOP3(ctx, o); !errors.Is(err, cause) {
			t.Errorf("got %v, want the cause", err)
		}
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	o, s := serve(t, func(s *script) { s.stall() })
	if _, err := OpenPOP3(ctx, o); !errors.Is(err, cause) || s.transcript() != "" {
		t.Errorf("got %v, heard %q", err, s.transcript())
	}
}

// The context of the opening means nothing to the open connection.
func TestOpenContextEndsWithOpening(t *testing.T) {
	t.Parallel()
	o, _ := serve(t, func(s *script) {
		talk(s, append(append(pop3Capa("SASL PLAIN"), authPlain()...), "+OK in", "C: NOOP", "+OK")...)
	})
	ctx, cancel := context.WithCancel(t.Context())
	conn, err := OpenPOP3(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cancel()
	if err := conn.Send("NOOP"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Answer(); err != nil {
		t.Error(err)
	}
}

func TestPOP3Ports(t *testing.T) {
	t.Parallel()
	for security, want := range map[Security]int{TLS: 995, StartTLS: 110, None: 110, "": 995} {
		o := Options{Host: testHost, Security: security, AllowPlaintext: true}
		o.Login = signin.Login{Username: "a", Password: func(context.Context) (secret.String, error) { return secret.New("b"), nil }}
		var got string
		o.Dial = func(_ context.Context, _, addr string) (net.Conn, error) {
			got = addr
			return nil, errors.New("no network")
		}
		if _, err := OpenPOP3(t.Context(), o); err == nil || got != fmt.Sprintf("%s:%d", testHost, want) {
			t.Errorf("%q: got %s, %v, want port %d", security, got, err, want)
		}
	}
}
