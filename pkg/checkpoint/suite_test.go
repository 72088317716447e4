package checkpoint_test

import (
	"testing"

	"mailpull/pkg/checkpoint"
	"mailpull/pkg/durable"
	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

// The suite of all checkpoints, on a real directory.
func TestConforms(t *testing.T) {
	t.Parallel()
	mailtest.TestCheckpoint(t, func(t *testing.T) func() pull.Checkpoint {
		path := t.TempDir()
		return func() pull.Checkpoint {
			dir, err := durable.OpenDir(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = dir.Close() })
			c, err := checkpoint.Open(checkpoint.Options{Dir: dir, Account: "work", Source: "imap"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() }) // an earlier one was let go of, as after a kill
			return c
		}
	})
}
