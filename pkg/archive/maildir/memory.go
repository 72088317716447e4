package maildir

import (
	"io"
	"math/bits"
	"sync"
)

const (
	// smallBody is how long a message must be to be streamed to disk in pieces
	// of this size. Shorter ones are read into memory and written beside the
	// reading of the next one.
	smallBody = 512 << 10

	// minBuffer is the smallest piece of memory that is worth keeping.
	minBuffer = 8 << 10

	// maxEmptyReads is how often in a row a reader may give nothing and no
	// error.
	maxEmptyReads = 100

	// defaultWaiting is how much may wait to be written. minWaiting holds the
	// largest message that does, and another one.
	defaultWaiting = 4 << 20
	minWaiting     = 2 * smallBody
)

// buffers keeps memory for the next message, in powers of two, so that small
// messages do not hold what large ones need.
type buffers struct {
	pools [7]sync.Pool // 8 KiB to 512 KiB
}

// get returns an empty buffer that can hold size bytes.
func (b *buffers) get(size int) []byte {
	i := class(size)
	if p, ok := b.pools[i].Get().(*[]byte); ok {
		return (*p)[:0]
	}
	return make([]byte, 0, minBuffer<<i)
}

// put takes a buffer back.
func (b *buffers) put(buf []byte) {
	b.pools[class(cap(buf))].Put(&buf)
}

// class is the number of the pool whose buffers hold size bytes.
func class(size int) int {
	return bits.Len(uint(max(size-1, 0)) / minBuffer)
}

// read reads body to its end or until limit bytes are read, whichever comes
// first. whole says that it was the end. The buffer is returned with what was
// read, also beside an error.
func (b *buffers) read(body io.Reader, limit int) (buf []byte, whole bool, err error) {
	buf = b.get(minBuffer)
	for empty := 0; ; {
		if len(buf) == cap(buf) {
			if len(buf) >= limit {
				return buf, false, nil
			}
			larger := append(b.get(2*cap(buf)), buf...)
			b.put(buf)
			buf = larger
		}
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case err == io.EOF: // and nothing that wraps it: a torn body may
			return buf, true, nil
		case err != nil:
			return buf, false, err
		case n > 0:
			empty = 0
		default:
			if empty++; empty == maxEmptyReads {
				return buf, false, io.ErrNoProgress
			}
		}
	}
}

// budget bounds the memory that waits to be written.
type budget struct {
	mu    sync.Mutex
	freed sync.Cond
	free  int
}

func newBudget(n int) *budget {
	b := &budget{free: n}
	b.freed.L = &b.mu
	return b
}

// take waits until n bytes are free. They must be fewer than the budget has,
// and whoever waits must hold none of it: then the writers always free some.
func (b *budget) take(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.free < n {
		b.freed.Wait()
	}
	b.free -= n
}

func (b *budget) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += n
	b.freed.Broadcast()
}
