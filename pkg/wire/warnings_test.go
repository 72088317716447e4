package wire

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"mailpull/pkg/mail"
)

func TestWarnings(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := NewWarnings(slog.New(slog.NewTextHandler(&out, nil)))
	w.Warn("another kind")
	for range 200_000 {
		w.Warn("an odd line")
	}
	w.Sum()
	w.Sum()
	if n := strings.Count(out.String(), "\n"); n != loud+2 || !strings.Contains(out.String(), "times=199995") {
		t.Errorf("got %d lines:\n%s", n, out.String())
	}
}

// A server that alerts all the time is logged a few times.
func TestAlertsAreBounded(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	o, _ := serve(t, func(s *script) {
		signedIn(s, "IMAP4rev1")
		s.want("NOOP")
		for range 500 {
			s.say("* OK [ALERT] look here")
		}
		s.say("$ OK done")
		s.stall()
	})
	o.Log = slog.New(slog.NewTextHandler(&out, nil))
	c, err := OpenIMAP(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Aside(t.Context(), []string{"NOOP"}, nil); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	if n := strings.Count(out.String(), "look here"); n != loud || !strings.Contains(out.String(), "times=495") {
		t.Errorf("got %d alerts:\n%s", n, out.String())
	}
}

func TestFlagListIsBounded(t *testing.T) {
	t.Parallel()
	many := flagList([]byte("(" + strings.Repeat("ab ", 300_000) + ")"))
	if n := len(bytes.Fields(many)); n != maxFlags {
		t.Errorf("%d flags are left", n)
	}
	long := strings.Repeat("x", maxFlag)
	if got := string(flagList([]byte("(a " + long + "y b " + long + ")"))); got != "(a b "+long+")" {
		t.Errorf("got %s", got)
	}
	if got := flagList([]byte("(" + strings.Repeat(long+" ", 100) + ")")); len(got) > maxFlagBytes+2 {
		t.Errorf("%d bytes are left", len(got))
	}
}

// What looks like somebody on the way has a hint of its own.
func TestTamperingHint(t *testing.T) {
	t.Parallel()
	for _, injected := range []string{"* injected\r\n", " ", ""} {
		o, _ := serve(t, func(s *script) {
			s.say("* OK [CAPABILITY IMAP4rev1 STARTTLS] hello")
			s.want("STARTTLS")
			s.raw(s.tag + " OK go on\r\n" + injected)
			if injected == "" {
				_, _ = s.in.Peek(1) // the client begins; what comes is no TLS
				s.raw("* OK still in plain text\r\n")
			}
		})
		o.Security = StartTLS
		_, err := OpenIMAP(t.Context(), o)
		if hint := mail.ErrorHint(err); !strings.Contains(hint, "somebody on the way may be tampering") {
			t.Errorf("%q: %v has the hint %q", injected, err, hint)
		}
	}
}
