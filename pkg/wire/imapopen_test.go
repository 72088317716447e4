package wire

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
	"mailpull/pkg/secret"
	"mailpull/pkg/signin"
)

const plainCaps = "IMAP4rev1 SASL-IR AUTH=PLAIN"

func plainResponse() string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + testUser + "\x00" + testPassword))
}

// signedIn plays a server up to the end of sign-in.
func signedIn(s *script, caps string) {
	s.say("* OK [CAPABILITY " + plainCaps + "] hello")
	s.want("AUTHENTICATE PLAIN " + plainResponse())
	s.say("$ OK [CAPABILITY " + caps + "] in")
}

func TestOpenIMAP(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		play func(s *script)
	}{
		{"one step", func(s *script) { signedIn(s, "IMAP4rev1 UIDPLUS") }},
		{"capabilities asked for, two steps", func(s *script) {
			s.say("* OK hello")
			s.want("CAPABILITY")
			s.say("* CAPABILITY IMAP4rev1 AUTH=PLAIN", "$ OK")
			s.want("AUTHENTICATE PLAIN")
			s.say("+ ")
			if line := s.line(); line != plainResponse() {
				s.t.Errorf("server: got %q", line)
			}
			s.say("* CAPABILITY SOME", "$ OK in")
			s.want("CAPABILITY")
			s.say("* CAPABILITY IMAP4rev1 UIDPLUS ID", "$ OK done")
		}},
		{"LOGIN", func(s *script) {
			s.say("* OK [CAPABILITY IMAP4rev1] hello")
			s.want(`LOGIN "work" "s3cret-pass phrase"`)
			s.say("* 3 EXISTS", "$ OK [CAPABILITY IMAP4rev1 UIDPLUS] in")
		}},
		{"PREAUTH where plain text is permitted", func(s *script) {
			s.say("* PREAUTH [CAPABILITY IMAP4rev1 UIDPLUS] hello")
		}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o, _ := serve(t, func(s *script) {
				tc.play(s)
				s.stall()
			})
			c, err := OpenIMAP(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if !c.Has("uidplus") || c.Has("AUTH=PLAIN") || c.Has("SOME") {
				t.Errorf("capabilities are %v", c.Capabilities())
			}
		})
	}
}

