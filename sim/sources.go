package sim

import (
	"maps"
	"net/netip"
	"slices"

	"baton/impl/flow"
	"baton/scenarios/plan"
)

// sources are the addresses of one family that a client connects from, with their ports:
// its own address, and those of guests, from which it sends once the ports of all before
// them are taken.
type sources struct {
	addrs []flow.Addr
	ports []uint32          // what owns each port, address by address
	next  int               // the port to be tried next
	span  int               // how many ports are tried
	own   map[uint16]uint32 // what owns the ports of lines that have a number of them
}

func newSources(own flow.Addr, guests []netip.Addr) sources {
	s := sources{addrs: []flow.Addr{own}, span: plan.ClientPorts, own: map[uint16]uint32{}}
	for _, guest := range guests {
		s.addrs = append(s.addrs, flow.AddrFrom(guest))
	}
	return s
}

// firstPort is the first of the ports that clients connect from.
const firstPort = 10_000

// bind gives a flow of a client a free port.
func (w *World) bind(client uint8, tag uint32, s *service) flow.Tuple {
	from := &w.hosts[client].sources[familyOf(s.id.VIP)]
	i := from.free(w)
	from.ports[i] = tag
	return flow.Tuple{Src: from.addrs[i/plan.ClientPorts], Dst: s.id.VIP, SrcPort: uint16(firstPort + i%plan.ClientPorts), DstPort: s.Port, Proto: s.id.Proto}
}

// unbind frees the port of a datagram flow.
func (w *World) unbind(client uint8, t flow.Tuple) {
	from := &w.hosts[client].sources[familyOf(t.Src)]
	from.ports[slices.Index(from.addrs, t.Src)*plan.ClientPorts+int(t.SrcPort)-firstPort] = 0
}

// tags are what owns each port, in the order of these.
func (s *sources) tags() []uint32 {
	tags := slices.Clone(s.ports)
	for _, port := range slices.Sorted(maps.Keys(s.own)) {
		tags = append(tags, s.own[port])
	}
	return tags
}

// bound is how many ports of a client have been given out.
func (h *host) bound() (ports int) {
	for _, from := range h.sources {
		ports += len(from.ports)
	}
	return ports
}

// free finds a port that nothing owns that goes on.
func (s *sources) free(w *World) int {
	for {
		for range s.span {
			i := s.next
			if s.next++; s.next == s.span {
				s.next = 0
			}
			if i == len(s.ports) {
				s.ports = append(s.ports, 0)
			}
			if old, ok := tcpFlow(s.ports[i]); s.ports[i] == 0 || !ok && w.datagrams.at(s.ports[i]&^datagramTag).over || ok && w.conns.at(old).phase >= ended && !w.conns.at(old).lingers(w.now) {
				return i
			}
		}
		if s.span == len(s.addrs)*plan.ClientPorts {
			panic("sim: a client has no port left: lint bounds what lines may open")
		}
		s.next, s.span = s.span, s.span+plan.ClientPorts
	}
}

// owner is the tag of what owns a port, 0 if nothing does.
func (s *sources) owner(addr flow.Addr, port uint16) uint32 {
	if tag, own := s.own[port]; own && addr == s.addrs[0] {
		return tag
	}
	at, i := slices.Index(s.addrs, addr), int(port)-firstPort
	if at < 0 || i < 0 || i >= plan.ClientPorts {
		return 0
	}
	if i += at * plan.ClientPorts; i >= len(s.ports) {
		return 0
	}
	return s.ports[i]
}
