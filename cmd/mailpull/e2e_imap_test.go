package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mailpull/pkg/mailtest"
)

// A message that the server cannot read ends the session: Dovecot says BYE in
// the middle of FETCH. It costs itself; the others arrive, in each of the
// places it can have, and once it is repaired it arrives as well.
func TestE2EMessageThatEndsTheSession(t *testing.T) {
	t.Parallel()
	d := mailtest.StartDovecot(t, mailtest.DovecotOptions{})
	for name, place := range map[string]int{"first": 0, "middle": 4, "last": 7} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			who := user + name
			d.Deliver(who, "INBOX", mailtest.Corpus(5, 8))
			file := mailFile(t, d, who, place)
			before, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(file, 0); err != nil {
				t.Fatal(err)
			}

			s := configure(t, strings.Replace(ways(t, d)["imap tls"], "username: "+user, "username: "+who, 1), "")
			for try := range 2 {
				code, stdout, stderr := program(t, "run", "--config", s.config)
				if code != exitTemporary || stdout != "" || strings.Count(stderr, "\n") > 3 || !strings.Contains(stderr, "BYE") {
					t.Errorf("exit code %d, stdout %q, stderr:\n%s", code, stdout, stderr)
				}
				if got := readArchive(t, s, "maildir++")["INBOX"]; len(got) != 7 {
					t.Fatalf("archive has %d messages, want the 7 good ones", len(got))
				}
				mustRun(t, s.config) // quiet while it is in quarantine
				if try == 0 {
					s.mustRetry(t)
				}
			}
			if err := os.Chmod(mailFile(t, d, who, place), before.Mode()); err != nil {
				t.Fatal(err)
			}
			s.mustRetry(t)
			mustRun(t, s.config)
			if got := readArchive(t, s, "maildir++")["INBOX"]; len(got) != 8 {
				t.Errorf("archive has %d messages after the repair, want 8", len(got))
			}
		})
	}
}

// mailFile returns the server's file of a message of INBOX, by its place.
// Dovecot moves a message from new to cur when it is first seen.
func mailFile(t *testing.T, d *mailtest.Dovecot, user string, place int) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.Dir(d.CAFile), "mail", user, "INBOX", "[cn][ue][rw]", "*"))
	if err != nil || len(files) <= place {
		t.Fatalf("%d files, %v", len(files), err)
	}
	slices.SortFunc(files, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	return files[place]
}
