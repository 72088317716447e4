package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Every file in testdata/bad has its mistakes beside it, word for word. To
// add a case, add a file and run go test -update.
func TestBadConfigurations(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(name+".yaml", data)
			var mistakes Errors
			if !errors.As(err, &mistakes) {
				t.Fatalf("got %v, want Errors", err)
			}
			got := mistakes.Error() + "\n"
			checkLines(t, name+".yaml", got)

			golden := strings.TrimSuffix(file, ".yaml") + ".want"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// checkLines wants the file's name in front of every line, nothing that is
// not printable, and no password: in testdata every password has the text
// hunter in it.
func checkLines(t *testing.T, file, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, file+":") {
			t.Errorf("the line does not begin with the file: %q", line)
		}
		for _, r := range strings.TrimSuffix(line, "\n") {
			if r < ' ' || r == 0x7F {
				t.Errorf("the line holds %q: %q", r, line)
			}
		}
		if strings.Contains(line, "hunter") {
			t.Errorf("the line shows a password: %q", line)
		}
	}
}
