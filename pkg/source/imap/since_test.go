package imap

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	goimap "github.com/emersion/go-imap/v2"

	"mailpull/pkg/mail"
)

// Nothing is left out that the server does not call older in two ways.
func TestOlder(t *testing.T) {
	t.Parallel()
	since := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC) // 2024 is a leap year
	for name, tt := range map[string]struct {
		caps          string
		before, after string // answers to the two questions, for 10:15
		want          string
		refused       bool
	}{
		"search":                  {"", "* SEARCH 10 11 12\r\nTAG OK", "* SEARCH 13 14 15\r\nTAG OK", "10:12", false},
		"esearch":                 {"ESEARCH", "* ESEARCH (TAG \"TAG\") UID ALL 10:12\r\nTAG OK", "* ESEARCH (TAG \"TAG\") UID ALL 13:15\r\nTAG OK", "10:12", false},
		"none is older":           {"ESEARCH", "* ESEARCH (TAG \"TAG\") UID\r\nTAG OK", "", "", false},
		"all are older":           {"ESEARCH", "* ESEARCH (TAG \"TAG\") UID ALL 10:15\r\nTAG OK", "* ESEARCH (TAG \"TAG\") UID\r\nTAG OK", "10:15", false},
		"the date is ignored":     {"", "* SEARCH 10 11 12 13 14 15\r\nTAG OK", "* SEARCH 10 11 12 13 14 15\r\nTAG OK", "", false},
		"the answer is cut":       {"", "* SEARCH 10\r\nTAG OK", "* SEARCH 13 14 15\r\nTAG OK", "10", false},
		"some are both":           {"", "* SEARCH 10 11 12 13\r\nTAG OK", "* SEARCH 12 13 14 15\r\nTAG OK", "10:11", false},
		"refused":                 {"", "TAG NO no such search", "", "", true},
		"not understood":          {"", "TAG BAD search?", "", "", true},
		"senseless":               {"", "* SEARCH ten\r\nTAG OK", "", "", true},
		"the second is refused":   {"", "* SEARCH 10 11 12\r\nTAG OK", "TAG NO not now", "", true},
		"the second is senseless": {"", "* SEARCH 10 11 12\r\nTAG OK", "* SEARCH 99999999999\r\nTAG OK", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &peer{caps: tt.caps, messages: sized(6, 10)}
			p.on = func(c *talk, tag, command string) bool {
				answer := map[string]string{"BEFORE 29-Feb-2024": tt.before, "SINCE 29-Feb-2024": tt.after}
				for criterion, text := range answer {
					if strings.HasPrefix(command, "UID SEARCH") && strings.HasSuffix(command, " "+criterion) {
						c.printf("%s", strings.ReplaceAll(text, "TAG", tag))
						return true
					}
				}
				return false
			}
			session, refs := selectInbox(t, p.listen(t))
			older, err := session.Older(context.Background(), since)
			if errors.Is(err, mail.ErrNoDates) != tt.refused || !tt.refused && err != nil {
				t.Fatalf("got %v", err)
			}
			if older.String() != tt.want {
				t.Errorf("older are %s, want %s", older, tt.want)
			}
			b := newBox(t)
			if err := session.Fetch(context.Background(), refs, b); err != nil || len(b.whole) != 6 {
				t.Errorf("the session does not go on: %v", err)
			}
		})
	}
}

// A refusal that passes says nothing of the server's way with dates: it is the
// mailbox's error.
func TestOlderRefusedForNow(t *testing.T) {
	t.Parallel()
	for answer, class := range map[string]mail.Class{
		"NO [LIMIT] too much":                          mail.ClassThrottled,
		"NO [THROTTLED] slow down":                     mail.ClassThrottled,
		"NO [UNAVAILABLE] the index is away":           mail.ClassServer,
		"NO [INUSE] locked":                            mail.ClassServer,
		"NO [OVERQUOTA] enough for today":              mail.ClassQuota,
		"NO account exceeded command limits":           mail.ClassThrottled,
		"BAD Suggested Backoff Time: 300 milliseconds": mail.ClassServer,
	} {
		for _, refused := range []string{" BEFORE ", " SINCE "} {
			p := &peer{messages: sized(6, 10)}
			p.on = func(c *talk, tag, command string) bool {
				if !strings.Contains(command, refused) {
					return false
				}
				c.printf("%s %s", tag, answer)
				return true
			}
			session, _ := selectInbox(t, p.listen(t))
			_, err := session.Older(context.Background(), time.Now())
			if errors.Is(err, mail.ErrNoDates) || mail.ErrorScope(err) != mail.ScopeMailbox || mail.ErrorClass(err) != class {
				t.Errorf("%s%q: got %v of class %s", refused, answer, err, mail.ErrorClass(err))
			}
		}
	}
}

// A server that nobody here wrote is asked the same.
func TestOlderRealServer(t *testing.T) {
	t.Parallel()
	source, user := realServer(t, goimap.CapSet{goimap.CapIMAP4rev1: {}, goimap.CapESearch: {}})
	if err := user.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	since := time.Date(2024, 7, 17, 0, 0, 0, 0, time.UTC)
	for days := range 5 { // from three days before to one day after
		literal := literalReader{bytes.NewReader([]byte("Subject: x\r\n\r\nx\r\n"))}
		if _, err := user.Append("INBOX", literal, &goimap.AppendOptions{Time: since.AddDate(0, 0, days-3).Add(12 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	session, _ := selectInbox(t, source)
	older, err := session.Older(context.Background(), since)
	if err != nil || older.String() != "1:2" {
		t.Errorf("older are %s, %v, want 1:2: a day is left for time zones", older, err)
	}
}
