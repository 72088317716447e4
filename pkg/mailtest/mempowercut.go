package mailtest

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// Clone returns the root of a copy of the whole disk: as the next process
// finds it when only this one died. What was not flushed is there, and still
// not flushed.
func (d *MemDisk) Clone() *MemDisk {
	d.disk.mu.Lock()
	defer d.disk.mu.Unlock()
	return rootOf(clone(d.disk.root, map[*memNode]*memNode{}), d.disk.path)
}

func clone(n *memNode, done map[*memNode]*memNode) *memNode {
	if done[n] != nil {
		return done[n]
	}
	if !n.isDir() {
		done[n] = &memNode{data: slices.Clone(n.data), synced: slices.Clone(n.synced)}
		return done[n]
	}
	out := newMemDir()
	done[n] = out
	for name, child := range n.names {
		out.names[name] = clone(child, done)
	}
	for name, child := range n.flushed {
		out.flushed[name] = clone(child, done)
	}
	return out
}

// PowerCut returns the root of a disk that a power cut may leave of this one,
// as rnd has it. The names are those of each directory's last flush, or all of
// them the newest; of each file what was not flushed is kept, lost, cut short
// or replaced by zeros in parts. This disk stays as it is.
func (d *MemDisk) PowerCut(rnd *rand.Rand) *MemDisk {
	d.disk.mu.Lock()
	defer d.disk.mu.Unlock()
	c := powerCut{rnd: rnd, newest: rnd.IntN(2) == 0, done: map[*memNode]*memNode{}}
	return rootOf(c.left(d.disk.root), d.disk.path)
}

// powerCut makes a disk of what is left of another one.
type powerCut struct {
	rnd    *rand.Rand
	newest bool // which names are left
	done   map[*memNode]*memNode
}

func (c *powerCut) left(n *memNode) *memNode {
	if c.done[n] != nil {
		return c.done[n]
	}
	if !n.isDir() {
		data := c.torn(n)
		c.done[n] = &memNode{data: data, synced: data}
		return c.done[n]
	}
	names := n.flushed
	if c.newest {
		names = n.names
	}
	out := newMemDir()
	c.done[n] = out
	for _, name := range slices.Sorted(maps.Keys(names)) { // in order, so that rnd decides alone
		out.names[name] = c.left(names[name])
	}
	out.flushed = maps.Clone(out.names)
	return out
}

// torn returns what is left of a file.
func (c *powerCut) torn(f *memNode) []byte {
	if slices.Equal(f.data, f.synced) {
		return slices.Clone(f.synced)
	}
	if len(f.data) <= len(f.synced) { // a truncation that was not flushed
		if c.rnd.IntN(2) == 0 {
			return slices.Clone(f.synced)
		}
		return slices.Clone(f.data)
	}
	tail := slices.Clone(f.data[len(f.synced):])
	tail = tail[:c.rnd.IntN(len(tail)+1)]
	if len(tail) > 0 && c.rnd.IntN(2) == 0 { // pages reach the disk in any order
		a, b := c.rnd.IntN(len(tail)+1), c.rnd.IntN(len(tail)+1)
		clear(tail[min(a, b):max(a, b)])
	}
	return slices.Concat(f.synced, tail)
}
