package model

import (
	"encoding/binary"
	"fmt"
	"slices"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// Encapsulation for the backends of mode dsr-ipip: the client's packet inside an IP header from this
// node to the backend (RFC 2003, 2473).

const dontFragment = 0x4000

// tunnelProto returns the protocol number of a packet of the family inside another.
func (f *family) tunnelProto() flow.Proto {
	if f == v6 {
		return 41
	}
	return 4
}

// isTooBigInside reports whether the packet exceeds the MTU once it is encapsulated.
func (d *Dataplane) isTooBigInside(p *packet) bool {
	return len(p.frame)+p.family().minLen > ethLen+d.host.MTU
}

// overhead returns the length of the header that a packet that is too big even without it would
// have got.
func (d *Dataplane) overhead(l link, p *packet) int {
	s := d.serviceOf(p.tuple)
	if l.name != d.cfg.ClientLink || s == nil || !s.Mode.Encapsulates() {
		return 0
	}
	if c := d.conns[p.tuple]; c != nil && !c.isDirect() {
		return 0
	}
	return p.family().minLen
}

// encapsulate returns the packet inside an outer header. What it copies of the inner one is the
// DSCP and the ECN field (RFC 6040 4.1), of IPv6 the flow label (RFC 6438), and of IPv4 the DF bit:
// only a packet without that needs an id (RFC 6864 4.1).
func (d *Dataplane) encapsulate(p *packet, backend flow.Addr) []byte {
	f, inner := p.family(), p.ip()
	length := be16(inner[4:]) + ipv6Len
	if f == v4 {
		length = be16(inner[2:])
	}
	outer := f.header(f.tunnelProto(), d.host.TunnelSource(backend.Is4()), backend, length)
	if f == v6 {
		copy(outer[:4], inner[:4])
	} else {
		outer[1] = inner[1]
		binary.BigEndian.PutUint16(outer[6:], uint16(be16(inner[6:])&dontFragment))
		if be16(outer[6:]) == 0 {
			binary.BigEndian.PutUint16(outer[4:], uint16(d.newDatagramID(v4)))
		}
		outer[10], outer[11] = 0, 0
		binary.BigEndian.PutUint16(outer[10:], ^sum(outer))
	}
	return slices.Concat(p.frame[:ethLen], outer, inner)
}

// TunnelSource returns the source of encapsulated packets of a family; zero without one.
func (h Host) TunnelSource(is4 bool) flow.Addr {
	if i := slices.IndexFunc(h.TunnelSources, func(a flow.Addr) bool { return a.Is4() == is4 }); i >= 0 {
		return h.TunnelSources[i]
	}
	return flow.Addr{}
}

// CheckTunnels returns an error if the host has no address from which it could encapsulate the packets
// of a service.
func (h Host) CheckTunnels(services []dataplane.Service) error {
	for _, s := range services {
		if s.Mode.Encapsulates() && h.TunnelSource(s.VIP.Is4()) == (flow.Addr{}) {
			return fmt.Errorf("dataplane: service %q: %s needs an address of the VIP's family on the backend link, and it has none", s.Name, s.Mode)
		}
	}
	return nil
}

// isAboutTunnel reports whether an error is about a packet that this node has encapsulated.
func (d *Dataplane) isAboutTunnel(p *packet) bool {
	f, at := p.family(), p.l4+icmpLen
	if p.kind != icmpError || len(p.frame) < at+f.minLen {
		return false
	}
	quoted := p.frame[at:]
	source, proto := d.host.TunnelSource(f == v4), flow.Proto(quoted[9])
	if f == v6 {
		proto = flow.Proto(quoted[6])
	}
	if proto != f.tunnelProto() || f.addr(quoted, f.src) != source || p.tuple.Dst != source {
		return false
	}
	for _, s := range d.configured {
		if s.Mode.Encapsulates() && s.VIP.Is4() == source.Is4() {
			return true
		}
	}
	return false
}
