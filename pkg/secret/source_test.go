package secret_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mailpull/pkg/secret"
)

// write makes a file with exactly this mode, whatever the umask.
func write(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantError checks that err holds every one of the texts and no part of the
// secret.
func wantError(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q lacks %q", err, text)
		}
	}
	if leaks(err.Error()) {
		t.Errorf("error leaks the secret: %v", err)
	}
}

func TestReadText(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, text string
		want       string // the secret, or
		wantErr    string // a part of the error
	}{
		{name: "no line end", text: plain, want: plain},
		{name: "LF", text: plain + "\n", want: plain},
		{name: "CRLF", text: plain + "\r\n", want: plain},
		{name: "blanks are part of it", text: " " + plain + " \n", want: " " + plain + " "},
		{name: "two line ends", text: plain + "\n\n", wantErr: "more than one line"},
		{name: "two lines", text: plain + "\nuser: me\n", wantErr: "more than one line"},
		{name: "lone CR", text: plain + "\r", wantErr: "more than one line"},
		{name: "NUL", text: plain + "\x00\n", wantErr: "NUL"},
		{name: "empty", text: "", wantErr: "is empty"},
		{name: "only a line end", text: "\r\n", wantErr: "is empty"},
		{name: "largest", text: strings.Repeat("a", 64<<10), want: strings.Repeat("a", 64<<10)},
		{name: "too large", text: strings.Repeat("hunter2", 10<<10), wantErr: "larger than 65536 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path := write(t, tc.text, 0o600)
			got, err := secret.Source{File: path}.Read(t.Context())
			if tc.wantErr != "" {
				wantError(t, err, "secret file", path, tc.wantErr)
				return
			}
			if err != nil || got.Reveal() != tc.want {
				t.Errorf("got %q, %v, want %q", got.Reveal(), err, tc.want)
			}
		})
	}
}

func TestReadFileMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []os.FileMode{0o400, 0o600, 0o640, 0o440, 0o660} {
		if _, err := (secret.Source{File: write(t, plain, mode)}).Read(t.Context()); err != nil {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	for _, mode := range []os.FileMode{0o644, 0o604, 0o666} {
		path := write(t, plain, mode)
		_, err := secret.Source{File: path}.Read(t.Context())
		wantError(t, err, "every user of this machine can read it", "chmod 600 "+path)
	}
}

func TestReadFileThatIsNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(fifo, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, link, dir, os.DevNull} {
		_, err := secret.Source{File: path}.Read(t.Context())
		wantError(t, err, path, "is not a regular file")
	}

	missing := filepath.Join(dir, "missing")
	_, err := secret.Source{File: missing}.Read(t.Context())
	wantError(t, err, "no such file")
	if strings.Count(err.Error(), missing) != 1 {
		t.Errorf("the path should stand once in %q", err)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist in the chain", err)
	}
}

func TestReadFileThroughSymlinkAndAgain(t *testing.T) {
	t.Parallel()
	path := write(t, "old\n", 0o600)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	src := secret.Source{File: link}
	for _, want := range []string{"old", "new"} {
		if err := os.WriteFile(path, []byte(want+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := src.Read(t.Context())
		if err != nil || got.Reveal() != want {
			t.Errorf("got %q, %v, want %q", got.Reveal(), err, want)
		}
	}
}

func TestReadEnv(t *testing.T) {
	const name = "SECRET_TEST_VARIABLE"
	_, err := secret.Source{Env: name}.Read(t.Context())
	wantError(t, err, name, "not set")
	t.Setenv(name, "")
	_, err = secret.Source{Env: name}.Read(t.Context())
	wantError(t, err, name, "is empty")
	t.Setenv(name, plain+"\n")
	_, err = secret.Source{Env: name}.Read(t.Context())
	wantError(t, err, name, "more than one line")
	t.Setenv(name, plain)
	got, err := secret.Source{Env: name}.Read(t.Context())
	if err != nil || got.Reveal() != plain {
		t.Errorf("got %q, %v", got.Reveal(), err)
	}
}

func TestReadCredential(t *testing.T) {
	path := write(t, plain+"\n", 0o440)
	name := filepath.Base(path)

	t.Setenv("CREDENTIALS_DIRECTORY", "")
	_, err := secret.Source{Credential: name}.Read(t.Context())
	wantError(t, err, "$CREDENTIALS_DIRECTORY is not set", "LoadCredential="+name+":PATH")

	t.Setenv("CREDENTIALS_DIRECTORY", filepath.Dir(path))
	got, err := secret.Source{Credential: name}.Read(t.Context())
	if err != nil || got.Reveal() != plain {
		t.Errorf("got %q, %v", got.Reveal(), err)
	}
	for _, name := range []string{".", "..", "../pw", "a/b", "/etc/passwd", "a\x00b"} {
		_, err := secret.Source{Credential: name}.Read(t.Context())
		wantError(t, err, "not a credential's name")
	}
	_, err = secret.Source{Credential: "missing"}.Read(t.Context())
	wantError(t, err, `secret credential "missing"`, "no such file")
}

func TestKind(t *testing.T) {
	t.Parallel()
	for want, src := range map[string]secret.Source{
		"plain":      {Plain: secret.New("x")},
		"file":       {File: "x"},
		"command":    {Command: []string{"x"}},
		"env":        {Env: "x"},
		"credential": {Credential: "x"},
	} {
		if got := src.Kind(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for _, src := range []secret.Source{{}, {File: "x", Env: "y"}} {
		if got := src.Kind(); got != "" {
			t.Errorf("got %q, want none", got)
		}
		_, err := src.Read(t.Context())
		wantError(t, err, "no source or more than one")
	}
}

func TestReadPlain(t *testing.T) {
	t.Parallel()
	got, err := secret.Source{Plain: secret.New(plain)}.Read(t.Context())
	if err != nil || got.Reveal() != plain {
		t.Errorf("got %q, %v", got.Reveal(), err)
	}
	_, err = secret.Source{Plain: secret.New(plain + "\r\nQUIT")}.Read(t.Context())
	wantError(t, err, "more than one line")
}

func TestReadCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := secret.Source{Plain: secret.New(plain)}.Read(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestChmodLine(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/etc/mail/pw":  "chmod 600 /etc/mail/pw",
		"/home/a b/pw":  "chmod 600 '/home/a b/pw'",
		"/tmp/it's;$x":  `chmod 600 '/tmp/it'\''s;$x'`,
		"-rf":           "chmod 600 ./-rf",
		"/tmp/passwört": "chmod 600 '/tmp/passwört'",
	} {
		if got := secret.ChmodLine(path); got != want {
			t.Errorf("%q: got %s, want %s", path, got, want)
		}
	}
}
