package ctsync

// A journal holds the latest changes of an epoch by sequence number, in a ring that
// grows up to its limit.
type journal struct {
	ring  []change
	limit int
	last  uint64 // sequence number of the newest change, 0 before the first
}

// add appends the change that follows last.
func (j *journal) add(c change) {
	j.last++
	if len(j.ring) < j.limit {
		j.ring = append(j.ring, c)
		return
	}
	j.ring[j.place(j.last)] = c
}

// first returns the sequence number of the oldest change in the journal; last+1 if
// it is empty.
func (j *journal) first() uint64 { return j.last + 1 - uint64(len(j.ring)) }

// at returns the change of a sequence number from first to last.
func (j *journal) at(seq uint64) *change { return &j.ring[j.place(seq)] }

// place returns the index of a sequence number in the ring, which begins with 1.
func (j *journal) place(seq uint64) uint64 { return (seq - 1) % uint64(j.limit) }

// reset forgets everything; the next change has sequence number 1.
func (j *journal) reset() { j.ring, j.last = j.ring[:0], 0 }
