package ctsync

import "baton/impl/flow"

// LastChange returns the sequence number of the last change of a flow in this source's term; 0
// if the flow is older than the term. known is false if the mirror does not have the flow. A
// peer in sync that has acked the number has the flow.
func (e *Engine) LastChange(original flow.Tuple) (seq uint64, known bool) {
	id := e.table.find(e.table.tuple(original), original)
	if id == 0 {
		return 0, false
	}
	if s := e.table.at(id); s.gen == e.table.gen {
		return s.seq, true
	}
	return 0, true
}
