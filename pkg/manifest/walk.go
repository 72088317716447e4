package manifest

import (
	"bufio"
	"errors"
	"io"

	"mailpull/pkg/record"
)

// chain follows the hashes from line to line.
type chain struct {
	prev   digest // of the line before
	number uint64 // of the last append that ended
}

// link checks that a line, given without LF, follows the one before, and
// returns what stands before its trailer. The reason is empty when it does.
func (c *chain) link(line []byte) (t trailer, reason string) {
	t, ok := cutTrailer(line)
	switch {
	case !ok:
		return t, "hash does not match"
	case t.prev != c.prev:
		return t, "hash of the line before does not match"
	}
	c.prev = digestOf(line)
	if t.end {
		c.number = t.number
	}
	return t, ""
}

// walk reads a whole manifest, checks every hash and calls fn with each line
// before its trailer, in bounded memory.
func walk(r io.ReaderAt, size int64, fn func(number int, body []byte) error) error {
	buffer := int(min(size+1, maxLine)) // one more, so that its end is seen
	in := bufio.NewReaderSize(io.NewSectionReader(r, 0, size), buffer)
	var c chain
	for number := 1; ; number++ {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0 && number > 1:
			return nil
		case errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull):
			return &record.Damage{Line: number, Reason: "the line has no end"}
		case err != nil:
			return err
		}
		line = line[:len(line)-1]
		if number == 1 {
			if _, err := parseHeader(line); err != nil {
				return err
			}
			c.prev = digestOf(line)
			continue
		}
		t, reason := c.link(line)
		if reason != "" {
			return &record.Damage{Line: number, Reason: reason}
		}
		if err := fn(number, t.body); err != nil {
			return err
		}
	}
}
