package ha

import "cmp"

// Rank orders two nodes when more than one could be MASTER. A node that is not
// able to serve (links, dataplane or targets lost, or leaving) ranks last; then
// decide the epoch of its table, whether that table is complete, the configured
// priority, and at last the id, so that no two nodes rank alike.
type Rank struct {
	Able     bool
	Epoch    uint32
	Complete bool
	Priority uint8
	ID       string
}

// Compare returns a positive number if r ranks above s.
func (r Rank) Compare(s Rank) int {
	return cmp.Or(
		compareBool(r.Able, s.Able),
		cmp.Compare(r.Epoch, s.Epoch),
		compareBool(r.Complete, s.Complete),
		cmp.Compare(r.Priority, s.Priority),
		// The lexically smaller id ranks above: lb1 before lb2.
		cmp.Compare(s.ID, r.ID),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
