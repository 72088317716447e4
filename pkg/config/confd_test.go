package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// files writes a configuration with what stands in conf.d beside it, and returns
// its path.
func files(t *testing.T, main string, more map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "odd [name]*")
	if err := os.MkdirAll(filepath.Join(dir, "conf.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	more["../config.yaml"] = main
	for name, text := range more {
		if err := os.WriteFile(filepath.Join(dir, "conf.d", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "config.yaml")
}

func oneAccount(name string) string {
	return fmt.Sprintf("accounts:\n  - name: %s\n    imap: { host: h, username: u, password: { file: pw } }\n", name)
}

// Accounts come from all files, in the order of the files' names, with the
// defaults and the relative paths of the first.
func TestConfD(t *testing.T) {
	t.Parallel()
	path := files(t, "archive: mail\nstate: state\ndefaults: { every: 1h }\n", map[string]string{
		"20.yaml": oneAccount("b"), "10.yaml": oneAccount("a"), "ignored.yml": "nonsense", "30.yaml": oneAccount("c"),
	})
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range c.Accounts {
		got = append(got, fmt.Sprint(a.Name, a.Every, strings.TrimPrefix(a.Password.File, filepath.Dir(path))))
	}
	if fmt.Sprint(got) != "[a1h0m0s/pw b1h0m0s/pw c1h0m0s/pw]" {
		t.Errorf("got %v", got)
	}
}

// The mistakes of all files come at once, each with its own place.
func TestConfDMistakes(t *testing.T) {
	t.Parallel()
	path := files(t, "archive: /mail\nstate: /mail/c/records\nnonsense: 1\n"+oneAccount("a"), map[string]string{
		"10.yaml": oneAccount("A"), "20.yaml": "archive: /other\n" + oneAccount("b"), "30.yaml": oneAccount("c"),
		"40.yaml": "accounts: []\n", "50.yaml": "", "60.yaml": oneAccount("b") + "    every: 5 min\n",
	})
	_, err := Load(path)
	if err == nil {
		t.Fatal("no mistake was found")
	}
	text := strings.ReplaceAll(err.Error(), filepath.Dir(path)+"/", "")
	for _, want := range []string{
		`config.yaml:3:1: unknown key "nonsense"`,
		`conf.d/10.yaml:2:11: accounts[0].name: "A" and "a" differ only in case`,
		`conf.d/20.yaml:1:1: unknown key "archive"`,
		`conf.d/30.yaml:`,
		`conf.d/40.yaml:1:11: accounts: is empty`,
		`conf.d/50.yaml:`,
		`conf.d/60.yaml:2:11: accounts[0].name: "b" names an account already`,
		`conf.d/60.yaml:4:12: accounts[0].every: "5 min" is not a duration`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %s", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// BenchmarkConfD loads ten thousand accounts, each from a file of its own.
func BenchmarkConfD(b *testing.B) {
	dir := b.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "conf.d"), 0o755); err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(path, []byte("archive: /mail\nstate: /state\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	for i := range 10_000 {
		name := fmt.Sprint("account", i)
		if err := os.WriteFile(filepath.Join(dir, "conf.d", name+".yaml"), []byte(oneAccount(name)), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		c, err := Load(path)
		if err != nil || len(c.Accounts) != 10_000 {
			b.Fatal(err)
		}
	}
}

// A password that others can read is a mistake in each file.
func TestConfDMode(t *testing.T) {
	t.Parallel()
	path := files(t, "archive: /mail\nstate: /state\n", map[string]string{"10.yaml": strings.Replace(oneAccount("a"), "{ file: pw }", "secret", 1)})
	file := filepath.Join(filepath.Dir(path), "conf.d", "10.yaml")
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "10.yaml:3:") || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("got %v", err)
	}
}
