// Package once tells the first of several answers to one message from its duplicates. Both worlds count by it.
package once

// size is how many sequence numbers below the highest are remembered: more than three seconds of a probe at 20 kHz.
const size = 1 << 16

// Window remembers which of the latest sequence numbers were seen, as RFC 4303 section 3.4.3 does against replays. The
// zero value has seen none.
type Window struct {
	next uint64 // the highest that was seen, plus one
	seen [size / 64]uint64
}

// First notes a sequence number and reports whether it is new. One that is too old to be remembered is not.
func (w *Window) First(seq uint64) bool {
	if seq >= w.next {
		for i := range min(seq+1-w.next, size) {
			w.clear(seq - i)
		}
		w.next = seq + 1
	}
	if w.next-seq > size {
		return false
	}
	word, bit := &w.seen[seq%size/64], uint64(1)<<(seq%64)
	first := *word&bit == 0
	*word |= bit
	return first
}

func (w *Window) clear(seq uint64) { w.seen[seq%size/64] &^= 1 << (seq % 64) }
