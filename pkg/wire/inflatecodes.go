package wire

import "math/bits"

const (
	endOfBlock    = 256
	maxLiterals   = 286
	maxDistances  = 30
	maxCode       = 15                         // bits of a code
	longestSymbol = maxCode + 5 + maxCode + 13 // bits of a match

	// quickBits is how many bits are looked up at once. Longer codes are rare
	// and searched for.
	quickBits = 10
)

// spread is what a symbol stands for: base, and as many extra bits added.
type spread struct {
	base  int
	extra uint
}

// The sizes and distances of matches (RFC 1951 section 3.2.5).
var (
	matchSizes = [29]spread{
		{3, 0}, {4, 0}, {5, 0}, {6, 0}, {7, 0}, {8, 0}, {9, 0}, {10, 0}, {11, 1}, {13, 1}, {15, 1}, {17, 1},
		{19, 2}, {23, 2}, {27, 2}, {31, 2}, {35, 3}, {43, 3}, {51, 3}, {59, 3}, {67, 4}, {83, 4}, {99, 4}, {115, 4},
		{131, 5}, {163, 5}, {195, 5}, {227, 5}, {258, 0},
	}
	matchDistances = [maxDistances]spread{
		{1, 0}, {2, 0}, {3, 0}, {4, 0}, {5, 1}, {7, 1}, {9, 2}, {13, 2}, {17, 3}, {25, 3}, {33, 4}, {49, 4}, {65, 5}, {97, 5},
		{129, 6}, {193, 6}, {257, 7}, {385, 7}, {513, 8}, {769, 8}, {1025, 9}, {1537, 9}, {2049, 10}, {3073, 10},
		{4097, 11}, {6145, 11}, {8193, 12}, {12289, 12}, {16385, 13}, {24577, 13},
	}

	// codeOrder is the order in which the lengths of code lengths come (RFC
	// 1951 section 3.2.7).
	codeOrder = [19]byte{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

	// lengthRuns are the symbols 16, 17 and 18 there.
	lengthRuns = [3]spread{{3, 2}, {3, 3}, {11, 7}}
)

// huffman is a code (RFC 1951 section 3.2.2).
type huffman struct {
	quick   [1 << quickBits]uint16 // by the next bits: symbol<<4 and the length; 0: longer or none
	count   [maxCode + 1]uint16    // symbols by the length of their code
	symbols [288]uint16            // in the order of their codes
}

// build makes the code with these lengths, one for each symbol. It must be
// complete, but may have no symbol, or a single one of one bit.
func (h *huffman) build(lengths []byte) error {
	*h = huffman{}
	for _, n := range lengths {
		h.count[n]++
	}
	used := len(lengths) - int(h.count[0])
	h.count[0] = 0
	var first, code [maxCode + 2]uint16
	free := 1
	for n := 1; n <= maxCode; n++ {
		free = free<<1 - int(h.count[n])
		if free < 0 {
			return ErrDamaged
		}
		first[n+1] = first[n] + h.count[n]
		code[n+1] = (code[n] + h.count[n]) << 1
	}
	if free > 0 && used > 0 && !(used == 1 && h.count[1] == 1) {
		return ErrDamaged
	}
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		h.symbols[first[n]] = uint16(symbol)
		first[n]++
		h.lookUp(symbol, code[n], n)
		code[n]++
	}
	return nil
}

// lookUp enters a code that is short enough into the table.
func (h *huffman) lookUp(symbol int, code uint16, length byte) {
	if length > quickBits {
		return
	}
	reversed := bits.Reverse16(code) >> (16 - length)
	for i := int(reversed); i < len(h.quick); i += 1 << length {
		h.quick[i] = uint16(symbol)<<4 | uint16(length)
	}
}

// next returns the symbol that the bits begin with, and the length of its code.
// Where there is none the symbol is beyond all and the length is more than
// maxCode.
func (h *huffman) next(bits uint64) (symbol, length uint) {
	if e := h.quick[bits&(1<<quickBits-1)]; e != 0 {
		return uint(e >> 4), uint(e & 15)
	}
	return h.search(bits)
}

// search finds a code of any length, bit by bit.
func (h *huffman) search(bits uint64) (symbol, length uint) {
	code, first, index := 0, 0, 0
	for n := 1; n <= maxCode; n++ {
		code |= int(bits & 1)
		bits >>= 1
		count := int(h.count[n])
		if code-first < count {
			return uint(h.symbols[index+code-first]), uint(n)
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return 1 << 9, maxCode + 1
}

// fixedCodes sets the codes of RFC 1951 section 3.2.6.
func (z *inflater) fixedCodes() error {
	var lengths [288]byte
	for symbol := range lengths {
		switch {
		case symbol < 144:
			lengths[symbol] = 8
		case symbol < 256:
			lengths[symbol] = 9
		case symbol < 280:
			lengths[symbol] = 7
		default:
			lengths[symbol] = 8
		}
	}
	if err := z.literals.build(lengths[:]); err != nil {
		return err
	}
	for symbol := range 32 {
		lengths[symbol] = 5
	}
	return z.distance.build(lengths[:32])
}

// dynamicCodes reads the codes of a block (RFC 1951 section 3.2.7).
func (z *inflater) dynamicCodes() error {
	sizes, err := z.take(14)
	if err != nil {
		return err
	}
	literals, distances, codes := sizes&31+257, sizes>>5&31+1, sizes>>10+4
	if literals > maxLiterals || distances > maxDistances {
		return ErrDamaged
	}
	var order [len(codeOrder)]byte
	for _, symbol := range codeOrder[:codes] {
		length, err := z.take(3)
		if err != nil {
			return err
		}
		order[symbol] = byte(length)
	}
	if err := z.distance.build(order[:]); err != nil { // it is free until its own lengths are known
		return err
	}
	var lengths [maxLiterals + maxDistances]byte
	if err := z.codeLengths(lengths[:literals+distances]); err != nil {
		return err
	}
	if err := z.literals.build(lengths[:literals]); err != nil {
		return err
	}
	return z.distance.build(lengths[literals : literals+distances])
}

// codeLengths reads lengths, of which runs are written shorter.
func (z *inflater) codeLengths(lengths []byte) error {
	for i := 0; i < len(lengths); {
		z.refill()
		symbol, n := z.distance.next(z.bits)
		if n > z.held {
			return errShort
		}
		if symbol < 16 {
			z.skip(n)
			lengths[i] = byte(symbol)
			i++
			continue
		}
		if symbol > 18 || symbol == 16 && i == 0 {
			return ErrDamaged
		}
		z.skip(n)
		run := lengthRuns[symbol-16]
		more, err := z.take(run.extra)
		if err != nil {
			return err
		}
		size := run.base + int(more)
		if size > len(lengths)-i {
			return ErrDamaged
		}
		if symbol == 16 {
			for k := range size {
				lengths[i+k] = lengths[i-1]
			}
		}
		i += size // the others are zero already
	}
	return nil
}