func TestLoginWithLiteral(t *testing.T) {
	t.Parallel()
	const password = "pässwörd"
	o, _ := serve(t, func(s *script) {
		s.say("* OK [CAPABILITY IMAP4rev1] hello")
		s.want(fmt.Sprintf(`LOGIN "a\"b" {%d}`, len(password)))
		s.say("+ go on")
		if line := s.line(); line != password {
			s.t.Errorf("server: got %q", line)
		}
		s.say("$ OK [CAPABILITY IMAP4rev1] in")
		s.stall()
	})
	o.Login = signin.Login{Username: `a"b`, Password: func(context.Context) (secret.String, error) {
		return secret.New(password), nil
	}}
	c, err := OpenIMAP(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

func TestOpenIMAPRefused(t *testing.T) {
	t.Parallel()
	auth := func(answer ...string) func(s *script) {
		return func(s *script) {
			s.say("* OK [CAPABILITY " + plainCaps + "] hello")
			s.want("AUTHENTICATE PLAIN " + plainResponse())
			s.say(answer...)
		}
	}
	cases := []struct {
		name  string
		play  func(s *script)
		class mail.Class
		retry mail.Retry
		text  string
	}{
		{"wrong password", auth("$ NO [AUTHENTICATIONFAILED] no"), mail.ClassAuth, mail.RetryNever, "no"},
		{"plain NO", auth("$ NO nope"), mail.ClassAuth, mail.RetryNever, "nope"},
		{"try again is no promise", auth("$ NO wrong, please try again"), mail.ClassAuth, mail.RetryNever, "wrong"},
		{"unavailable in words", auth("$ NO Server Unavailable. 15"), mail.ClassThrottled, mail.RetryLater, "Unavailable"},
		{"busy in words", auth("$ NO Server busy"), mail.ClassThrottled, mail.RetryLater, "busy"},
		{"internal error in words", auth("$ NO Internal error occurred. Refer to server log"), mail.ClassThrottled, mail.RetryLater, "Internal"},
		{"later in words", auth("$ NO login failed, try again later"), mail.ClassThrottled, mail.RetryLater, "later"},
		{"the administrator", auth("$ NO [CONTACTADMIN] disabled"), mail.ClassAuth, mail.RetryNever, "disabled"},
		{"unavailable", auth("$ NO [UNAVAILABLE] later"), mail.ClassThrottled, mail.RetryLater, "later"},
		{"in use", auth("$ NO [INUSE] busy"), mail.ClassThrottled, mail.RetryLater, "busy"},
		{"alert", auth("$ NO [ALERT] Too many simultaneous connections"), mail.ClassThrottled, mail.RetryLater, "Too many"},
		{"limit", auth("$ NO [LIMIT] rate"), mail.ClassThrottled, mail.RetryLater, "rate"},
		{"bye", auth("* BYE going down"), mail.ClassServer, mail.RetryLater, "going down"},
		{"bye, throttled", auth("* BYE Request is throttled"), mail.ClassThrottled, mail.RetryLater, "throttled"},
		{"echoed password", auth("$ NO " + testPassword + " and " + plainResponse() + " are wrong"),
			mail.ClassAuth, mail.RetryNever, "[redacted] and [redacted] are wrong"},
		{"BYE as the answer", auth("$ BYE bye"), mail.ClassProtocol, mail.RetryLater, "neither OK nor"},
		{"PREAUTH as the answer", auth("$ PREAUTH in"), mail.ClassProtocol, mail.RetryLater, "neither OK nor"},
		{"said once and escaped once", auth("$ NO \x1b no"), mail.ClassAuth, mail.RetryNever, `said "NO \x1b no"`},
		{"a third step", auth("+ more"), mail.ClassProtocol, mail.RetryLater, "more than a password"},
		{"foreign tag", auth("X1 OK in"), mail.ClassProtocol, mail.RetryLater, "not sent"},
		{"status with a literal", auth("$ NO {3}", "abc"), mail.ClassProtocol, mail.RetryLater, "literal"},
		{"hangs up", auth(), mail.ClassConnect, mail.RetryLater, "imap sign in"},
		{"greeting BYE", func(s *script) { s.say("* BYE closed today") }, mail.ClassServer, mail.RetryLater, "closed today"},
		{"no greeting", func(s *script) { s.say("+OK POP3 ready") }, mail.ClassProtocol, mail.RetryLater, "no IMAP greeting"},
		{"garbage", func(s *script) { s.say("HTTP/1.1 400 Bad Request") }, mail.ClassProtocol, mail.RetryLater, "neither OK nor"},
		{"endless greeting", func(s *script) { s.raw(strings.Repeat("a", 3<<20)) }, mail.ClassProtocol, mail.RetryLater, "more than"},
		{"alert, then wrong password", auth("* NO [ALERT] locked", "$ NO nope"), mail.ClassAuth, mail.RetryNever, "nope"},
		{"capabilities refused", func(s *script) {
			s.say("* OK hello")
			s.want("CAPABILITY")
			s.say("$ NO never")
		}, mail.ClassServer, mail.RetryLater, "never"},
		{"chatter", func(s *script) {
			s.say("* OK hello")
			s.want("CAPABILITY")
			for range maxUnasked + 1 {
				s.say("* 1 EXISTS")
			}
		}, mail.ClassProtocol, mail.RetryLater, "nobody asked for"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o, _ := serve(t, tc.play)
			_, err := OpenIMAP(t.Context(), o)
			wantError(t, err, tc.class, tc.retry)
			if !strings.Contains(err.Error(), tc.text) {
				t.Errorf("error %q does not say %q", err, tc.text)
			}
			if strings.Contains(err.Error(), testPassword) || strings.Contains(err.Error(), plainResponse()) {
				t.Errorf("error shows the password: %q", err)
			}
		})
	}
}

func wantError(t *testing.T, err error, class mail.Class, retry mail.Retry) {
	t.Helper()
	var e *mail.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a *mail.Error of class %s", err, class)
	}
	if e.Class != class || e.Retry != retry || e.Scope != mail.ScopeAccount {
		t.Errorf("got class %s, retry %d, scope %d (%v); want class %s, retry %d", e.Class, e.Retry, e.Scope, err, class, retry)
	}
}

