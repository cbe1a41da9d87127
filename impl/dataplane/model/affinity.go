package model

import (
	"slices"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// chooseByAffinity returns the backend of a new flow: the backend of its client's last flow, if
// that still gets new flows. For other clients the choice does not depend on the client's port,
// so that Maglev selects one backend per client.
func (d *Dataplane) chooseByAffinity(s *service, t flow.Tuple) dataplane.Backend {
	key := t.Affinity(s.own)
	kept := d.conns[key]
	if kept != nil {
		backend := dataplane.Backend{Addr: kept.reply.Src, Port: kept.reply.SrcPort} // as configured
		if slices.Contains(s.Backends, backend) {
			kept.lastSeen = d.now
			return backend
		}
	}
	chosen := s.choose(key)
	if kept != nil || len(d.conns) < d.cfg.MaxFlows { // else without affinity
		e := flow.AffinityOf(key, chosen.Addr, chosen.Port)
		c := &conn{reply: e.Reply, state: e.State, origin: e.Origin, lastSeen: d.now}
		d.conns[key] = c
		d.emit(key, c)
	}
	return chosen
}
