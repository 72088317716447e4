package config

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"mailpull/configs"
)

// uncommented applies the rule that the head of the example explains.
func uncommented(example []byte) []byte {
	return regexp.MustCompile(`(?m)^( *)#: `).ReplaceAll(example, []byte("$1"))
}

// The defaults that the example shows are the real ones: it means the same
// with them and without.
func TestExampleShowsTheDefaults(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", "/var/lib/mailpull")
	bare, err := Parse("example.yaml", configs.Example)
	if err != nil {
		t.Fatal(err)
	}
	full, err := Parse("example.yaml", uncommented(configs.Example))
	if err != nil {
		t.Fatal(err)
	}
	full.Accounts[0].Mailboxes.Exclude = nil // an empty list and none mean the same
	if !reflect.DeepEqual(bare, full) {
		t.Errorf("got %+v, want %+v", full, bare)
	}
}

func TestExampleShowsEveryKey(t *testing.T) {
	t.Parallel()
	// A key of the table is shown when a walk over the uncommented example
	// meets it. Alternatives, of which only one can stand, are in comments.
	d := new(document)
	s, err := surroundingsOf("example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w := newWalk(s)
	w.document(d, w.parseYAML(uncommented(configs.Example)))
	met := make(map[string]bool)
	for at := range w.places {
		met[regexp.MustCompile(`\[\d+\]`).ReplaceAllString(at, "[]")] = true
	}
	comments := strings.Join(regexp.MustCompile(`(?m)^ *# .*$`).FindAllString(string(configs.Example), -1), "\n")
	for _, p := range paths("", new(document).fields(), false) {
		// What imap and pop3 share is shown once.
		name := p[strings.LastIndex(p, ".")+1:]
		shared := strings.Replace(p, ".pop3.", ".imap.", 1)
		if !met[p] && !met[shared] && !strings.Contains(comments, " "+name+": ") {
			t.Errorf("the example does not show %s", p)
		}
	}
}
