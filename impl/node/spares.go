package node

import (
	"baton/impl/clock"
	"baton/impl/trace"
)

// spares are effects of the heartbeat that were given back: packets, renewals of the
// lease and the events that tell of them. A node whose effects come back allocates
// nothing for a packet.
type spares struct {
	packets []*SendBFD
	leases  []*Lease
	traces  []*Trace // with a trace.Lease
}

// Release gives effects of a Ready back that have been carried out: nobody holds on to
// them or to what they point to. Who does need not call it, and gets new ones.
func (n *Node) Release(effects []Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case *SendBFD:
			n.spares.packets = append(n.spares.packets, e)
		case *Lease:
			n.spares.leases = append(n.spares.leases, e)
		case *Trace:
			if e.Event.Kind == trace.KindLease {
				n.spares.traces = append(n.spares.traces, e)
			}
		}
	}
}

// takeSpare returns the last of many, nil if there is none.
func takeSpare[E any](spares *[]*E) *E {
	last := len(*spares) - 1
	if last < 0 {
		return nil
	}
	e := (*spares)[last]
	*spares = (*spares)[:last]
	return e
}

// trace returns an event of the lease to fill in.
func (s *spares) trace() *Trace {
	if e := takeSpare(&s.traces); e != nil {
		return e
	}
	return &Trace{Event: trace.Event{Kind: trace.KindLease, Lease: &trace.Lease{}}}
}

// emitBFD has a packet transmitted, of which it takes a copy.
func (n *Node) emitBFD(path int, packet []byte) {
	e := takeSpare(&n.spares.packets)
	if e == nil {
		e = &SendBFD{}
	}
	e.Path, e.Data = path, append(e.Data[:0], packet...)
	n.emit(e)
}

func (n *Node) emitLease(id uint64, until clock.Instant) {
	e := takeSpare(&n.spares.leases)
	if e == nil {
		e = &Lease{}
	}
	e.ID, e.Until = id, until
	n.emit(e)
}
