package checkpoint

import (
	"errors"
	"fmt"
	"io"

	"mailpull/pkg/record"
)

// Reasons for a bad line.
const (
	badSum  = "checksum does not match"
	badLine = "the line has no end"
)

// extent says which bytes of a file count.
type extent struct {
	header header

	// folded and good are where the first and the last whole group end.
	folded, good int64

	// size is where the file ends.
	size int64

	// next is the number of the first line behind good.
	next int

	// seq is the number of the last whole group.
	seq uint64

	// edited is set when a person took away a checksum.
	edited bool
}

// scanner finds the extent of a file.
type scanner struct {
	extent
	groups int

	// bad is the first line that is not as it was written, or nil; later
	// counts the commit lines behind it, laterSeq is the last one's number and
	// laterEnd where it ends.
	bad      error
	later    int
	laterSeq uint64
	laterEnd int64

	// stretch holds the bad lines since the last good one; damaged is set when
	// one was not left by a power cut.
	stretch record.Stretch
	damaged bool
}

// scan reads a file and finds which of its groups count. It looks at
// checksums and commit lines only.
func scan(r io.ReaderAt, size int64) (extent, error) {
	var s scanner
	in := newLines(r, size)
	for {
		start := in.offset
		text, whole, err := in.next()
		if err == io.EOF {
			s.endStretch()
			s.size = in.offset
			return s.extent, s.verdict(in.number)
		}
		if err != nil {
			return extent{}, err
		}
		if err := s.line(in, text, start, whole); err != nil {
			return extent{}, err
		}
	}
}

// line takes one line into account, given where it starts.
func (s *scanner) line(in *lines, raw []byte, start int64, whole bool) error {
	text, edited, ok := unseal(raw)
	if !whole || !ok {
		reason := badSum
		if !whole {
			reason = badLine
		}
		s.spoil(in.number, reason)
		s.stretch.Add(raw, start, in.offset, whole)
		return nil
	}
	s.endStretch()
	if in.number == 1 {
		return s.first(text, edited)
	}
	s.edited = s.edited || edited
	seq, isCommit, err := parseCommit(text)
	if err != nil {
		return &record.Damage{Line: in.number, Reason: err.Error()}
	}
	if isCommit {
		return s.commit(in, seq)
	}
	return nil
}

// first reads the header.
func (s *scanner) first(text []byte, edited bool) (err error) {
	s.edited = edited
	s.header, err = parseHeader(string(text))
	if err != nil && !errors.Is(err, record.ErrVersion) {
		return &record.Damage{Line: 1, Reason: err.Error()}
	}
	return err
}

// spoil remembers the first bad line.
func (s *scanner) spoil(line int, reason string) {
	if s.bad == nil {
		s.bad = &record.Damage{Line: line, Reason: reason}
	}
}

// endStretch judges the bad lines since the last good one.
func (s *scanner) endStretch() {
	s.damaged = s.damaged || s.stretch.Damage()
	s.stretch = record.Stretch{}
}

// commit ends a group, or tells of one behind a bad line.
func (s *scanner) commit(in *lines, seq uint64) error {
	if s.bad != nil {
		s.later++
		s.laterSeq, s.laterEnd = seq, in.offset
		return nil
	}
	if s.groups > 0 && seq != s.seq+1 {
		return &record.Damage{Line: in.number, Reason: fmt.Sprintf("commit %d follows commit %d", seq, s.seq)}
	}
	if s.groups == 0 {
		s.folded = in.offset
	}
	s.groups++
	s.seq, s.good, s.next = seq, in.offset, in.number+1
	return nil
}

// verdict says whether what was found can be the trace of an interrupted
// append, given how many lines there are. The group that was being appended
// can have lost any of its pages, also one before its own commit line, but
// no earlier group can: it was flushed. The numbers tell when a bad part has
// swallowed the commit line of such an earlier group; and what stands behind
// a commit line proves that its group was flushed. And what a power cut leaves
// has its marks.
func (s *scanner) verdict(lines int) error {
	last := s.later == 0 || s.later == 1 && s.laterSeq == s.seq+1 && s.laterEnd == s.size
	interrupted := last && !s.damaged
	switch {
	case s.bad != nil && (s.groups == 0 || !interrupted):
		return s.bad
	case s.groups == 0:
		return &record.Damage{Line: lines, Reason: "the file ends before its first commit line"}
	}
	return nil
}

// replay makes a state of the lines that scan found to count.
func replay(r io.ReaderAt, size int64) (*state, error) {
	s := newState()
	in := newLines(r, size)
	for {
		text, _, err := in.next()
		if err == io.EOF {
			return s, nil
		}
		if err != nil {
			return nil, err
		}
		if err := replayLine(s, in.number, text); err != nil {
			return nil, &record.Damage{Line: in.number, Reason: err.Error()}
		}
	}
}

func replayLine(s *state, number int, text []byte) error {
	text, _, ok := unseal(text)
	if !ok {
		return fmt.Errorf("the line changed while it was read")
	}
	if _, isCommit, _ := parseCommit(text); isCommit || number == 1 {
		return nil
	}
	r, err := parseRecord(string(text))
	if err != nil {
		return err
	}
	return r.apply(s)
}

// load reads a checkpoint of the given size and changes nothing.
func load(r io.ReaderAt, size int64) (*state, extent, error) {
	found, err := scan(r, size)
	if err != nil {
		return nil, extent{}, err
	}
	s, err := replay(r, found.good)
	return s, found, err
}
