package faults

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"syscall"
	"time"

	"mailpull/pkg/mailtest"
)

const (
	// t5HeapGrowth is how much a hostile server may make a pass hold at once,
	// beyond what there was before.
	t5HeapGrowth = 16 << 20

	// t5Listing is the same for a listing, of which 16 MiB are held at once. A
	// million gaps between UIDs cost twice their eight megabytes while they are
	// sorted; names of mailboxes are kept as they are on the wire, too.
	t5Listing = 48 << 20

	// t5CPU is how much computing the longest bomb may cost, the server's
	// share and the garbage collector's included. It is far above what any
	// needs, and far below what one costs that grows with the square.
	t5CPU = 10 * time.Second
)

// t5Heap watches what a pass holds.
type t5Heap struct {
	mu     sync.Mutex
	before uint64
	most   uint64 // that was really in use
	cpu    time.Duration
}

// watchHeap looks at the heap whenever the client of a link reads.
func watchHeap(link *mailtest.Link) *t5Heap {
	runtime.GC()
	h := &t5Heap{before: heapInUse(), cpu: processorTime()}
	link.Before = func(string) error {
		h.look()
		return nil
	}
	return h
}

// look collects the garbage before it believes that there is too much.
func (h *t5Heap) look() {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := heapInUse()
	if now > h.before+t5HeapGrowth {
		runtime.GC()
		now = heapInUse()
	}
	h.most = max(h.most, now)
}

func (h *t5Heap) check(r *t5Run) {
	limit := int64(t5HeapGrowth)
	if r.listing {
		limit = t5Listing
	}
	if grown := int64(h.most) - int64(h.before); grown > limit {
		r.problem("the heap grew by %d KiB", grown>>10)
	}
	if used := processorTime() - h.cpu; used > t5CPU*time.Duration(mailtest.Every(10)) {
		r.problem("it took %v of computing", used)
	}
}

// heapInUse is the size of all objects that were not freed.
func heapInUse() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// processorTime is how long this process was computing so far. Other than a
// clock it does not run while the machine does something else.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
