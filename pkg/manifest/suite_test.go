package manifest_test

import (
	"testing"

	"mailpull/pkg/durable"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/manifest"
	"mailpull/pkg/pull"
)

// The suite of all manifests, on a real directory.
func TestConforms(t *testing.T) {
	t.Parallel()
	mailtest.TestManifest(t, func(t *testing.T) func() pull.Manifest {
		path := t.TempDir()
		return func() pull.Manifest {
			dir, err := durable.OpenDir(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = dir.Close() })
			m, err := manifest.Open(manifest.Options{Dir: dir, Account: "work"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = m.Close() }) // an earlier one was let go of, as after a kill
			return m
		}
	})
}
