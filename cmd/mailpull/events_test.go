package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"mailpull/pkg/systemd"
)

// Each event that the journal knows by an id is logged by somebody, word for
// word.
func TestEventsAreLogged(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	err := filepath.WalkDir(filepath.Join("..", "..", "pkg"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || d.Name() == "events.go" {
			return err
		}
		text, err := os.ReadFile(path)
		source.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	events := systemd.Events()
	if len(events) < 8 {
		t.Fatalf("only %d events", len(events))
	}
	for message := range events {
		if !strings.Contains(source.String(), strconv.Quote(message)) {
			t.Errorf("nobody logs %q", message)
		}
	}
}
