package mailtest

import (
	"bytes"
	"math/rand/v2"
	"slices"
)

// Clone returns the root of a copy of the whole disk: as the next process
// finds it when only this one died. What was not flushed is there, and still
// not flushed. It shares the bytes and the names with this disk until one of
// them changes its own.
func (d *MemDisk) Clone() *MemDisk {
	d.disk.mu.Lock()
	defer d.disk.mu.Unlock()
	return d.disk.clone().root()
}

func (d *memDisk) clone() *memDisk {
	for i := range d.nodes {
		d.nodes[i].shared = true
		d.nodes[i].data = slices.Clip(d.nodes[i].data) // so that an append moves away
	}
	d.pending = slices.Clip(d.pending)
	return &memDisk{path: d.path, noSyncFS: d.noSyncFS, nodes: slices.Clone(d.nodes), pending: d.pending}
}

// PowerCut returns the root of a disk that a power cut may leave of this one,
// as rnd has it: of the changes of names that were not flushed none, all or
// some reached the disk, and of each file what was not flushed is kept, lost,
// cut short or replaced by zeros in parts. This disk stays as it is.
func (d *MemDisk) PowerCut(rnd *rand.Rand) *MemDisk {
	c := d.cut()
	for i := range c.files {
		c.files[i].content = append(c.files[i].content, torn(rnd, c.node(i)))
		c.files[i].chosen = len(c.files[i].content) - 1
	}
	switch rnd.IntN(4) {
	case 0: // no name
	case 1:
		c.chooseAllNames()
	default:
		for i := range c.names {
			if rnd.IntN(2) == 0 {
				c.choose(i, 1)
			}
		}
	}
	return c.left()
}

// powerCut is a disk at the moment of a power cut. For each thing that was not
// flushed it is chosen what reached the disk.
//
// The durable part is what the flushes covered, and no more: not the name of a
// file because the file was flushed, nor a file because a later one was. File
// systems give more than that, each of them something else. Beyond it any set
// of changes can have reached the disk in which each name has its changes in
// their order: a journal keeps the order of all names, XFS, btrfs and F2FS let
// a flush of one file overtake another's, and two blocks of a directory
// without a journal know nothing of each other.
type powerCut struct {
	disk  *memDisk // a copy, nobody else's
	names []cutName
	files []cutFile
}

// cutName is a change of names.
type cutName struct {
	change nameChange
	after  []int // the changes that it needs: earlier ones of the same names
	chosen bool
}

// cutFile is a file with bytes that were not flushed.
type cutFile struct {
	id      memID
	content [][]byte // what the disk may have of it; the first has nothing new, the last all
	chosen  int
}

// cut cuts the power, with nothing chosen.
func (d *MemDisk) cut() *powerCut {
	d.disk.mu.Lock()
	c := &powerCut{disk: d.disk.clone()}
	d.disk.mu.Unlock()

	last := make(map[dirName]int) // the last change of each name
	for i, change := range c.disk.pending {
		n := cutName{change: change}
		for _, name := range []string{change.set, change.gone} {
			if name == "" {
				continue
			}
			at := dirName{change.dir, name}
			if before, ok := last[at]; ok {
				n.after = append(n.after, before)
			}
			last[at] = i
		}
		c.names = append(c.names, n)
	}
	for id := range c.disk.nodes {
		n := &c.disk.nodes[id]
		if !n.isDir() && !sameBytes(n.data, n.synced) {
			c.files = append(c.files, cutFile{id: memID(id), content: contents(n)})
		}
	}
	return c
}

type dirName struct {
	dir  memID
	name string
}

// sameBytes reports whether two versions of a file are equal. Nearly always
// they are the same piece of memory.
func sameBytes(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || bytes.Equal(a, b))
}

func (c *powerCut) node(file int) *memNode { return &c.disk.nodes[c.files[file].id] }

// items is how many things there are to choose: the changes of names first,
// then the files.
func (c *powerCut) items() int { return len(c.names) + len(c.files) }

