package checkpoint

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
)

// maxLine bounds a line in the reader's memory. The longest line that is ever
// written is a mailbox of maxName bytes, all of them escaped to four.
const maxLine = 128 << 10

// sumLen is the length of the checksum's text.
const sumLen = 8

// byHand stands in place of the checksum of a line that a person edited. No
// single damaged bit makes it out of a checksum.
const byHand = "--------"

// castagnoli is read only; hash/crc32 keeps one copy of it.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal ends the line that begins at b[start]: checksum and line end.
func seal(b []byte, start int) []byte {
	b = append(b, ' ')
	sum := checksum(b[start:])
	b = append(b, sum[:]...)
	return append(b, '\n')
}

// checksum returns the text of the CRC-32C. Its digits are compared as text,
// so that a changed case does not pass either.
func checksum(b []byte) [sumLen]byte {
	sum := crc32.Checksum(b, castagnoli)
	var out [sumLen]byte
	hex.Encode(out[:], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return out
}

// unseal returns what stands before a line's checksum. ok is false when the
// checksum is missing or wrong; edited is set when a person took its place.
func unseal(line []byte) (record []byte, edited, ok bool) {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	n := len(line) - sumLen
	if n < 1 || line[n-1] != ' ' {
		return nil, false, false
	}
	if string(line[n:]) == byHand {
		return line[:n-1], true, true
	}
	sum := checksum(line[:n])
	return line[:n-1], false, bytes.Equal(sum[:], line[n:])
}

// lines reads a file line by line in bounded memory.
type lines struct {
	r *bufio.Reader

	// number is that of the line that next returned, counted from 1, and
	// offset is where it ends in the file.
	number int
	offset int64
}

// newLines reads a file of the given size; a small one needs no large buffer.
func newLines(r io.ReaderAt, size int64) *lines {
	buffer := int(min(size+1, maxLine)) // one more, so that its end is seen
	return &lines{r: bufio.NewReaderSize(io.NewSectionReader(r, 0, size), buffer)}
}

// next returns a line without its LF, valid until the next call. whole is
// false for a line without LF at the end of the file, and for one longer than
// maxLine. The error is io.EOF at the end, or the reader's.
func (l *lines) next() (line []byte, whole bool, err error) {
	line, err = l.r.ReadSlice('\n')
	l.offset += int64(len(line))
	if len(line) == 0 {
		return nil, false, err
	}
	l.number++
	switch {
	case err == nil:
		return line[:len(line)-1], true, nil
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, false, l.skip()
	case errors.Is(err, io.EOF):
		return line, false, nil
	}
	return nil, false, err
}

// skip reads to the end of a line that is too long.
func (l *lines) skip() error {
	for {
		part, err := l.r.ReadSlice('\n')
		l.offset += int64(len(part))
		if err == nil || errors.Is(err, io.EOF) {
			return nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}
