package mail

import (
	"maps"
	"math"
	"slices"
	"testing"
)

// naive is the set as a map, which is too slow to be wrong.
type naive map[UID]bool

func naiveOf(s UIDSet) naive {
	n := make(naive)
	for uid := range s.All {
		n[uid] = true
	}
	return n
}

// fromBytes makes ranges over a small space, so that they overlap and touch.
func fromBytes(data []byte) (UIDSet, naive) {
	var s UIDSet
	n := make(naive)
	for i := 0; i+1 < len(data); i += 2 {
		lo, hi := UID(data[i]), UID(data[i])+UID(data[i+1]%9)
		s.Add(lo, hi)
		for uid := max(lo, 1); uid <= hi; uid++ {
			n[uid] = true
		}
	}
	return s, n
}

func FuzzUIDSet(f *testing.F) {
	f.Add([]byte{1, 3, 9, 2, 5, 0}, []byte{2, 1, 200, 8})
	f.Add([]byte{0, 0}, []byte{})
	f.Add([]byte{5, 0, 4, 0, 6, 0}, []byte{5, 0})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		s, ns := fromBytes(a)
		u, nu := fromBytes(b)

		if !maps.Equal(naiveOf(s), ns) || s.Len() != len(ns) {
			t.Fatalf("Add: got %v, want %v", s, ns)
		}
		for i := 1; i < len(s); i++ {
			if s[i].Lo <= s[i-1].Hi+1 {
				t.Fatalf("ranges touch: %v", s)
			}
		}
		minus := maps.Clone(ns)
		maps.DeleteFunc(minus, func(uid UID, _ bool) bool { return nu[uid] })
		if got := naiveOf(s.Minus(u)); !maps.Equal(got, minus) {
			t.Fatalf("%v minus %v: got %v", s, u, s.Minus(u))
		}
		union := maps.Clone(ns)
		maps.Copy(union, nu)
		if got := naiveOf(s.Union(u)); !maps.Equal(got, union) {
			t.Fatalf("%v union %v: got %v", s, u, s.Union(u))
		}
		head, tail := s.Cut(3)
		if head.Len() != min(3, s.Len()) || !slices.Equal(head.Union(tail), s) {
			t.Fatalf("cut %v: got %v and %v", s, head, tail)
		}
		back, err := ParseUIDSet(s.String())
		if err != nil || !slices.Equal(back, s) {
			t.Fatalf("%q: got %v, %v", s.String(), back, err)
		}
		for uid := UID(0); uid < 270; uid++ {
			if s.Contains(uid) != ns[uid] {
				t.Fatalf("%v contains %d: got %v", s, uid, s.Contains(uid))
			}
		}
	})
}

// The last uint32 must neither wrap nor loop for ever.
func TestUIDSetAtTheEnd(t *testing.T) {
	t.Parallel()
	var s UIDSet
	s.Add(math.MaxUint32-1, math.MaxUint32)
	s.Add(math.MaxUint32, math.MaxUint32)
	if got := slices.Collect(s.All); !slices.Equal(got, []UID{math.MaxUint32 - 1, math.MaxUint32}) {
		t.Errorf("got %v", got)
	}
	all := UIDSet{{1, math.MaxUint32}}
	if got := all.Minus(s); !slices.Equal(got, UIDSet{{1, math.MaxUint32 - 2}}) {
		t.Errorf("got %v", got)
	}
	if got := all.Minus(all); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	if all.Len() != math.MaxUint32 {
		t.Errorf("got %d", all.Len())
	}
	if got := NewUIDSet([]UIDRange{{math.MaxUint32, 0}, {7, 7}}); !slices.Equal(got, all) {
		t.Errorf("got %v", got)
	}
}

func TestParseUIDSetRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{",", "1,", "0", "1:0", "*", "1:*", "4294967296", "-1", "+1", "a", "1 2", "1::2"} {
		if got, err := ParseUIDSet(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

// Descending numbers, as some servers send them, must cost no more than
// sorting: a million of them within the test's patience.
func BenchmarkNewUIDSetDescending(b *testing.B) {
	ranges := make([]UIDRange, 1_000_000)
	for i := range ranges {
		uid := UID(2 * (len(ranges) - i))
		ranges[i] = UIDRange{uid, uid}
	}
	for b.Loop() {
		if n := NewUIDSet(ranges).Len(); n != len(ranges) {
			b.Fatal(n)
		}
	}
}