// choices is how many ways there are for an item.
func (c *powerCut) choices(item int) int {
	if item < len(c.names) {
		return 2
	}
	return len(c.files[item-len(c.names)].content)
}

// choose chooses what reached the disk of an item; 0 is nothing. A change of
// names brings those with it that it needs.
func (c *powerCut) choose(item, choice int) {
	if item >= len(c.names) {
		c.files[item-len(c.names)].chosen = choice
		return
	}
	if choice == 0 || c.names[item].chosen {
		return
	}
	c.names[item].chosen = true
	for _, before := range c.names[item].after {
		c.choose(before, 1)
	}
}

func (c *powerCut) chooseAllNames() {
	for i := range c.names {
		c.names[i].chosen = true
	}
}

// clear takes all choices back.
func (c *powerCut) clear() {
	for i := range c.names {
		c.names[i].chosen = false
	}
	for i := range c.files {
		c.files[i].chosen = 0
	}
}

// left returns the disk as the next boot finds it.
func (c *powerCut) left() *MemDisk {
	out := &memDisk{path: c.disk.path, noSyncFS: c.disk.noSyncFS, nodes: slices.Clone(c.disk.nodes)}
	for i := range out.nodes {
		n := &out.nodes[i]
		if n.isDir() {
			n.names, n.shared = n.flushed, true
			continue
		}
		n.data, n.lost = slices.Clip(n.synced), nil
	}
	for _, n := range c.names {
		if n.chosen {
			out.nodes[n.change.dir].apply(n.change)
		}
	}
	for _, f := range c.files {
		data := slices.Clip(f.content[f.chosen])
		out.nodes[f.id].data, out.nodes[f.id].synced = data, data
	}
	for i := range out.nodes {
		n := &out.nodes[i]
		n.flushed, n.shared = n.names, true
	}
	return out.root()
}

// contents returns what the disk may have of a file that was not flushed: what
// was flushed; the new bytes cut behind the first one and at the sectors and
// pages next to both ends; zeros in place of all of them, or of those behind
// such a cut, where the length reached the disk before the bytes; all of them.
func contents(n *memNode) [][]byte {
	full := n.reaching()
	same := commonPrefix(n.synced, full)
	all := [][]byte{n.synced}
	if same < len(n.synced) { // it was cut shorter, or anew from there on
		all = append(all, full[:same])
	}
	if same < len(full) {
		all = append(all, zerosBehind(full, same))
	}
	for _, at := range cuts(same, len(full)) {
		all = append(all, full[:at], zerosBehind(full, at))
	}
	all = append(all, full)
	for i, data := range all { // nobody may write behind the end of a part
		all[i] = slices.Clip(data)
	}
	return all
}

// The units in which bytes reach a disk.
const (
	sector = 512
	page   = 4096
)

// cuts returns places between from and to, both left out.
func cuts(from, to int) []int {
	var at []int
	for _, unit := range []int{sector, page} {
		first, last := (from/unit+1)*unit, (to-1)/unit*unit
		at = append(at, first, last)
	}
	at = append(at, from+1)
	slices.Sort(at)
	return slices.DeleteFunc(slices.Compact(at), func(n int) bool { return n <= from || n >= to })
}

func zerosBehind(data []byte, at int) []byte {
	out := slices.Clone(data)
	clear(out[at:])
	return out
}

// torn returns what is left of a file, cut and zeroed anywhere.
func torn(rnd *rand.Rand, n *memNode) []byte {
	full := n.reaching()
	same := commonPrefix(n.synced, full)
	if same < len(n.synced) && rnd.IntN(2) == 0 { // a truncation that was not flushed
		return n.synced
	}
	tail := slices.Clone(full[same:])
	tail = tail[:rnd.IntN(len(tail)+1)]
	if len(tail) > 0 && rnd.IntN(2) == 0 { // pages reach the disk in any order
		a, b := rnd.IntN(len(tail)+1), rnd.IntN(len(tail)+1)
		clear(tail[min(a, b):max(a, b)])
	}
	return slices.Concat(full[:same], tail)
}
