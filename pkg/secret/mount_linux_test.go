package secret

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A world-readable file on a read-only mount is taken. To have one without
// being root, the test runs itself again in a mount namespace of its own,
// where the system allows that.
func TestReadOnlyMount(t *testing.T) {
	t.Parallel()
	const variable = "SECRET_TEST_MOUNTED"
	if dir := os.Getenv(variable); dir != "" {
		path := filepath.Join(dir, "pw")
		got, err := Source{File: path}.Read(t.Context())
		if err != nil || got.Reveal() != "hunter2" {
			t.Errorf("read-only: got %q, %v", got.Reveal(), err)
		}
		return
	}

	dir := t.TempDir()
	const script = `mount -t tmpfs none "$0" && echo hunter2 >"$0/pw" && chmod 644 "$0/pw" && mount -o remount,ro "$0"`
	if out, err := exec.CommandContext(t.Context(), "unshare", "-rm", "sh", "-c", script, dir).CombinedOutput(); err != nil {
		t.Skipf("no mount namespace here: %v: %s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "-rm", "sh", "-c", script+` && exec "$@"`, dir,
		self, "-test.run=^TestReadOnlyMount$", "-test.v")
	cmd.Env = append(os.Environ(), variable+"="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "PASS: TestReadOnlyMount") {
		t.Errorf("%v\n%s", err, out)
	}
}
