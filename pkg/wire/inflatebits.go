package wire

import (
	"encoding/binary"
	"io"
)

// bitSource gives out the bits of bytes, from the lowest of each (RFC 1951
// section 3.1.1). A copy of it is a place to go back to until fill or giveBack.
type bitSource struct {
	in   []byte // in[r:w] was not taken into bits yet
	r, w int
	bits uint64 // held bits, the next one lowest; above them may stand some of those that follow
	held uint
}

// refill takes as many whole bytes into bits as there is room for.
func (s *bitSource) refill() {
	if s.w-s.r >= 8 {
		s.bits |= binary.LittleEndian.Uint64(s.in[s.r:]) << s.held
		s.r += int(63-s.held) >> 3
		s.held |= 56
		return
	}
	for s.held < 56 && s.r < s.w {
		s.bits |= uint64(s.in[s.r]) << s.held
		s.r++
		s.held += 8
	}
}

// take returns the next n bits, at most 16, or errShort.
func (s *bitSource) take(n uint) (uint, error) {
	if s.held < n {
		s.refill()
	}
	bits, ok := s.have(n)
	if !ok {
		return 0, errShort
	}
	return bits, nil
}

// have is take of bits that were taken from the bytes before.
func (s *bitSource) have(n uint) (uint, bool) {
	if s.held < n {
		return 0, false
	}
	bits := uint(s.bits & (1<<n - 1))
	s.skip(n)
	return bits, true
}

// skip drops n bits that are held.
func (s *bitSource) skip(n uint) {
	s.bits >>= n & 63
	s.held -= n
}

// align drops bits up to the end of a byte.
func (s *bitSource) align() { s.skip(s.held & 7) }

// giveBack returns the whole bytes of bits.
func (s *bitSource) giveBack() {
	s.r -= int(s.held >> 3)
	s.held &= 7
	s.bits &= 1<<s.held - 1
}

// fill reads at least one more byte behind those that were not taken yet, or
// changes nothing that counts and returns the error.
func (s *bitSource) fill(src io.Reader) error {
	s.giveBack()
	s.w = copy(s.in, s.in[s.r:s.w])
	s.r = 0
	n, err := src.Read(s.in[s.w:])
	s.w += n
	if n > 0 {
		return nil // an error comes back at the next read, it is kept
	}
	return err
}
