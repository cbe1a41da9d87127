// Package maglev builds the lookup tables of Maglev consistent hashing (Eisenbud et al.,
// NSDI 2016, section 3.4): even shares, and few changes for other backends when one comes
// or goes. It is pure; the dataplane's loader and its model call it, so that both nodes of
// a pair choose alike.
package maglev

import (
	"cmp"
	"hash/fnv"
	"slices"
)

// DefaultSize is the size of a table: a prime, and more than a hundred times the expected
// number of backends, so that shares differ by less than a percent.
const DefaultSize = 16381

// Table returns the index of a name for each of size slots. Names must be distinct; which
// name owns a slot does not depend on their order. The size must be prime and at least the
// number of names. Without names the table is nil.
//
// Weights are the names' shares of the slots: the name with the largest weight takes a slot
// in every round, the others in a fraction of the rounds, by the ratio of the weights. nil
// means equal weights.
func Table(names []string, weights []int, size int) []int {
	if len(names) == 0 {
		return nil
	}
	turns := permutations(names, uint64(size))
	table := make([]int, size)
	for i := range table {
		table[i] = -1
	}
	largest := 1
	if weights != nil {
		largest = slices.Max(weights)
	}
	credit := make([]int, len(names))
	for filled := 0; ; {
		for i := range turns {
			if weights != nil {
				if credit[i] += weights[turns[i].name]; credit[i] < largest {
					continue
				}
				credit[i] -= largest
			}
			slot := turns[i].nextFree(table)
			table[slot] = turns[i].name
			if filled++; filled == size {
				return table
			}
		}
	}
}

// permutation visits all slots in an order that depends on the name.
type permutation struct {
	name             int
	slot, skip, size uint64
}

// permutations returns the permutations sorted by name, so that the result does not depend
// on the configuration's order.
func permutations(names []string, size uint64) []permutation {
	turns := make([]permutation, len(names))
	for i, name := range names {
		h := fnv.New64a()
		h.Write([]byte(name))
		sum := mix(h.Sum64())
		turns[i] = permutation{name: i, slot: sum >> 32 % size, skip: sum&0xffffffff%(size-1) + 1, size: size}
	}
	slices.SortFunc(turns, func(a, b permutation) int { return cmp.Compare(names[a.name], names[b.name]) })
	return turns
}

// mix distributes FNV's sum, whose high bits hardly depend on the last bytes (the finalizer
// of MurmurHash3).
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// nextFree advances to the next free slot.
func (p *permutation) nextFree(table []int) uint64 {
	for table[p.slot] >= 0 {
		if p.slot += p.skip; p.slot >= p.size { // both are below size
			p.slot -= p.size
		}
	}
	return p.slot
}
