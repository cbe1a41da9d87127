package daemon

import (
	"bytes"

	"baton/impl/flow"
)

// heavy finds the source with the most flows in bounded memory (Misra and Gries, 1982): if
// there are more sources than it has counters, a count is too low by at most the number of
// flows divided by the number of counters.
type heavy struct {
	counters int
	counts   map[flow.Addr]int
}

// heavyCounters bounds the memory of a count to about 1 MB.
const heavyCounters = 16384

func newHeavy(counters int) *heavy { return &heavy{counters, make(map[flow.Addr]int)} }

// add counts a flow of a source.
func (h *heavy) add(source flow.Addr) {
	if n, known := h.counts[source]; known || len(h.counts) < h.counters {
		h.counts[source] = n + 1
		return
	}
	for a, n := range h.counts {
		if n == 1 {
			delete(h.counts, a)
		} else {
			h.counts[a] = n - 1
		}
	}
}

// most returns the source with the most flows; among equals the lowest address.
func (h *heavy) most() (source flow.Addr, flows int) {
	for a, n := range h.counts {
		if n > flows || n == flows && bytes.Compare(a[:], source[:]) < 0 {
			source, flows = a, n
		}
	}
	return source, flows
}
