package faults

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mailpull/pkg/mailtest"
)

// Each fuzz target of the tree begins with inputs that are committed: in calls
// of Add, or as files below testdata/fuzz. Without one a short run of fuzzing
// seldom gets past the first check.
func TestFuzzTargetsHaveSeeds(t *testing.T) {
	t.Parallel()
	target := regexp.MustCompile(`(?s)\nfunc (Fuzz\w+)\((\w+) \*testing\.F\) \{(.*?)\n\}`)
	n := 0
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range target.FindAllStringSubmatch(string(text), -1) {
			n++
			files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "testdata", "fuzz", m[1], "*"))
			if err != nil {
				return err
			}
			if len(files) == 0 && !strings.Contains(m[3], m[2]+".Add(") {
				t.Errorf("%s: %s has no seeds", path, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	mailtest.Figure(t, "C5", "fuzz targets with committed seeds", n, 26)
}
