package daemon

import "sync"

// waiters are those who asked for a pass and want to know how it went.
type waiters struct {
	mu      sync.Mutex // guards what is below
	begun   int        // passes that began
	waiting []waiter
}

// waiter waits for the end of a pass that begins after it came.
type waiter struct {
	from int
	tell chan<- Outcome
}

// wait returns where the outcome of the next pass will come.
func (w *waiters) wait() <-chan Outcome {
	w.mu.Lock()
	defer w.mu.Unlock()
	tell := make(chan Outcome, 1) // nobody waits for a waiter
	w.waiting = append(w.waiting, waiter{w.begun + 1, tell})
	return tell
}

// begin says that a pass begins.
func (w *waiters) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun++
}

// end tells how a pass went to whoever waited for it.
func (w *waiters) end(out Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := w.waiting[:0]
	for _, one := range w.waiting {
		if one.from <= w.begun {
			one.tell <- out
			continue
		}
		rest = append(rest, one)
	}
	w.waiting = rest
}
