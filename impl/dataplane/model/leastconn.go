package model

import (
	"slices"

	"baton/impl/dataplane"
)

// least returns the backend with the fewest flows for its weight, the new flow included. Among
// equals it is the next one in round-robin order.
func (s *service) least() dataplane.Backend {
	n := uint32(len(s.slots))
	first := s.next % n
	s.next++
	best := first
	for i := range n {
		at := (first + i) % n
		if uint64(s.flows[at]+1)*uint64(s.Weight(int(best))) < uint64(s.flows[best]+1)*uint64(s.Weight(int(at))) {
			best = at
		}
	}
	s.flows[best]++
	return s.slots[best]
}

// inheritFlows gives a service the counts of the service that it replaces, until the next Sweep.
func (s *service) inheritFlows(was *service) {
	if s.Balance != dataplane.LeastConn {
		return
	}
	s.flows = make([]uint32, len(s.Backends))
	if was == nil || was.Balance != dataplane.LeastConn {
		return
	}
	for i, b := range s.Backends {
		if at := slices.Index(was.Backends, b); at >= 0 {
			s.flows[i] = was.flows[at]
		}
	}
}

// countFlows counts the flows of each backend that LeastConn compares. Between two counts
// a new flow adds one to its backend's count; an ending flow does not reduce it.
func (d *Dataplane) countFlows() {
	for _, s := range d.configured {
		clear(s.flows)
	}
	for t, c := range d.conns { // in any order: it only counts
		s := d.serviceOf(t)
		if s == nil || s.Balance != dataplane.LeastConn || !dataplane.IsLoad(&t, c.state) {
			continue
		}
		if at := slices.Index(s.Backends, s.BackendOf(&c.reply)); at >= 0 {
			s.flows[at]++
		}
	}
}
