package wire

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailpull/pkg/mail"
)

const hastyCaps = plainCaps + " ID"

// inTurn lets each connection be served by the next of the plays. dials counts
// them.
func inTurn(t testing.TB, plays ...func(s *script)) (o Options, dials *int) {
	t.Helper()
	var dial []func(context.Context, string, string) (net.Conn, error)
	for _, play := range plays {
		one, _ := serve(t, play)
		dial, o = append(dial, one.Dial), one
	}
	dials = new(int)
	o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if *dials++; *dials > len(dial) {
			return nil, errors.New("one connection too many")
		}
		return dial[*dials-1](ctx, network, addr)
	}
	return o, dials
}

// together hears ID and the sign-in before it answers either, and returns the
// sign-in's tag. "$" is that of ID.
func together(s *script) (signIn string) {
	s.say("* OK [CAPABILITY " + hastyCaps + "] hello")
	s.want(idCommand)
	id := s.tag
	s.want("AUTHENTICATE PLAIN " + plainResponse())
	signIn, s.tag = s.tag, id
	return signIn
}

// apart hears ID only when it has answered the sign-in.
func apart(s *script) {
	s.say("* OK [CAPABILITY " + hastyCaps + "] hello")
	s.want("AUTHENTICATE PLAIN " + plainResponse())
	if n := s.in.Buffered(); n > 0 {
		s.t.Errorf("server: %d bytes came together with the sign-in", n)
	}
	s.say("$ OK [CAPABILITY IMAP4rev1 ID] in")
	s.want(idCommand)
	s.say("* ID NIL", "$ OK")
	s.stall()
}

func TestIDTogetherWithTheSignIn(t *testing.T) {
	t.Parallel()
	for name, play := range map[string]func(s *script){
		"AUTHENTICATE": func(s *script) {
			s.say(together(s)+" OK [CAPABILITY IMAP4rev1 ID UIDPLUS] in", "* ID NIL", "$ OK")
		},
		"ID is answered first": func(s *script) {
			signIn := together(s)
			s.say("* ID NIL", "$ OK", signIn+" OK [CAPABILITY IMAP4rev1 ID UIDPLUS] in")
		},
		"ID is refused": func(s *script) {
			s.say(together(s)+" OK [CAPABILITY IMAP4rev1 ID UIDPLUS] in", "$ BAD what")
		},
		"capabilities are asked for": func(s *script) {
			s.say(together(s)+" OK in", "$ OK")
			s.want("CAPABILITY")
			s.say("* CAPABILITY IMAP4rev1 ID UIDPLUS", "$ OK")
		},
		"LOGIN": func(s *script) {
			s.say("* OK [CAPABILITY IMAP4rev1 ID] hello")
			s.want(`LOGIN "work" "s3cret-pass phrase"`)
			signIn := s.tag
			s.want(idCommand)
			s.say(signIn+" OK [CAPABILITY IMAP4rev1 ID UIDPLUS] in", "$ OK")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, _ := serve(t, func(s *script) {
				play(s)
				s.stall()
			})
			c, err := OpenIMAP(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if !c.Has("UIDPLUS") {
				t.Errorf("capabilities are %v", c.Capabilities())
			}
		})
	}
}

// A server that drops what comes with the sign-in costs one wait of ten seconds
// or one connection, once.
func TestIDIsDropped(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		play func(s *script)
		took time.Duration
	}{
		"silence": {func(s *script) {
			s.say(together(s) + " OK [CAPABILITY IMAP4rev1 ID] in")
			s.stall()
		}, patience},
		"garbage":                {func(s *script) { s.say(together(s)+" OK in", "what?") }, 0},
		"+":                      {func(s *script) { s.say(together(s)+" OK in", "+ go on") }, 0},
		"BYE":                    {func(s *script) { s.say(together(s)+" OK in", "* BYE one thing after the other") }, 0},
		"hangs up, signed in":    {func(s *script) { s.say(together(s) + " OK in") }, 0},
		"hangs up at both":       {func(s *script) { together(s) }, 0},
		"hangs up at more bytes": {func(s *script) { s.say("* OK [CAPABILITY " + hastyCaps + "] hello"); s.line() }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o, dials := inTurn(t, tc.play, apart, apart)
				o.Manners = &Manners{}
				begin := time.Now()
				for i := range 2 {
					c, err := OpenIMAP(t.Context(), o)
					if err != nil {
						t.Fatalf("opening %d: %v", i+1, err)
					}
					_ = c.Close()
				}
				if took := time.Since(begin); took != tc.took || *dials != 3 {
					t.Errorf("%d connections and %v, want 3 and %v", *dials, took, tc.took)
				}
			})
		})
	}
}

// What a server has understood is not said to it again, and no opening lasts
// longer than it may.
func TestIDIsNotToBlame(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		play  func(s *script)
		class mail.Class
		text  string
	}{
		"refused":     {func(s *script) { s.say(together(s) + " NO [AUTHENTICATIONFAILED] no") }, mail.ClassAuth, "no"},
		"BYE":         {func(s *script) { together(s); s.say("* BYE too many connections") }, mail.ClassThrottled, "too many"},
		"+":           {func(s *script) { together(s); s.say("+ more"); s.stall() }, mail.ClassProtocol, "more than a password"},
		"foreign tag": {func(s *script) { together(s); s.say("X1 OK in"); s.stall() }, mail.ClassProtocol, "not sent"},
		"something else": {func(s *script) {
			s.say(together(s)+" OK in", "$ OK")
			s.want("CAPABILITY")
			s.say("$ NO never")
		}, mail.ClassServer, "never"},
		"never answers": {func(s *script) { together(s); s.stall() }, mail.ClassTimeout, "stopped"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o, dials := inTurn(t, tc.play)
				begin := time.Now()
				_, err := OpenIMAP(t.Context(), o)
				wantError(t, err, tc.class, mail.ErrorRetry(err))
				if !strings.Contains(err.Error(), tc.text) || *dials != 1 {
					t.Errorf("%d connections, %v; want one and %q", *dials, err, tc.text)
				}
				if took := time.Since(begin); took > time.Minute {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// A cancelled opening teaches nothing.
func TestIDCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, dials := inTurn(t, func(s *script) { s.say(together(s) + " OK in"); s.stall() })
		o.Manners = &Manners{}
		cause := errors.New("no more")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		if _, err := OpenIMAP(ctx, o); !errors.Is(err, cause) || *dials != 1 || o.Manners.apart.Load() {
			t.Errorf("%d connections, %v", *dials, err)
		}
	})
}
