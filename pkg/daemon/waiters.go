package daemon

import "sync"

// waiters are those who asked for a pass and want to know how it went. An account
// that is replaced leaves them to its successor.
type waiters struct {
	mu      sync.Mutex // guards what is below
	begun   int        // passes that began
	waiting []waiter
	ended   *Outcome // of the last pass, until it is told
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

// end keeps how a pass went, until tell.
func (w *waiters) end(out Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = &out
}

// tell tells how the last pass went to whoever waited for it. It is called when the
// timetable knows it too: who hears of a pass and asks for the state at once is
// not told that it runs.
func (w *waiters) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended == nil {
		return
	}
	rest := w.waiting[:0]
	for _, one := range w.waiting {
		if one.from <= w.begun {
			one.tell <- *w.ended
			continue
		}
		rest = append(rest, one)
	}
	w.waiting, w.ended = rest, nil
}

// cancel tells out to whoever still waits: there will be no pass.
func (w *waiters) cancel(out Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.waiting {
		one.tell <- out
	}
	w.waiting = nil
}
