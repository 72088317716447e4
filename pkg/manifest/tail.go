package manifest

import (
	"bytes"
	"io"

	"mailpull/pkg/record"
)

const (
	// minTail is how much of the file's end Open reads at first.
	minTail = 64 << 10

	// maxTail is how much it reads at most in search of the last append that
	// is whole.
	maxTail = 64 << 20
)

// tail is what the end of a file tells.
type tail struct {
	// chain and end are of the last append that is whole; ok is false when
	// there is none.
	chain
	end int64
	ok  bool

	// damaged is set when what follows is not the trace of an interrupted
	// append.
	damaged bool
}

// readTail finds the last whole append from the file's end.
func readTail(r io.ReaderAt, size int64) (tail, error) {
	for window := int64(minTail); ; window *= 2 {
		from := max(size-window, 0)
		buf := make([]byte, size-from)
		if _, err := r.ReadAt(buf, from); err != nil && err != io.EOF {
			return tail{}, err
		}
		t := examine(buf, from)
		if t.ok || from == 0 || window >= maxTail {
			return t, nil
		}
	}
}

// examine looks at the file's bytes from an offset to its end. The line that
// the offset cuts, and an append whose beginning it cuts, are passed over.
func examine(buf []byte, from int64) tail {
	s := tailScan{started: from == 0}
	at := 0
	if from > 0 {
		at = bytes.IndexByte(buf, '\n') + 1
	}
	for {
		n := bytes.IndexByte(buf[at:], '\n')
		if n < 0 {
			return s.verdict(buf, from)
		}
		line := buf[at : at+n]
		at += n + 1
		s.line(line, from+int64(at))
	}
}

// tailScan walks over the lines of the file's end.
type tailScan struct {
	tail
	at chain // of the line before

	started bool // at is known
	broken  bool // a line did not fit

	// later counts the ends of appends from the line on that did not fit;
	// laterNumber and laterEnd are the last one's.
	later       int
	laterNumber uint64
	laterEnd    int64
}

// line takes one line into account, given without LF and where it ends.
func (s *tailScan) line(line []byte, end int64) {
	t, ok := cutTrailer(line)
	if !s.started && ok { // the line before is not in sight
		s.started = true
		s.at.prev = t.prev
	}
	if !s.broken {
		_, reason := s.at.link(line)
		s.broken = reason != ""
	}
	switch {
	case !ok || !t.end:
	case s.broken:
		s.later++
		s.laterNumber, s.laterEnd = t.number, end
	default:
		s.chain, s.end, s.ok = s.at, end, true
	}
}

// verdict says whether what follows the last whole append can be what an
// interrupted one left. That can have lost any of its pages, also before its
// last line; but what stands behind an append proves that it was flushed, and
// what a power cut leaves has its marks.
func (s *tailScan) verdict(buf []byte, from int64) tail {
	size := from + int64(len(buf))
	last := s.later == 0 || s.later == 1 && s.laterNumber == s.number+1 && s.laterEnd == size
	s.damaged = !last || s.ok && !interrupted(buf[s.end-from:], s.end)
	return s.tail
}

// interrupted reports whether a power cut explains all that is bad in the
// lines behind the last whole append, which begin at an offset of the file.
//
// A line with more behind it has no hash of its own: the next one names it. A
// lost sector spoils the form of each line that it touches. So where two lines of
// good form disagree no sector was lost, and either of them is damaged.
func interrupted(rest []byte, at int64) bool {
	var stretch record.Stretch
	var before []byte // the line in front, if its form is good and the next one names it
	for len(rest) > 0 {
		line, behind, whole := bytes.Cut(rest, []byte{'\n'})
		start := at
		at += int64(len(rest) - len(behind))
		rest = behind
		t, ok := cutTrailer(line)
		if !whole || !ok || !wellFormed(line, t) {
			stretch.Add(line, start, at, whole)
			before = nil
			continue
		}
		if stretch.Damage() || before != nil && !names(line, before) {
			return false
		}
		stretch = record.Stretch{}
		before = line
		if t.end {
			before = nil
		}
	}
	return !stretch.Damage()
}

// wellFormed reports whether a line has all fields of one. A zero is in none,
// and would pass for a part of a text in quotes.
func wellFormed(line []byte, t trailer) bool {
	_, _, err := parse(string(t.body))
	return err == nil && bytes.IndexByte(line, 0) < 0
}

// names reports whether a line names the one before it.
func names(line, before []byte) bool {
	hash := digestOf(before)
	return bytes.Contains(line, append([]byte(prevWord), hash[:]...))
}
