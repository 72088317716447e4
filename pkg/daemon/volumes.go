package daemon

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"mailpull/pkg/config"
	"mailpull/pkg/durable"
)

// volumesEvery is how old the figures of a file system can be. A scrape must
// not ask: a file system of a network can keep whoever asks waiting for ever.
const volumesEvery = 30 * time.Second

// volume is the file system below one of our folders.
type volume struct {
	name, path string
	space      durable.Space
}

// volumes asks the file systems of archive and state how full they are, each
// by a goroutine of its own, until ctx ends. seen is called with each answer.
func watchVolumes(ctx context.Context, c *config.Config, log *slog.Logger, seen func(volume)) *sync.WaitGroup {
	var group sync.WaitGroup
	for _, v := range []volume{{name: "archive", path: c.Archive}, {name: "state", path: c.State}} {
		group.Go(func() { // the caller waits
			ticker := time.NewTicker(volumesEvery)
			defer ticker.Stop()
			for {
				space, err := durable.FreeSpace(v.path)
				if err != nil {
					log.Debug("free space is not known", "path", v.path, "err", err)
				} else {
					v.space = space
					seen(v)
				}
				select {
				case <-ticker.C:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	return &group
}
