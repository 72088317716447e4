package mailtest_test

import (
	"testing"

	"mailpull/pkg/mailtest"
	"mailpull/pkg/pull"
)

// The fakes pass the suites that the adapters pass, or the engine's tests
// would prove nothing.
func TestFakesConform(t *testing.T) {
	t.Parallel()
	t.Run("source", func(t *testing.T) {
		mailtest.TestSource(t, func(*testing.T) pull.Source {
			s := mailtest.NewServer()
			s.Box("INBOX").Add(mailtest.SuiteBodies()...)
			return s
		})
	})
	t.Run("store", func(t *testing.T) {
		mailtest.TestStore(t, func(*testing.T) pull.Store { return mailtest.NewStore() })
	})
	t.Run("checkpoint", func(t *testing.T) {
		mailtest.TestCheckpoint(t, func(*testing.T) func() pull.Checkpoint {
			c := mailtest.NewCheckpoint()
			return func() pull.Checkpoint { return c }
		})
	})
	t.Run("manifest", func(t *testing.T) {
		mailtest.TestManifest(t, func(*testing.T) func() pull.Manifest {
			m := &mailtest.Manifest{}
			return func() pull.Manifest { return m }
		})
	})
}
