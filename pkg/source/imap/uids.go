package imap

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mailpull/pkg/mail"
)

// maxRanges bounds the memory of a listing: 32 MiB of ranges. Only a mailbox
// of more than eight million messages with a gap after each of them comes
// near.
const maxRanges = 4 << 20

var errTooManyUIDs = errors.New("the mailbox has too many gaps between its UIDs")

// uidList collects the UIDs that a server lists, in any order. Those that
// arrive in ascending order, as nearly all do, cost no memory while they have
// no gaps.
type uidList struct {
	ranges []mail.UIDRange
	mixed  bool // they are not in ascending order
}

// add adds a range. Zero is no UID and is left out.
func (l *uidList) add(lo, hi mail.UID) error {
	if lo > hi {
		lo, hi = hi, lo
	}
	if hi == 0 {
		return nil
	}
	lo = max(lo, 1)
	if n := len(l.ranges); n > 0 && l.ranges[n-1].Hi == lo-1 {
		l.ranges[n-1].Hi = hi
		return nil
	}
	if len(l.ranges) >= maxRanges {
		return errTooManyUIDs
	}
	if n := len(l.ranges); n > 0 && l.ranges[n-1].Hi >= lo {
		l.mixed = true
	}
	l.ranges = append(l.ranges, mail.UIDRange{Lo: lo, Hi: hi})
	return nil
}

// set returns what was collected. Nothing may be added afterwards.
func (l *uidList) set() mail.UIDSet {
	if l.mixed {
		return mail.NewUIDSet(l.ranges)
	}
	return l.ranges
}

// addSearch adds the numbers of a SEARCH answer (RFC 9051 section 7.3.4 has
// none, RFC 3501 section 7.2.5 has), such as "7 2 3". A CONDSTORE server may
// append "(MODSEQ 917)" (RFC 7162 section 3.1.5), which is left out.
func (l *uidList) addSearch(raw string) error {
	if i := strings.IndexByte(raw, '('); i >= 0 {
		raw = raw[:i]
	}
	for word := range strings.FieldsSeq(raw) {
		uid, err := parseUID(word)
		if err != nil {
			return err
		}
		if err := l.add(uid, uid); err != nil {
			return err
		}
	}
	return nil
}

// addESearch adds the set that an ESEARCH answer (RFC 4731, RFC 9051 section
// 7.3.4) names under ALL, such as `(TAG "A2") UID ALL 1:5,9`. An answer
// without ALL found nothing. The ranges are never expanded.
func (l *uidList) addESearch(raw string) error {
	set, err := esearchAll(raw)
	if err != nil {
		return err
	}
	for set != "" {
		var part string
		part, set, _ = strings.Cut(set, ",")
		from, to, isRange := strings.Cut(part, ":")
		if !isRange {
			to = from
		}
		lo, err := parseUID(from)
		if err != nil {
			return err
		}
		hi, err := parseUID(to)
		if err != nil {
			return err
		}
		if err := l.add(lo, hi); err != nil {
			return err
		}
	}
	return nil
}

// esearchAll returns the set behind ALL in an ESEARCH answer.
func esearchAll(raw string) (string, error) {
	raw = strings.TrimLeft(raw, " ")
	if strings.HasPrefix(raw, "(") { // the correlator, a tag of ours
		_, rest, ok := strings.Cut(raw, ")")
		if !ok {
			return "", errors.New("esearch: the correlator has no end")
		}
		raw = rest
	}
	for raw != "" {
		var word string
		word, raw = cutWord(raw)
		switch strings.ToUpper(word) {
		case "", "UID":
		case "ALL":
			set, _ := cutWord(raw)
			return set, nil
		default: // MIN, MAX, COUNT, MODSEQ or new: a name and its value
			_, raw = cutWord(raw)
		}
	}
	return "", nil
}

// cutWord returns the first word of s and what follows it.
func cutWord(s string) (word, rest string) {
	word, rest, _ = strings.Cut(strings.TrimLeft(s, " "), " ")
	return word, rest
}

// parseUID reads a UID. Zero is read as it is: servers were seen to list it. The
// error holds text of the server's.
func parseUID(s string) (mail.UID, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || s[0] == '+' {
		return 0, fmt.Errorf("no uid: %s", s)
	}
	return mail.UID(n), nil
}
