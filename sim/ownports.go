package sim

import (
	"slices"

	"baton/impl/flow"
	"baton/scenarios/plan"
)

// A connects line with a fixed number of source ports (line.Ports) uses them in turn.

// ownPort returns the source port of the generator's next connection.
func (g *generator) ownPort() uint16 {
	return plan.OwnPort(slices.Index(g.w.lines, g.line), g.place%g.line.Ports)
}

// bindOwn binds a flow of a client to one of those ports.
func (w *World) bindOwn(client uint8, port uint16, tag uint32, s *service) flow.Tuple {
	from := &w.hosts[client].sources[familyOf(s.id.VIP)]
	from.own[port] = tag
	return flow.Tuple{Src: from.addrs[0], Dst: s.id.VIP, SrcPort: port, DstPort: s.Port, Proto: s.id.Proto}
}

// taken reports whether the port's previous connection still holds it: it is open, waits for the
// acknowledgement of its FIN, or is in TIME_WAIT.
func (g *generator) taken() bool {
	from := &g.w.hosts[g.client].sources[familyOf(g.line.service.id.VIP)]
	id, ok := tcpFlow(from.own[g.ownPort()])
	if !ok {
		return false
	}
	c := g.w.conns.at(id)
	return c.phase < ended || c.state != tcpClosed && c.state != tcpDone || c.lingers(g.w.now)
}

// clockedISN returns an initial sequence number as in RFC 6528: it grows with time, so the next
// connection of the same tuple starts above the previous one.
func (w *World) clockedISN(t flow.Tuple) uint32 {
	place := mix(w.cfg.Seed ^ uint64(t.SrcPort)<<32 ^ uint64(t.DstPort)<<48 ^ uint64(t.Src[len(t.Src)-1]))
	return uint32(place) + uint32(w.now/64)
}
