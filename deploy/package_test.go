package deploy_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Every file that a release is made of is there, and every unit, page and
// completion is in it.
func TestRelease(t *testing.T) {
	t.Parallel()
	release := yamlOf(t, "../.goreleaser.yaml")[0]
	var named []string
	for _, pattern := range at(at(release, "archives"), "files").([]any) {
		named = append(named, mustMatch(t, pattern.(string))...)
	}
	packed := make(map[string]bool)
	for _, content := range at(at(release, "nfpms"), "contents").([]any) {
		src, ok := at(content, "src").(string)
		if !ok {
			continue // a folder
		}
		for _, file := range mustMatch(t, src) {
			packed[file] = true
		}
		if dst := at(content, "dst").(string); !strings.HasPrefix(dst, "/usr/") {
			t.Errorf("%s goes to %s", src, dst)
		}
	}
	for _, script := range []string{"postinstall", "postremove"} {
		file := at(at(release, "nfpms"), "scripts", script).(string)
		mustMatch(t, file)
		if out, err := exec.Command("sh", "-n", filepath.Join("..", file)).CombinedOutput(); err != nil {
			t.Errorf("%s: %s", file, out)
		}
	}
	for _, pattern := range []string{"deploy/systemd/*.*", "deploy/systemd/user/*", "deploy/man/*", "deploy/completions/*"} {
		for _, file := range mustMatch(t, pattern) {
			if !packed[file] {
				t.Errorf("%s is in no package", file)
			}
		}
	}
	if len(named) < 50 {
		t.Errorf("an archive has %d files", len(named))
	}
	if at(at(release, "builds"), "binary") != "mailpull" || !has(at(at(release, "builds"), "env"), "CGO_ENABLED=0") {
		t.Error("the binary is not static")
	}
}

// mustMatch returns the files of the repository that a pattern means.
func mustMatch(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", pattern))
	if err != nil || len(files) == 0 {
		t.Errorf("there is no %s, %v", pattern, err)
	}
	for i, file := range files {
		files[i] = strings.TrimPrefix(filepath.ToSlash(file), "../")
	}
	return files
}