// TestNoCredentials plays servers that must never see the password: nothing
// but the harmless commands may have been sent.
func TestNoCredentials(t *testing.T) {
	t.Parallel()
	starttls := func(answer func(s *script)) func(s *script) {
		return func(s *script) {
			s.say("* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN SASL-IR] hello")
			s.want("STARTTLS")
			answer(s)
			s.stall()
		}
	}
	say := func(lines ...string) func(s *script) {
		return starttls(func(s *script) { s.say(lines...) })
	}
	cases := []struct {
		name     string
		security Security
		play     func(s *script)
		class    mail.Class
	}{
		{"STARTTLS not announced", StartTLS, func(s *script) {
			s.say("* OK hello")
			s.want("CAPABILITY")
			s.say("* CAPABILITY IMAP4rev1 AUTH=PLAIN LOGIN", "$ OK")
			s.stall()
		}, mail.ClassTLS},
		{"STARTTLS: NO", StartTLS, say("$ NO not now"), mail.ClassTLS},
		{"STARTTLS: BAD", StartTLS, say("$ BAD what"), mail.ClassTLS},
		{"STARTTLS: +", StartTLS, say("+ go on"), mail.ClassProtocol},
		{"STARTTLS: foreign OK", StartTLS, say("A1 OK go on"), mail.ClassProtocol},
		{"STARTTLS: BYE", StartTLS, say("* BYE no"), mail.ClassServer},
		{"injected answer", StartTLS, starttls(func(s *script) {
			s.raw(s.tag + " OK go on\r\n" + s.tag + " OK [CAPABILITY AUTH=PLAIN] in\r\n")
		}), mail.ClassProtocol},
		{"plain text instead of a handshake", StartTLS, starttls(func(s *script) {
			s.say("$ OK go on")
			s.say("* OK you need no TLS here, believe me")
		}), mail.ClassTLS},
		{"premature OK", StartTLS, func(s *script) {
			s.raw("* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\nM1 OK go on\r\n")
			s.stall()
		}, mail.ClassProtocol},
		{"PREAUTH before STARTTLS", StartTLS, func(s *script) {
			s.say("* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hello")
			s.stall()
		}, mail.ClassTLS},
		{"greeting BAD", StartTLS, func(s *script) { s.say("* BAD hello"); s.stall() }, mail.ClassProtocol},
		{"tagged greeting", StartTLS, func(s *script) { s.say("A1 OK hello"); s.stall() }, mail.ClassProtocol},
		{"plain text on the port for TLS", TLS, func(s *script) { s.say("* OK hello"); s.stall() }, mail.ClassTLS},
		{"LOGINDISABLED", None, func(s *script) {
			s.say("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=XOAUTH2] hello")
			s.stall()
		}, mail.ClassAuth},
		{"premature OK of AUTHENTICATE", None, func(s *script) {
			s.say("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello")
			s.want("AUTHENTICATE PLAIN")
			s.say("$ OK in")
			s.stall()
		}, mail.ClassProtocol},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o, s := serve(t, tc.play)
			o.Security = tc.security
			_, err := OpenIMAP(t.Context(), o)
			if got := mail.ErrorClass(err); err == nil || got != tc.class {
				t.Errorf("got class %s (%v), want %s", got, err, tc.class)
			}
			wantNoCredentials(t, s.transcript())
		})
	}
}

// wantNoCredentials looks for the password in any form, and for the start of
// a sign-in that carries it.
func wantNoCredentials(t *testing.T, transcript string) {
	t.Helper()
	for _, bad := range []string{testPassword, plainResponse(), " LOGIN", "AUTHENTICATE PLAIN ", testUser} {
		if strings.Contains(transcript, bad) {
			t.Errorf("the server heard %q", transcript)
		}
	}
}

