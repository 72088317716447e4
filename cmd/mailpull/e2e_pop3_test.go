package main

import (
	"slices"
	"strings"
	"testing"

	"mailpull/pkg/mailtest"
)

// Dovecot 2.3 does not double a dot that is a message's first byte. When such
// a message goes on as an answer to RETR would, every answer behind it moves by
// one: each message would arrive as the one before it, and the last never. It
// costs the one message only, wherever it stands.
func TestE2EPOP3ShiftedAnswers(t *testing.T) {
	t.Parallel()
	for _, bad := range []int{0, 2, 99} {
		d := mailtest.StartDovecot(t, mailtest.DovecotOptions{})
		messages := mailtest.Corpus(uint64(bad), 100)
		fake := ".\n+OK\nSubject: fake\n\nx\n"
		messages[bad].Body = []byte(fake)
		d.Deliver(user, "INBOX", messages)

		for way, source := range ways(t, d) {
			if !strings.HasPrefix(way, "pop3") {
				continue
			}
			s := configure(t, source, "")
			for try := range 2 {
				code, _, stderr := program(t, "run", "--config", s.config)
				if code != exitTemporary || !strings.Contains(stderr, "does not mark the end of this message") {
					t.Fatalf("%s: exit code %d, stderr %s", way, code, stderr)
				}
				mustHoldAllBut(t, d, readArchive(t, s, "maildir++")["INBOX"], fake)
				mustRun(t, s.config) // quiet while it is in quarantine
				if try == 0 {
					s.mustRetry(t)
				}
			}
		}
	}
}

// mustHoldAllBut checks that the archive has each message of INBOX once, with
// its own bytes, and not the one that is named.
func mustHoldAllBut(t *testing.T, d *mailtest.Dovecot, got []archived, not string) {
	t.Helper()
	var want, have []string
	for _, m := range d.Messages(user, "INBOX") {
		if body := string(mailtest.CRLF(m.Body)); body != string(mailtest.CRLF([]byte(not))) {
			want = append(want, body)
		}
	}
	for _, a := range got {
		have = append(have, a.body)
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(have, want) {
		t.Errorf("archive has %d messages, want the %d good ones, or their bytes differ", len(have), len(want))
	}
}
