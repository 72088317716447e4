package daemon_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"mailpull/pkg/checkpoint"
	"mailpull/pkg/config"
	"mailpull/pkg/daemon"
	"mailpull/pkg/demo"
	"mailpull/pkg/durable"
	"mailpull/pkg/mail"
)

// A message beyond the limit costs only itself, the error names the key to
// raise, and with the key raised the next run has it.
func TestMessageBeyondTheLimit(t *testing.T) {
	t.Parallel()
	for name, protocol := range map[string]config.Protocol{"imap": config.IMAP, "pop3": config.POP3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := account(t, protocol, withOneLarge())
			c := &config.Config{Archive: filepath.Join(t.TempDir(), "a"), State: filepath.Join(t.TempDir(), "s")}

			a.MaxMessageSize = 10_000
			out := runOnce(t, c, a)
			if out.Result.New != 20 || out.Result.Missing != 1 {
				t.Errorf("%d new and %d missing, want 20 and 1", out.Result.New, out.Result.Missing)
			}
			if hint := mail.ErrorHint(out.Err); !strings.Contains(hint, "max_message_size") {
				t.Errorf("error %v with hint %q, which does not name the key", out.Err, hint)
			}

			// It is in quarantine now: a run soon after is quiet.
			if out := runOnce(t, c, a); out.Err != nil || out.Result.New != 0 || out.Result.Quarantined != 1 {
				t.Errorf("%d new, %d in quarantine, %v; want it in quarantine", out.Result.New, out.Result.Quarantined, out.Err)
			}
			retry(t, c, a)
			a.MaxMessageSize = 1_000_000
			if out := runOnce(t, c, a); out.Err != nil || out.Result.New != 1 || out.Result.Missing != 0 {
				t.Errorf("%d new, %d missing, %v; want the one message", out.Result.New, out.Result.Missing, out.Err)
			}
		})
	}
}

// retry does what mailpull quarantine retry does.
func retry(t *testing.T, c *config.Config, a config.Account) {
	t.Helper()
	dir, err := durable.OpenDir(filepath.Join(c.State, a.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	file, err := checkpoint.Open(checkpoint.Options{Dir: dir, Account: a.Name, Source: string(a.Protocol)})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	entries := file.Quarantined(mail.Inbox)
	for i := range entries {
		entries[i].Next = entries[i].Last
	}
	if err := errors.Join(file.Quarantine(entries), file.Commit(nil)); err != nil {
		t.Fatal(err)
	}
}

func runOnce(t *testing.T, c *config.Config, a config.Account) daemon.Outcome {
	t.Helper()
	c.Accounts = []config.Account{a}
	return daemon.Once(t.Context(), daemon.Options{Config: c})[0]
}

// withOneLarge returns 21 messages, of which the eleventh has 100 kB.
func withOneLarge() []demo.Message {
	var messages []demo.Message
	for i := range 21 {
		size := 500
		if i == 10 {
			size = 100_000
		}
		body := append([]byte("Subject: "+strings.Repeat("x", i+1)+"\r\n\r\n"), bytes.Repeat([]byte("0123456789012345678901234567890123456789012345678\r\n"), size/50)...)
		messages = append(messages, demo.Message{Body: body})
	}
	return messages
}
