package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra/doc"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Man pages and completions are kept in deploy/, for packages, and made from the
// commands: make golden renews them.
func TestGeneratedFiles(t *testing.T) {
	files := make(map[string][]byte)
	manPages(t, files)
	completions(t, files)
	for name, want := range files {
		path := filepath.Join("..", "..", "deploy", name)
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the commands say, %v; run make golden", name, err)
		}
	}
	for _, dir := range []string{"man", "completions"} {
		entries, err := os.ReadDir(filepath.Join("..", "..", "deploy", dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if files[dir+"/"+e.Name()] == nil {
				t.Errorf("deploy/%s/%s belongs to no command", dir, e.Name())
			}
		}
	}
}

// manPages makes a page of section 1 for each command.
func manPages(t *testing.T, files map[string][]byte) {
	t.Helper()
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard}
	root := a.root()
	root.DisableAutoGenTag = true
	root.InitDefaultCompletionCmd()
	date := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC) // a day of the code, and not of the build
	dir := t.TempDir()
	if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "mailpull", Manual: "mailpull", Date: &date}, dir); err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil || len(pages) < 15 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		files["man/"+filepath.Base(page)] = text
	}
}

// completions makes the scripts of the shells that packages know a place for.
func completions(t *testing.T, files map[string][]byte) {
	t.Helper()
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard}
	root := a.root()
	for name, make := range map[string]func(io.Writer) error{
		"mailpull.bash": func(w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"_mailpull":     root.GenZshCompletion,
		"mailpull.fish": func(w io.Writer) error { return root.GenFishCompletion(w, true) },
	} {
		var text bytes.Buffer
		if err := make(&text); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(strings.Fields(text.String()), func(s string) bool { return strings.Contains(s, "__complete") }) {
			t.Errorf("%s does not ask the program", name)
		}
		files["completions/"+name] = text.Bytes()
	}
}
