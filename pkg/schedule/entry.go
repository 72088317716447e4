package schedule

import (
	"sync"
	"time"
)

// entry is an account in the timetable. The Scheduler's lock guards all of it
// but what is in keeper.
type entry struct {
	job     Job
	memory  Memory
	longest time.Duration

	// next is when the entry is due, place where it is in the heap, -1 for
	// nowhere.
	next  time.Time
	place int

	// queued says for which turn the entry waits, waits since when it waits for
	// one for its backlog. closed is set once its window was not open meanwhile.
	queued lineup
	waits  time.Time
	closed bool

	// forced is set by an operator, again when somebody asks while it runs.
	forced, again bool

	// left is how many messages wait for a turn for the backlog.
	left int

	// cancel stops the running pass, nil when none runs; began is when it began,
	// wentFirst is set when it is for a backlog and went before news.
	cancel    func()
	began     time.Time
	turn      lineup
	wentFirst bool

	// asking is set while an account that refused sign-ins stopped finds out
	// whether its secret has changed: no pass runs yet, and it is as it was.
	asking bool

	// successor takes the entry's place when its pass has ended.
	successor *Job
	replaced  bool
	removed   bool
	gone      chan struct{} // closed when a removed entry's pass has ended

	keeper *keeper
}

// keeper has what was handed to Remember last. An entry leaves it to its
// successor, so that the two never hand on what they know at the same time.
type keeper struct {
	mu   sync.Mutex // held around Remember
	kept Memory
}

// lineup is one of the two queues.
type lineup byte

const (
	none lineup = iota
	news
	backlogs
)

// queue are entries that wait for a slot, first come first served.
type queue []*entry

// remove takes an entry out.
func (q *queue) remove(e *entry) {
	for i, one := range *q {
		if one == e {
			*q = append((*q)[:i], (*q)[i+1:]...)
			return
		}
	}
}

// dueHeap has the entry on top that is due first; see container/heap.
type dueHeap []*entry

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].next.Before(h[j].next) }

// Swap implements heap.Interface.
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements heap.Interface.
func (h *dueHeap) Push(x any) {
	e := x.(*entry) // the heap has nothing else
	e.place = len(*h)
	*h = append(*h, e)
}

// Pop implements heap.Interface.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last], *h = nil, (*h)[:last]
	e.place = -1
	return e
}
