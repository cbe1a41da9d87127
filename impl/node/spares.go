package node

import (
	"baton/impl/clock"
	"baton/impl/trace"
)

// spares are returned effects of the heartbeat: packets, renewals of the lease and
// their events, and of relaying. A node whose effects are returned allocates nothing per packet.
type spares struct {
	packets []*SendBFD
	leases  []*Lease
	relays  []*Relay
	traces  []*Trace // each with a trace.Lease
}

// Release returns effects of a Ready that have been carried out. The caller must not
// keep references to them or to what they point to. Calling it is optional; without it
// the node allocates new effects.
func (n *Node) Release(effects []Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case *SendBFD:
			n.spares.packets = append(n.spares.packets, e)
		case *Lease:
			n.spares.leases = append(n.spares.leases, e)
		case *Relay:
			n.spares.relays = append(n.spares.relays, e)
		case *Trace:
			if e.Event.Kind == trace.KindLease {
				n.spares.traces = append(n.spares.traces, e)
			}
		}
	}
}

// takeSpare returns the last spare, nil if there is none.
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

// emitBFD sends a packet. It copies the packet.
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

func (n *Node) emitRelay(until clock.Instant) {
	e := takeSpare(&n.spares.relays)
	if e == nil {
		e = &Relay{}
	}
	e.Until = until
	n.emit(e)
}
