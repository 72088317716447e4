package wire

import (
	"log/slog"
	"sync"
)

// loud is how many warnings of one kind are logged in one session.
const loud = 5

// Warnings logs what a server does wrong, the first of each kind only: a server
// must not fill a disk with a log. Its methods may be called from any
// goroutine.
type Warnings struct {
	log *slog.Logger

	mu    sync.Mutex
	times map[string]int // by text
}

// NewWarnings returns Warnings that are written to log.
func NewWarnings(log *slog.Logger) *Warnings {
	return &Warnings{log: log, times: make(map[string]int)}
}

// Warn logs a warning. msg is its kind, and must be a constant.
func (w *Warnings) Warn(msg string, args ...any) {
	w.mu.Lock()
	w.times[msg]++
	times := w.times[msg]
	w.mu.Unlock()
	if times <= loud {
		w.log.Warn(msg, args...)
	}
}

// Sum logs how often each warning came that was left out, and begins to count
// anew.
func (w *Warnings) Sum() {
	w.mu.Lock()
	times := w.times
	w.times = make(map[string]int)
	w.mu.Unlock()
	for msg, n := range times {
		if n > loud {
			w.log.Warn("more of the same was not logged", "warning", msg, "times", n-loud)
		}
	}
}
