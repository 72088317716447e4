package durable_test

import (
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"mailpull/pkg/durable"
)

// A lock that was released is free, whatever is being started at that moment.
func TestReleaseBesideStarts(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	done := make(chan struct{})
	var starts sync.WaitGroup
	for range 4 {
		starts.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					_ = exec.Command("/bin/true").Run() // only that it starts matters
				}
			}
		})
	}
	for i := range 300 {
		l, err := durable.TakeLock(path)
		if err != nil {
			t.Errorf("at the %d. time: %v", i+1, err)
			break
		}
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	}
	close(done)
	starts.Wait()
}
