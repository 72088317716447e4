package record

import "bytes"

// sector is the least that a disk writes at once, at multiples of itself.
const sector = 512

// Stretch is a run of lines that are not as they were written. It tells what a
// power cut can leave of an append that was not flushed yet from what only a
// damaged disk, or a hand, makes of one.
//
// A power cut loses the end of the append, or whole sectors of it. A lost one
// reads as zeros, or as what stood on the disk before where the file system
// permits that. The first sector of an append holds flushed lines as well, and
// was filled up with zeros when those were written; the last one, in a file
// that ends with a line end, is there. So a stretch that has its line ends and
// no zero, and in which no whole sector lies, was never left by a power cut.
// The zero value is empty.
type Stretch struct {
	begun      bool
	start, end int64
	zeros      bool
	cut        bool // its last line has no end
	text       bool // it is more than white space
}

// Add adds a line, with or without its end, that stands between two offsets of
// the file. whole is false for one that the end of the file cuts.
func (s *Stretch) Add(line []byte, start, end int64, whole bool) {
	if !s.begun {
		s.begun, s.start = true, start
	}
	s.end = end
	s.zeros = s.zeros || bytes.IndexByte(line, 0) >= 0
	s.cut = s.cut || !whole
	s.text = s.text || len(bytes.TrimSpace(line)) > 0
}

// Damage reports whether no power cut explains the stretch. White space, which
// an editor may leave, is no damage either.
func (s *Stretch) Damage() bool {
	return s.begun && s.text && !s.cut && !s.zeros && !s.holdsSector()
}

// holdsSector reports whether a whole sector of the disk lies in the stretch.
func (s *Stretch) holdsSector() bool {
	first := (s.start + sector - 1) / sector * sector
	return first+sector <= s.end
}
