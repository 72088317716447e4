package config

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// allPaths lists every key that the file takes.
func allPaths() []string { return paths("", new(document).fields(), false) }

// docs/configuration.md explains each key and each variable in a row of a
// table, and no other.
func TestDocsExplainEveryKey(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	var explained []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` ").FindAllSubmatch(text, -1) {
		explained = append(explained, string(row[1]))
	}
	if len(explained) < 30 {
		t.Fatalf("only %d rows", len(explained))
	}

	known := append(allPaths(), "MAILPULL_CONFIG")
	for _, s := range settings(IMAP) {
		known = append(known, s.name)
	}
	for _, k := range known {
		if !slices.Contains(explained, k) {
			t.Errorf("docs/configuration.md does not explain %s", k)
		}
	}
	for i, e := range explained {
		if !slices.Contains(known, e) {
			t.Errorf("docs/configuration.md explains %s, which does not exist", e)
		}
		if slices.Contains(explained[:i], e) {
			t.Errorf("docs/configuration.md explains %s twice", e)
		}
	}
}
