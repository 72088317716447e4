package mailtest

import (
	"hash/maphash"
	"iter"
	"math/rand/v2"
)

// exhaustive is how many states are enumerated without a choice: those of ten
// things that were not flushed.
const exhaustive = 1 << 10

// stateSeed is for State: the numbers of one run can be compared, those of two
// cannot.
var stateSeed = maphash.MakeSeed()

// States returns the roots of the disks that a power cut may leave of this one,
// each once. Where there are few it gives all of them, and otherwise: nothing
// of what was not flushed reached the disk, all of it, one thing alone, all but
// one thing, two things alone, and as many more as random says, chosen by rnd.
// This disk stays as it is.
func (d *MemDisk) States(rnd *rand.Rand, random int) iter.Seq[*MemDisk] {
	return func(yield func(*MemDisk) bool) {
		c := d.cut()
		seen := make(map[uint64]bool)
		look := func() bool {
			left := c.left()
			if state := left.State(); !seen[state] {
				seen[state] = true
				return yield(left)
			}
			return true
		}
		if c.few() {
			c.every(0, look)
			return
		}
		_ = c.extremes(look) && c.pairs(look) && c.random(rnd, random, look)
	}
}

// few reports whether all states can be enumerated.
func (c *powerCut) few() bool {
	n := 1
	for i := range c.items() {
		if n *= c.choices(i); n > exhaustive {
			return false
		}
	}
	return true
}

// every looks at every set of choices for the items from the given one on. A
// name's change that was chosen by a later one stays so: what comes of it
// twice is looked at once.
func (c *powerCut) every(item int, look func() bool) bool {
	if item == c.items() {
		return look()
	}
	chosen := make([]bool, len(c.names))
	for i := range c.names {
		chosen[i] = c.names[i].chosen
	}
	for choice := range c.choices(item) {
		c.choose(item, choice)
		if !c.every(item+1, look) {
			return false
		}
		for i := range c.names {
			c.names[i].chosen = chosen[i]
		}
	}
	return true
}

// extremes looks at none, all, each thing alone and all but one.
func (c *powerCut) extremes(look func() bool) bool {
	c.clear()
	if !look() {
		return false
	}
	c.chooseAllBut(-1)
	if !look() {
		return false
	}
	for item := range c.items() {
		for choice := range c.choices(item) {
			c.clear()
			c.choose(item, choice)
			if !look() {
				return false
			}
			c.chooseAllBut(item)
			c.choose(item, choice)
			if !look() {
				return false
			}
		}
	}
	return true
}

// chooseAllBut chooses all of everything, and nothing of one item, nor what
// needs it.
func (c *powerCut) chooseAllBut(item int) {
	c.clear()
	missing := make([]bool, len(c.names))
	for i := range c.names {
		missing[i] = i == item
		for _, before := range c.names[i].after {
			missing[i] = missing[i] || missing[before]
		}
		c.names[i].chosen = !missing[i]
	}
	for i := range c.files {
		if len(c.names)+i != item {
			c.files[i].chosen = len(c.files[i].content) - 1
		}
	}
}

// pairs looks at each two things of which all reached the disk, and nothing
// else.
func (c *powerCut) pairs(look func() bool) bool {
	for a := range c.items() {
		for b := range a {
			c.clear()
			c.choose(a, c.choices(a)-1)
			c.choose(b, c.choices(b)-1)
			if !look() {
				return false
			}
		}
	}
	return true
}

// random looks at n sets of choices.
func (c *powerCut) random(rnd *rand.Rand, n int, look func() bool) bool {
	for range n {
		c.clear()
		for item := range c.items() {
			c.choose(item, rnd.IntN(c.choices(item)))
		}
		if !look() {
			return false
		}
	}
	return true
}

// State returns a number that is the same, within one run, for disks that hold
// the same names and bytes.
func (d *MemDisk) State() uint64 {
	d.disk.mu.Lock()
	defer d.disk.mu.Unlock()
	return d.disk.state(0)
}

// state adds up what the names of a directory lead to, in any order.
func (d *memDisk) state(id memID) uint64 {
	n := &d.nodes[id]
	if !n.isDir() {
		return maphash.Bytes(stateSeed, n.data)
	}
	sum := uint64(1)
	for name, child := range n.names {
		sum += maphash.Comparable(stateSeed, dirEntry{name, d.state(child)})
	}
	return sum
}

type dirEntry struct {
	name  string
	state uint64
}
