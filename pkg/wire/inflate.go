package wire

import (
	"errors"
	"io"
)

const (
	// inflateWindow is how far back a match can reach (RFC 1951 section 2).
	inflateWindow = 32 << 10

	// inflateInput is how many compressed bytes are read at once. It must hold
	// the header of a block, which is below 1 KiB.
	inflateInput = 16 << 10

	// maxMatch is the longest match.
	maxMatch = 258
)

// errShort says that the compressed bytes so far end in the middle of
// something. It never leaves the inflater.
var errShort = errors.New("more compressed bytes are needed")

// inflater reads a raw deflate stream (RFC 1951). It does two things that
// compress/flate does not, and IMAP needs both. An error of the reader below is
// returned and not kept: a read that was kicked goes on later, in the middle of
// a symbol if it must be. And each byte is handed out as soon as its last bit
// has come, however the server flushes.
//
// Its memory is fixed. It belongs to one goroutine at a time.
type inflater struct {
	bitSource
	src io.Reader

	// out[from:to] was not read yet, and what stands before it is the window.
	out      [2 * inflateWindow]byte
	from, to int

	block    blockKind
	last     bool // the block is the stream's last one
	stored   int  // bytes of a stored block that are still to come
	literals huffman
	distance huffman

	err error // the stream is damaged
}

// blockKind is what the inflater is in.
type blockKind byte

const (
	betweenBlocks blockKind = iota
	storedBlock
	codedBlock
)

func newInflater(src io.Reader) *inflater {
	return &inflater{src: src, bitSource: bitSource{in: make([]byte, inflateInput)}}
}

// Read returns at least one byte or an error. Unless the error is ErrDamaged,
// Read can be called again and goes on.
func (z *inflater) Read(p []byte) (int, error) {
	for z.from == z.to {
		if z.err != nil {
			return 0, z.err
		}
		z.slide()
		z.err = z.inflate()
		if !errors.Is(z.err, errShort) {
			continue
		}
		z.err = nil
		if z.from < z.to {
			break
		}
		if err := z.fill(z.src); err != nil {
			return 0, err
		}
	}
	n := copy(p, z.out[z.from:z.to])
	z.from += n
	return n, nil
}

// slide makes room where there is none for a match. All of out was read.
func (z *inflater) slide() {
	if z.to+maxMatch <= len(z.out) {
		return
	}
	copy(z.out[:], z.out[z.to-inflateWindow:z.to])
	z.from, z.to = inflateWindow, inflateWindow
}

// inflate goes on until there is no room for another match, or with errShort
// until the compressed bytes are used up.
func (z *inflater) inflate() error {
	for z.to+maxMatch <= len(z.out) {
		var err error
		switch z.block {
		case storedBlock:
			err = z.copyStored()
		case codedBlock:
			err = z.symbols()
		default:
			err = z.header()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// header reads all that stands before a block's content, or nothing of it.
func (z *inflater) header() error {
	before := z.bitSource
	err := z.begin()
	if errors.Is(err, errShort) {
		z.bitSource = before
	}
	return err
}

// begin reads a block's header (RFC 1951 section 3.2.3).
func (z *inflater) begin() error {
	if z.last {
		if z.refill(); z.held >= 8 {
			return ErrDamaged // something stands behind the end
		}
		return errShort
	}
	bits, err := z.take(3)
	if err != nil {
		return err
	}
	kind := codedBlock
	switch bits >> 1 {
	case 0:
		kind = storedBlock
		err = z.storedHeader()
	case 1:
		err = z.fixedCodes()
	case 2:
		err = z.dynamicCodes()
	default:
		err = ErrDamaged
	}
	if err != nil {
		return err
	}
	z.block, z.last = kind, bits&1 == 1
	return nil
}

// storedHeader reads a length and its complement (RFC 1951 section 3.2.4).
func (z *inflater) storedHeader() error {
	z.align()
	length, err := z.take(16)
	if err != nil {
		return err
	}
	complement, err := z.take(16)
	if err != nil {
		return err
	}
	if length != ^complement&0xffff {
		return ErrDamaged
	}
	z.stored = int(length)
	return nil
}

// copyStored copies what has come of a stored block, as far as there is room.
func (z *inflater) copyStored() error {
	z.giveBack() // whole bytes only: the header has ended at one
	n := copy(z.out[z.to:min(z.to+z.stored, len(z.out))], z.in[z.r:z.w])
	z.r += n
	z.to += n
	z.stored -= n
	if z.stored == 0 {
		z.block = betweenBlocks
		return nil
	}
	if z.r == z.w {
		return errShort
	}
	return nil
}

// symbols reads literals and matches (RFC 1951 section 3.2.5), each whole or
// not at all.
func (z *inflater) symbols() error {
	s, to := z.bitSource, z.to
	defer func() { z.bitSource, z.to = s, to }()
	for to+maxMatch <= len(z.out) {
		if s.held < longestSymbol {
			s.refill()
		}
		symbol, length := z.literals.next(s.bits)
		if length > s.held {
			return errShort
		}
		switch {
		case symbol < endOfBlock:
			s.skip(length)
			z.out[to] = byte(symbol)
			to++
			continue
		case symbol == endOfBlock:
			s.skip(length)
			z.block = betweenBlocks
			return nil
		}
		rest := s
		rest.skip(length)
		size, back, err := z.match(symbol, &rest)
		if err != nil {
			return err
		}
		if back > to {
			return ErrDamaged // from before the beginning
		}
		s = rest
		to = repeat(&z.out, to, back, size)
	}
	return nil
}

// repeat writes size bytes at to that are the same as those back before it, and
// returns where they end. The two may overlap.
func repeat(out *[2 * inflateWindow]byte, to, back, size int) int {
	from, end := to-back, to+size
	for to < end {
		to += copy(out[to:end], out[from:to])
	}
	return to
}

// match reads what follows a match's first symbol.
func (z *inflater) match(symbol uint, s *bitSource) (size, back int, err error) {
	if symbol-endOfBlock > uint(len(matchSizes)) {
		return 0, 0, ErrDamaged
	}
	of := matchSizes[symbol-endOfBlock-1]
	more, ok := s.have(of.extra)
	if !ok {
		return 0, 0, errShort
	}
	size = of.base + int(more)
	symbol, length := z.distance.next(s.bits)
	if length > s.held {
		return 0, 0, errShort
	}
	if symbol >= uint(len(matchDistances)) {
		return 0, 0, ErrDamaged
	}
	s.skip(length)
	of = matchDistances[symbol]
	if more, ok = s.have(of.extra); !ok {
		return 0, 0, errShort
	}
	return size, of.base + int(more), nil
}
