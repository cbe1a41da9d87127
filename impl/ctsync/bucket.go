package ctsync

// A bucket is one part of the table, selected by the low bits of its tuples'
// hashes, equally on both nodes. It has a digest and an index: its own hash table
// with linear probing. Since each bucket grows separately, an insertion rehashes
// only a small part of the table.
type bucket struct {
	digests
	cells []cell // a power of two, never full
}

// A cell points to a slot. Its upper half is that of the hash, which determines
// its place and avoids most reads of slots that do not match. 0 is an empty cell.
type cell uint64

func newCell(hash uint64, slot uint32) cell { return cell(hash&^0xffffffff | uint64(slot)) }

func (c cell) slot() uint32             { return uint32(c) }
func (c cell) matches(hash uint64) bool { return uint64(c)>>32 == hash>>32 }

const minCells = 8

// home returns the cell at which the search for a hash begins.
func (b *bucket) home(hash uint64) int { return int(hash>>32) & (len(b.cells) - 1) }

// after returns the next cell of a search.
func (b *bucket) after(i int) int { return (i + 1) & (len(b.cells) - 1) }

// cell returns cell i, an empty one if the bucket has no cells yet.
func (b *bucket) cell(i int) cell {
	if uint(i) >= uint(len(b.cells)) {
		return 0
	}
	return b.cells[i]
}

// insert adds a cell. It is called before the entry is counted.
func (b *bucket) insert(c cell) {
	if 4*(int(b.all.entries)+1) > 3*len(b.cells) {
		b.grow()
	}
	b.place(c)
}

func (b *bucket) place(c cell) {
	i := b.home(uint64(c))
	for b.cells[i] != 0 {
		i = b.after(i)
	}
	b.cells[i] = c
}

// grow doubles the cells.
func (b *bucket) grow() {
	old := b.cells
	b.cells = make([]cell, max(minCells, 2*len(old)))
	for _, c := range old {
		if c != 0 {
			b.place(c)
		}
	}
}

// remove removes a cell and closes the gap: cells that it had displaced move back.
func (b *bucket) remove(c cell) {
	gap := b.home(uint64(c))
	for b.cells[gap] != c {
		gap = b.after(gap)
	}
	for i := b.after(gap); b.cells[i] != 0; i = b.after(i) {
		if home := b.home(uint64(b.cells[i])); b.distance(home, i) >= b.distance(gap, i) {
			b.cells[gap] = b.cells[i]
			gap = i
		}
	}
	b.cells[gap] = 0
}

// distance returns the number of steps of a search from one cell to another.
func (b *bucket) distance(from, to int) int { return (to - from) & (len(b.cells) - 1) }
