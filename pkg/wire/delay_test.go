package wire

import (
	"strings"
	"testing"
	"time"

	"mailpull/pkg/mail"
)

func TestSaidDelay(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"Request is throttled. Suggested Backoff Time: 201317 milliseconds": 201317 * time.Millisecond,
		"SUGGESTED BACKOFF TIME:5 MS":                                       5 * time.Millisecond,
		"too many connections, try again in 5 minutes":                      5 * time.Minute,
		"Please try again in 1 minute.":                                     time.Minute,
		"try again in 30s":                                                  30 * time.Second,
		"rate limit; again in 45 seconds (code 7)":                          45 * time.Second,
		"bandwidth exceeded, try again in 3 hours":                          3 * time.Hour,
		"Login is limited to once every 15 minutes":                         15 * time.Minute,

		// The bound, and numbers beyond any.
		"try again in 24 hours":                               24 * time.Hour,
		"try again in 25 hours":                               24 * time.Hour,
		"try again in 86400001 ms":                            24 * time.Hour,
		"try again in 9223372036854775807 hours":              24 * time.Hour,
		"try again in " + strings.Repeat("9", 150) + " hours": 24 * time.Hour,
		"try again in 0000000000000000000000000000002 hours":  2 * time.Hour,

		// What says nothing of a time.
		"": 0, "try again later": 0, "Server Unavailable. 15": 0, "try again in": 0,
		"try again in 30": 0, "try again in minutes": 0, "try again in a minute": 0, "try again in -5 minutes": 0,
		"try again in 5 fortnights": 0, "try again in 0 minutes": 0, "try again in 5minutesago": 0,
		"messages of the last 15 minutes": 0, "too many connections (limit 10 s)": 0, "try again in 1.5 hours": 0,
		"try again in 1,000 seconds": 0,
	} {
		if got := SaidDelay(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

// Whatever a server says, nobody waits longer than the bound, nor back in time.
func FuzzSaidDelay(f *testing.F) {
	f.Add("Suggested Backoff Time: 201317 milliseconds")
	f.Add("try again in 99999999999999999999 hours")
	f.Add("once every \xff\x00 minutes")
	f.Fuzz(func(t *testing.T, text string) {
		got := SaidDelay(text)
		if got < 0 || got > 24*time.Hour {
			t.Errorf("%q: %s", text, got)
		}
		if got != 0 && !strings.ContainsAny(text, "0123456789") {
			t.Errorf("%q: %s without a number", text, got)
		}
	})
}

// What a server says of its delay reaches the error, whichever way it refuses.
func TestRefusalsTellTheDelay(t *testing.T) {
	t.Parallel()
	const backoff = "Request is throttled. Suggested Backoff Time: 201317 milliseconds"
	for name, c := range map[string]struct {
		lines []string
		want  time.Duration
	}{
		"greeting":        {[]string{"* BYE " + backoff}, 201317 * time.Millisecond},
		"sign in":         {[]string{"* OK [CAPABILITY " + plainCaps + "] hello", "$ NO " + backoff}, 201317 * time.Millisecond},
		"bye at sign in":  {[]string{"* OK [CAPABILITY " + plainCaps + "] hello", "* BYE " + backoff}, 201317 * time.Millisecond},
		"without a delay": {[]string{"* OK [CAPABILITY " + plainCaps + "] hello", "$ NO [LIMIT] too many"}, 0},
	} {
		o, _ := serve(t, func(s *script) {
			s.say(c.lines[0])
			if len(c.lines) > 1 {
				s.want("AUTHENTICATE PLAIN " + plainResponse())
				s.say(c.lines[1])
			}
		})
		_, err := OpenIMAP(t.Context(), o)
		wantError(t, err, mail.ClassThrottled, mail.RetryLater)
		if got := mail.ErrorAfter(err); got != c.want {
			t.Errorf("%s: after %s, want %s (%v)", name, got, c.want, err)
		}
	}
}

// A refusal by RFC 2449's code means the delay that was announced, unless it
// says another.
func TestLoginDelay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		announced, answer string
		want              time.Duration
	}{
		{"LOGIN-DELAY 900", "[LOGIN-DELAY] wait", 15 * time.Minute},
		{"login-delay 900 USER", "[LOGIN-DELAY] wait", 15 * time.Minute},
		{"LOGIN-DELAY 900", "[LOGIN-DELAY] try again in 20 seconds", 20 * time.Second},
		{"LOGIN-DELAY 99999999999999999999", "[LOGIN-DELAY] wait", 24 * time.Hour},
		{"LOGIN-DELAY", "[LOGIN-DELAY] wait", 0},
		{"LOGIN-DELAY USER", "[LOGIN-DELAY] wait", 0},
		{"LOGIN-DELAY -1", "[LOGIN-DELAY] wait", 0},
		{"UIDL", "[LOGIN-DELAY] wait", 0},
		{"LOGIN-DELAY 900", "wrong", 0},
		{"UIDL", "Login is limited to once every 15 minutes", 15 * time.Minute},
	} {
		lines := append(pop3Capa("USER", c.announced), "C: USER "+testUser, "+OK", "C: PASS "+testPassword, "-ERR "+c.answer)
		o, _ := serve(t, func(s *script) { talk(s, lines...) })
		_, err := OpenPOP3(t.Context(), o)
		if got := mail.ErrorAfter(err); err == nil || got != c.want {
			t.Errorf("%q and %q: after %s, want %s (%v)", c.announced, c.answer, got, c.want, err)
		}
	}
}
