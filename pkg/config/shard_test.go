package config

import (
	"fmt"
	"testing"
)

func accountNames(n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprint("account", i))
	}
	return list
}

// Each account belongs to one part, and the parts are of like size.
func TestShardsShareOut(t *testing.T) {
	t.Parallel()
	for count := 1; count <= 12; count++ {
		sizes := make([]int, count)
		for _, name := range accountNames(6000) {
			owners := 0
			for i := range count {
				if (Shard{i, count}).Owns(name) {
					owners++
					sizes[i]++
				}
			}
			if owners != 1 {
				t.Fatalf("%s belongs to %d of %d parts", name, owners, count)
			}
		}
		for i, size := range sizes {
			if want := 6000 / count; size < want*8/10 || size > want*12/10 {
				t.Errorf("part %d of %d has %d accounts, about %d would be fair", i, count, size, want)
			}
		}
	}
}

// When a part is added, one of n+1 accounts moves, and to the new part only.
func TestShardsMoveLittle(t *testing.T) {
	t.Parallel()
	for count := 1; count <= 10; count++ {
		moved := 0
		for _, name := range accountNames(6000) {
			before, after := owner(name, count), owner(name, count+1)
			if before == after {
				continue
			}
			moved++
			if after != count {
				t.Fatalf("%s moved from part %d to part %d, which was there before", name, before, after)
			}
		}
		if want := 6000 / (count + 1); moved < want*8/10 || moved > want*12/10 {
			t.Errorf("%d accounts moved when part %d came, want about %d", moved, count, want)
		}
	}
}

func owner(name string, count int) int {
	for i := range count {
		if (Shard{i, count}).Owns(name) {
			return i
		}
	}
	return -1
}

func TestParseShard(t *testing.T) {
	t.Parallel()
	if s, err := ParseShard("2/3"); err != nil || s != (Shard{2, 3}) || s.String() != "2/3" {
		t.Errorf("got %v, %v", s, err)
	}
	for _, text := range []string{"", "3/3", "-1/3", "1", "1/0", "a/b", "1/2/3", "0/-1"} {
		if s, err := ParseShard(text); err == nil {
			t.Errorf("%q: got %v", text, s)
		}
	}
}
