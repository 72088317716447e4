package mailtest

import (
	"errors"
	"sync"
)

// ErrKilled is what every fake returns from the step at which the process was
// killed, and for ever after.
var ErrKilled = errors.New("killed")

// Steps counts the steps that fakes take and stops the world at one of them.
// It stands for the process: fakes of one run share one Steps, and the next
// run has a new one. The zero value never stops.
type Steps struct {
	mu    sync.Mutex
	n     int
	limit int
	name  string
	once  bool
	err   error
	names []string
}

// StopAt returns Steps that fail at the n-th step, counted from 1, with err,
// and for ever after with ErrKilled.
func StopAt(n int, err error) *Steps { return &Steps{limit: n, err: err} }

// FailAt returns Steps of which only the n-th fails, with err. The process
// lives on.
func FailAt(n int, err error) *Steps { return &Steps{limit: n, err: err, once: true} }

// StopAtName returns Steps that fail at the first step of that name with err,
// and for ever after with ErrKilled.
func StopAtName(name string, err error) *Steps { return &Steps{name: name, err: err} }

// Do takes a step.
func (s *Steps) Do(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	s.names = append(s.names, name)
	if s.limit == 0 && s.name != "" && s.name == name {
		s.limit = s.n
	}
	switch {
	case s.limit == 0 || s.n < s.limit:
		return nil
	case s.n == s.limit:
		return s.err
	case s.once:
		return nil
	}
	return ErrKilled
}

// stopped reports whether the world stopped before the last step: nothing
// that is asked for now has an effect.
func (s *Steps) stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limit != 0 && s.n > s.limit && !s.once
}

// Count returns how many steps were taken.
func (s *Steps) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// Name returns the name of the n-th step, counted from 1.
func (s *Steps) Name(n int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n < 1 || n > len(s.names) {
		return "none"
	}
	return s.names[n-1]
}