func TestPlaintextOnlyToThisMachine(t *testing.T) {
	t.Parallel()
	addr := func(s string) net.Addr { return net.TCPAddrFromAddrPort(mustAddrPort(s)) }
	cases := []struct {
		host   string
		remote net.Addr
		want   bool
	}{
		{"localhost", addr("127.0.0.1:143"), true},
		{"127.0.0.2", addr("127.0.0.2:143"), true},
		{"::1", addr("[::1]:143"), true},
		{"localhost", addr("192.0.2.1:143"), false},
		{"mail.example.com", addr("127.0.0.1:1080"), false},
		{"mail.example.com", addr("192.0.2.1:143"), false},
		{"localhost", &net.UnixAddr{Name: "/run/x", Net: "unix"}, false},
	}
	for _, tc := range cases {
		o := Options{Host: tc.host}
		if got := o.plaintextAllowed(tc.remote); got != tc.want {
			t.Errorf("%s at %s: got %t, want %t", tc.host, tc.remote, got, tc.want)
		}
		if o.AllowPlaintext = true; !o.plaintextAllowed(tc.remote) {
			t.Errorf("%s at %s: refused although permitted", tc.host, tc.remote)
		}
	}
}

func TestPlaintextRefusedBeforeAnyByte(t *testing.T) {
	t.Parallel()
	o, s := serve(t, func(s *script) { s.stall() })
	o.AllowPlaintext = false
	_, err := OpenIMAP(t.Context(), o)
	wantError(t, err, mail.ClassConfig, mail.RetryNever)
	if got := s.transcript(); got != "" {
		t.Errorf("the server heard %q", got)
	}
}

// TestOpenStalls lets the server fall silent at each step: the opening ends
// within its one budget, or earlier where a single answer is awaited.
func TestOpenStalls(t *testing.T) {
	t.Parallel()
	steps := []func(s *script){
		func(*script) {},
		func(s *script) { s.raw("* OK [CAPABILITY") },
		func(s *script) { s.say("* OK hello") },
		func(s *script) { s.say("* OK hello"); s.want("CAPABILITY"); s.say("* CAPABILITY IMAP4rev1") },
		func(s *script) { s.say("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello"); s.want("AUTHENTICATE PLAIN") },
		func(s *script) {
			s.say("* OK [CAPABILITY " + plainCaps + "] hello")
			s.want("AUTHENTICATE PLAIN " + plainResponse())
		},
		func(s *script) { // a byte now and then is no progress
			for range 1000 {
				s.raw("a")
				time.Sleep(10 * time.Second)
			}
		},
	}
	for i, step := range steps {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o, _ := serve(t, func(s *script) { step(s); s.stall() })
				o.Limits = Limits{Open: 45 * time.Second}
				begin := time.Now()
				_, err := OpenIMAP(t.Context(), o)
				wantError(t, err, mail.ClassTimeout, mail.RetryLater)
				if took := time.Since(begin); took != 45*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

func TestOpenCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("no more")
		ctx, cancel := context.WithCancelCause(t.Context())
		o, _ := serve(t, func(s *script) { s.say("* OK hello"); s.stall() })
		time.AfterFunc(time.Second, func() { cancel(cause) })
		begin := time.Now()
		if _, err := OpenIMAP(ctx, o); !errors.Is(err, cause) {
			t.Errorf("got %v, want the cause", err)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestPasswordErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("the file is missing")
	cases := []struct {
		name     string
		password string
		err      error
		class    mail.Class
	}{
		{"no source", "", cause, mail.ClassConfig},
		{"command fails", "", &exec.ExitError{}, mail.ClassLocal},
		{"command takes too long", "", context.DeadlineExceeded, mail.ClassLocal},
		{"empty", "", nil, mail.ClassConfig},
		{"line end", "a\r\nb", nil, mail.ClassConfig},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o, _ := serve(t, func(s *script) { s.say("* OK [CAPABILITY " + plainCaps + "] hello"); s.stall() })
			o.Login.Password = func(context.Context) (secret.String, error) { return secret.New(tc.password), tc.err }
			_, err := OpenIMAP(t.Context(), o)
			if got := mail.ErrorClass(err); err == nil || got != tc.class {
				t.Errorf("got class %s (%v), want %s", got, err, tc.class)
			}
			if tc.err != nil && !errors.Is(err, tc.err) {
				t.Errorf("got %v, want it to wrap %v", err, tc.err)
			}
		})
	}
}
