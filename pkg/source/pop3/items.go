package pop3

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"mailpull/pkg/mail"
)

const (
	// maxMessages is how many messages a maildrop may hold. A listing is kept
	// in memory, so there must be an end.
	maxMessages = 1_000_000

	// firstReach is how far the numbers of a listing may reach at once, and
	// reachPerLine how much farther each line lets them. STAT can count a
	// million messages in one short line, which must not cost what a million
	// lines do.
	firstReach   = 1 << 16
	reachPerLine = 4

	// maxUIDL is the longest unique-id taken. RFC 1939 section 7 allows 70
	// bytes; longer ones are around.
	maxUIDL = 512
)

// listing is what UIDL tells about the messages that STAT counted. The message
// with number n stands at n-1-rest. LIST is not asked for all: its sizes are
// often wrong, and nothing depends on them.
type listing struct {
	messages int
	rest     int         // messages at the beginning that are left out
	uidls    []mail.UIDL // grow as lines come; one for each message once the answer is checked

	// index holds the positions in the order of their UIDLs.
	index []int32

	// clean makes what the server said safe to show.
	clean func(string) string

	// again are the positions of messages whose unique-id an earlier one has.
	again []int32
}

// column reads the answer to UIDL into a listing: lines of a message number, a
// space and a unique-id, one for each message.
type column struct {
	*listing
	seen  []bool // by position
	lines int
	err   error // what is wrong with the first wrong line
}

func newListing(messages int, clean func(string) string) *listing {
	return &listing{messages: messages, clean: clean}
}

// grown returns s with n elements and no room for more.
func grown[T any](s []T, n int) []T {
	out := make([]T, n)
	copy(out, s)
	return out
}

// add takes one line. It goes on counting after a wrong one.
func (c *column) add(line []byte) {
	c.lines++
	if c.err != nil {
		return
	}
	if err := c.parse(line); err != nil {
		c.err = fmt.Errorf("line %d, %q: %w", c.lines, c.clean(string(line)), err)
	}
}

// parse reads a line. Some servers pad the two words with blanks.
func (c *column) parse(line []byte) error {
	number, value, ok := bytes.Cut(bytes.Trim(line, " \t"), []byte(" "))
	if !ok {
		return errors.New("not a number, a space and a unique-id")
	}
	value = bytes.TrimLeft(value, " \t")
	n, err := parseNumber(number)
	if err != nil {
		return err
	}
	if n < 1 || n > uint64(c.messages) {
		return fmt.Errorf("there is no message %d among %d", n, c.messages)
	}
	if n > uint64(len(c.seen)) {
		reach := min(c.messages, max(firstReach, reachPerLine*c.lines))
		if n > uint64(reach) {
			return fmt.Errorf("message %d is listed too far ahead of its place", n)
		}
		c.seen = grown(c.seen, reach)
		c.uidls = grown(c.uidls, reach)
	}
	if c.seen[n-1] {
		return fmt.Errorf("message %d is listed twice", n)
	}
	c.seen[n-1] = true
	c.uidls[n-1], err = parseUIDL(value)
	return err
}

// number returns the number of the message at a position.
func (l *listing) number(position int32) int { return l.rest + int(position) + 1 }

// check says what is wrong with the answer as a whole. Lines that all have
// different numbers, and are as many as there are messages, leave none out.
func (c *column) check() error {
	const op = "pop3 uidl"
	if c.lines != c.messages {
		return broken(op, "STAT counts %d messages and UIDL lists %d", c.messages, c.lines)
	}
	if c.err != nil {
		return broken(op, "%w", c.err)
	}
	return nil
}

// parseNumber reads decimal digits and nothing else.
func parseNumber(digits []byte) (uint64, error) {
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, errors.New("not a number")
		}
	}
	n, err := strconv.ParseUint(string(digits), 10, 63)
	if err != nil {
		return 0, errors.New("not a number that can be")
	}
	return n, nil
}

// parseUIDL reads a unique-id: printable characters without a space, and
// nothing behind them (RFC 1939 section 7).
func parseUIDL(value []byte) (mail.UIDL, error) {
	if len(value) == 0 || len(value) > maxUIDL {
		return "", fmt.Errorf("a unique-id has 1 to %d characters", maxUIDL)
	}
	for _, c := range value {
		if c <= ' ' || c > '~' {
			return "", errors.New("a unique-id has printable characters and no space")
		}
	}
	return mail.UIDL(value), nil
}

// sort builds the index, and finds the messages whose unique-id was given
// before: RFC 1939 section 7 lets a server give identical copies one id.
func (l *listing) sort() {
	l.index = make([]int32, len(l.uidls))
	for i := range l.index {
		l.index[i] = int32(i)
	}
	slices.SortFunc(l.index, func(a, b int32) int {
		return cmp.Or(cmp.Compare(l.uidls[a], l.uidls[b]), cmp.Compare(a, b))
	})
	for i := 1; i < len(l.index); i++ {
		if l.uidls[l.index[i-1]] == l.uidls[l.index[i]] {
			l.again = append(l.again, l.index[i])
		}
	}
	slices.Sort(l.again)
}

// refs returns the unique-ids to list. The first message with an id is fetched
// under it. All others together are listed under one id of our own: nothing is
// ever fetched under that, so each pass asks for it and is told what is
// missing.
func (l *listing) refs() []mail.UIDL {
	if len(l.again) == 0 {
		return l.uidls
	}
	uidls := make([]mail.UIDL, 0, len(l.uidls)-len(l.again)+1)
	for i, uidl := range l.uidls {
		if _, found := slices.BinarySearch(l.again, int32(i)); !found {
			uidls = append(uidls, uidl)
		}
	}
	return append(uidls, l.againUIDL())
}

// againUIDL names the messages in again. No server's unique-id has a space.
func (l *listing) againUIDL() mail.UIDL {
	if len(l.again) == 0 {
		return ""
	}
	return l.uidls[l.again[0]] + " again"
}

// againError says which messages are not fetched because their unique-id was
// given before.
func (l *listing) againError() *mail.Error {
	second := l.again[0]
	first, _ := l.find(l.uidls[second])
	err := broken("pop3 uidl", "messages %d and %d have the same unique-id, and only the first is fetched; there are %d such in all",
		first+1, second+1, len(l.again))
	err.Scope, err.UIDL = mail.ScopeMessage, l.uidls[second]
	err.Hint = "the server gives two messages one identity, so they cannot be told apart: if they are copies of each other, delete one on the server"
	return err
}

// find returns where the first message with a unique-id stands.
func (l *listing) find(uidl mail.UIDL) (position int32, found bool) {
	i, found := slices.BinarySearchFunc(l.index, uidl, func(p int32, uidl mail.UIDL) int {
		return cmp.Compare(l.uidls[p], uidl)
	})
	if !found {
		return 0, false
	}
	return l.index[i], true
}
