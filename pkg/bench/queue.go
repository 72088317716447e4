package bench

import (
	"bytes"
	"io"
	"net"
	"sync"
	"time"
)

// maxChunk is the most that is read at once.
const maxChunk = 64 << 10

// chunk is a piece of one direction that is under way.
type chunk struct {
	data  []byte
	due   time.Time // when it arrives
	round int64     // see counter
}

// queue is what is under way in one direction of a connection: one goroutine
// fills it and another drains it.
type queue struct {
	chunks chan chunk    // no more than there can be bytes
	gone   chan struct{} // closed when nobody drains any more

	mu    sync.Mutex
	room  sync.Cond
	bytes int // under way
	most  int
	ended bool
}

func newQueue(most int) *queue {
	q := &queue{chunks: make(chan chunk, 1024), gone: make(chan struct{}), most: most}
	q.room.L = &q.mu
	return q
}

// fill reads until the end and sends what it reads on its way. round is asked
// at each piece. It reports whether the end was a proper one, or nobody wanted
// more.
func (q *queue) fill(from io.Reader, p *pacer, round func(n int) int64) bool {
	defer close(q.chunks)
	buf := make([]byte, maxChunk)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			r := round(n) // before the wait: it is sent now
			if !q.reserve(n) || !q.put(chunk{bytes.Clone(buf[:n]), p.arrival(n), r}) {
				return true
			}
		}
		if err != nil {
			return err == io.EOF
		}
	}
}

// reserve waits until n more bytes may be under way, and reports whether
// anybody wants them.
func (q *queue) reserve(n int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.bytes > 0 && q.bytes+n > q.most && !q.ended {
		q.room.Wait()
	}
	q.bytes += n
	return !q.ended
}

func (q *queue) put(c chunk) bool {
	select {
	case q.chunks <- c:
		return true
	case <-q.gone:
		return false
	}
}

// drain hands on what arrives, in order and not before its time, tells at of
// it, and then the end. It reports whether all of it could be written.
func (q *queue) drain(to net.Conn, at func(n int, round int64)) bool {
	defer q.end()
	for c := range q.chunks {
		time.Sleep(time.Until(c.due))
		at(len(c.data), c.round)
		if _, err := to.Write(c.data); err != nil {
			return false
		}
		q.mu.Lock()
		q.bytes -= len(c.data)
		q.mu.Unlock()
		q.room.Signal()
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite() == nil
	}
	return false
}

// end lets go of whoever fills the queue.
func (q *queue) end() {
	close(q.gone)
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	q.room.Signal()
}
