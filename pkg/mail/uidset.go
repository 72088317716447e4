package mail

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// UIDRange is a run of UIDs, both ends included. Lo is never above Hi and
// never zero.
type UIDRange struct{ Lo, Hi UID }

// UIDSet is a set of UIDs, kept as ascending ranges that neither overlap nor
// touch, so that a mailbox of a million messages is a few ranges. The zero
// value is the empty set. A set is a value: no method changes its receiver's
// ranges, but Add may reuse their memory.
type UIDSet []UIDRange

// Add adds a range; lo and hi may stand in either order, and zero is left
// out. Adding in ascending order costs nothing; the worst case is linear.
func (s *UIDSet) Add(lo, hi UID) {
	if lo > hi {
		lo, hi = hi, lo
	}
	if hi == 0 {
		return
	}
	lo = max(lo, 1)

	set := *s
	if n := len(set); n == 0 || set[n-1].Hi < lo-1 {
		*s = append(set, UIDRange{lo, hi})
		return
	}

	// first is the first range that touches or follows [lo, hi]; last is the
	// first one that lies wholly behind it.
	first := sort.Search(len(set), func(i int) bool { return set[i].Hi >= lo-1 })
	last := sort.Search(len(set), func(i int) bool { return set[i].Lo-1 > hi })
	if first < last {
		lo = min(lo, set[first].Lo)
		hi = max(hi, set[last-1].Hi)
	}
	*s = slices.Replace(set, first, last, UIDRange{lo, hi})
}

// NewUIDSet returns the set of ranges in any order, overlapping or not, in
// O(n log n): what a hostile server lists must not cost more than sorting it.
func NewUIDSet(ranges []UIDRange) UIDSet {
	sorted := slices.Clone(ranges)
	for i, r := range sorted {
		if r.Lo > r.Hi {
			sorted[i] = UIDRange{r.Hi, r.Lo}
		}
	}
	slices.SortFunc(sorted, func(a, b UIDRange) int {
		if a.Lo < b.Lo {
			return -1
		}
		if a.Lo > b.Lo {
			return 1
		}
		return 0
	})
	set := sorted[:0] // it never overtakes the loop
	for _, r := range sorted {
		if n := len(set); n > 0 && (r.Lo <= set[n-1].Hi || r.Lo-1 == set[n-1].Hi) {
			set[n-1].Hi = max(set[n-1].Hi, r.Hi)
			continue
		}
		if r.Hi != 0 {
			set = append(set, UIDRange{max(r.Lo, 1), r.Hi})
		}
	}
	switch {
	case len(set) == 0:
		return nil
	case len(set) < len(sorted)/2: // most of the memory would lie idle
		return slices.Clone(set)
	}
	return set
}

// Contains reports whether the UID is in the set.
func (s UIDSet) Contains(uid UID) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].Hi >= uid })
	return i < len(s) && s[i].Lo <= uid
}

// Len returns the number of UIDs in the set.
func (s UIDSet) Len() int {
	n := 0
	for _, r := range s {
		n += int(r.Hi-r.Lo) + 1
	}
	return n
}

// Max returns the highest UID of the set, 0 if it is empty.
func (s UIDSet) Max() UID {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1].Hi
}

// All calls yield for each UID in ascending order until it returns false.
func (s UIDSet) All(yield func(UID) bool) {
	for _, r := range s {
		for uid := r.Lo; ; uid++ {
			if !yield(uid) {
				return
			}
			if uid == r.Hi { // not in the loop's head: Hi can be the last uint32
				break
			}
		}
	}
}

// Union returns the UIDs that are in either set.
func (s UIDSet) Union(t UIDSet) UIDSet {
	return NewUIDSet(slices.Concat(s, t))
}

// Minus returns the UIDs of s that are not in t. It shares the memory of s where t
// lies wholly in front of s or behind it, which is the common case: of half a
// million ranges nobody wants a copy. So nothing may be added to what it returns.
func (s UIDSet) Minus(t UIDSet) UIDSet {
	if len(s) == 0 {
		return nil
	}
	j := sort.Search(len(t), func(i int) bool { return t[i].Hi >= s[0].Lo })
	if j == len(t) || t[j].Lo > s.Max() {
		return s
	}
	var out UIDSet
	for _, r := range s {
		for j < len(t) && t[j].Hi < r.Lo {
			j++
		}
		lo, done := r.Lo, false
		for k := j; k < len(t) && t[k].Lo <= r.Hi; k++ {
			if t[k].Lo > lo {
				out = append(out, UIDRange{lo, t[k].Lo - 1})
			}
			if t[k].Hi >= r.Hi {
				done = true
				break
			}
			lo = t[k].Hi + 1
		}
		if !done {
			out = append(out, UIDRange{lo, r.Hi})
		}
	}
	return out
}

// Cut returns the first n UIDs of the set and the rest.
func (s UIDSet) Cut(n int) (head, tail UIDSet) {
	for i, r := range s {
		size := int(r.Hi-r.Lo) + 1
		if n >= size {
			n -= size
			continue
		}
		head = slices.Clone(s[:i])
		if n > 0 {
			head = append(head, UIDRange{r.Lo, r.Lo + UID(n) - 1})
		}
		tail = append(tail, UIDRange{r.Lo + UID(n), r.Hi})
		return head, append(tail, s[i+1:]...)
	}
	return slices.Clone(s), nil
}

// String returns the set in the form of RFC 9051's sequence-set, such as
// "1:5,7", and the empty string for the empty set.
func (s UIDSet) String() string {
	var b strings.Builder
	for i, r := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(uint64(r.Lo), 10))
		if r.Hi != r.Lo {
			b.WriteByte(':')
			b.WriteString(strconv.FormatUint(uint64(r.Hi), 10))
		}
	}
	return b.String()
}

// ParseUIDSet reads what String wrote, and any other sequence-set without
// "*". The empty string is the empty set.
func ParseUIDSet(text string) (UIDSet, error) {
	if text == "" {
		return nil, nil
	}
	var ranges []UIDRange
	for part := range strings.SplitSeq(text, ",") {
		lo, hi, isRange := strings.Cut(part, ":")
		if !isRange {
			hi = lo
		}
		a, errA := parseUID(lo)
		b, errB := parseUID(hi)
		if errA != nil || errB != nil {
			return nil, fmt.Errorf("uid set: %q is no uid or range", part)
		}
		ranges = append(ranges, UIDRange{a, b})
	}
	return NewUIDSet(ranges), nil
}

func parseUID(s string) (UID, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 || s[0] == '+' {
		return 0, fmt.Errorf("%q is no uid", s)
	}
	return UID(n), nil
}
