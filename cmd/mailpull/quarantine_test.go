package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// While a run has the account, its quarantine can be listed and not changed.
func TestQuarantineOfALockedAccount(t *testing.T) {
	t.Parallel()
	s := configure(t, "imap: { host: imap.example.com, username: me, password: { env: P } }", "")
	state := filepath.Join(s.state, "work")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	lock, err := durable.TakeLock(filepath.Join(state, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := lock.Release(); err != nil {
			t.Error(err)
		}
	}()
	for _, args := range [][]string{{"retry", "work", "--all"}, {"ignore", "work", "qtm4ri4omg"}} {
		code, stdout, stderr := program(t, append([]string{"--config", s.config, "quarantine"}, args...)...)
		if code != exitTemporary || stdout != "" || !strings.Contains(stderr, "locked by another process, pid ") ||
			!strings.Contains(stderr, "mailpull: hint: a run has the account in hand; try again when it is done\n") {
			t.Errorf("%s: exit code %d, stdout %q, stderr:\n%s", args[0], code, stdout, stderr)
		}
	}
	if code, _, stderr := program(t, "--config", s.config, "quarantine", "list"); code != exitOK || stderr != "" {
		t.Errorf("list: exit code %d, stderr:\n%s", code, stderr)
	}
}

func TestPickByKey(t *testing.T) {
	t.Parallel()
	entry := func(uid mail.UID) mail.Quarantined {
		return mail.Quarantined{Ref: mail.Ref{Mailbox: "INBOX", Validity: 7, UID: uid}}
	}
	key := mail.NewKey("work", entry(1).Ref).String()
	one := []mail.Quarantined{entry(1), entry(2)}
	if got, err := pick("work", one, []string{key[:minKey]}); err != nil || len(got) != 1 || got[0] != entry(1) {
		t.Errorf("one: got %+v, %v", got, err)
	}
	// Two keys that begin alike are hard to find; one that is there twice does.
	two := append(one, entry(1))
	if _, err := pick("work", two, []string{key[:minKey]}); err == nil || !strings.Contains(err.Error(), "2 messages of work have a key that begins with") {
		t.Errorf("two: got %v", err)
	}
	if got, err := pick("work", two, nil); err != nil || len(got) != 3 {
		t.Errorf("all: got %+v, %v", got, err)
	}
}
