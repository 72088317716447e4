package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
)

// lineSyntax is how a mistake of YAML is placed.
var lineSyntax = regexp.MustCompile(`line \d+`)

// webConfigError says in one line what is wrong with the file of TLS and
// passwords. What YAML says of it is not repeated: it shows values, and here
// they are passwords.
func webConfigError(file string, err error) error {
	text := err.Error()
	var path *fs.PathError
	switch {
	case errors.As(err, &path):
		return fmt.Errorf("daemon.web_config: %w", path)
	case strings.Contains(text, "yaml:"):
		place := ""
		if line := lineSyntax.FindString(text); line != "" {
			place = ", " + line
		}
		return fmt.Errorf("daemon.web_config: %s%s: a key or a value that the file cannot have; see docs/configuration.md", file, place)
	case strings.Contains(text, "bcrypt"):
		return fmt.Errorf("daemon.web_config: %s: a password of basic_auth_users is not a bcrypt hash; htpasswd -nB makes one", file)
	}
	first, _, _ := strings.Cut(text, "\n")
	return fmt.Errorf("daemon.web_config: %s: %s", file, first)
}

// complainEvery is how often the log hears of a file that broke while the
// daemon runs: the toolkit says so with each request.
const complainEvery = time.Minute

// toolkitLog is the toolkit's log. It says that the file cannot be used any more,
// and nothing of what stands in it.
func toolkitLog(log *slog.Logger, file string) *slog.Logger {
	return slog.New(&complaints{Handler: slog.DiscardHandler, log: log, file: file})
}

// complaints is the handler of that log.
type complaints struct {
	slog.Handler
	log  *slog.Logger
	file string
	last atomic.Int64 // when the log was told, in Unix seconds
}

// Enabled leaves out what is no complaint.
func (c *complaints) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}

// Handle tells the log, now and then.
func (c *complaints) Handle(_ context.Context, r slog.Record) error {
	now, last := time.Now().Unix(), c.last.Load()
	if now-last >= int64(complainEvery/time.Second) && c.last.CompareAndSwap(last, now) {
		c.log.Warn("the file of daemon.web_config cannot be used", "path", c.file, "why", r.Message)
	}
	return nil
}
