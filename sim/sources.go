package sim

import (
	"maps"
	"net/netip"
	"slices"

	"baton/impl/flow"
	"baton/scenarios/plan"
)

// sources are a client's source addresses of one family and their ports: its own address first,
// then guest addresses. An address is used once all ports of those before it are taken.
type sources struct {
	addrs []flow.Addr
	ports []uint32          // tag of each port's owner, 0 if free; address by address
	next  int               // index in ports of the next port to try
	span  int               // number of ports of the addresses in use
	own   map[uint16]uint32 // tag of the owner of each port of lines with fixed source ports
}

func newSources(own flow.Addr, guests []netip.Addr) sources {
	s := sources{addrs: []flow.Addr{own}, span: plan.ClientPorts, own: map[uint16]uint32{}}
	for _, guest := range guests {
		s.addrs = append(s.addrs, flow.AddrFrom(guest))
	}
	return s
}

// firstPort is the lowest source port of clients.
const firstPort = 10_000

// bind binds a client's flow to a free port and returns its tuple.
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

// tags returns the tags of all port owners, in a fixed order.
func (s *sources) tags() []uint32 {
	tags := slices.Clone(s.ports)
	for _, port := range slices.Sorted(maps.Keys(s.own)) {
		tags = append(tags, s.own[port])
	}
	return tags
}

// bound returns how many ports of a client have ever been bound, without those of lines with fixed
// source ports.
func (h *host) bound() (ports int) {
	for _, from := range h.sources {
		ports += len(from.ports)
	}
	return ports
}

// free returns the index of a port whose last owner has ended. It takes the next guest address
// into use when all ports are taken.
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

// owner returns the tag of a port's owner, 0 if the port is free.
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
