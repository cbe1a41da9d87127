package model

import (
	"encoding/binary"
	"fmt"
	"slices"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// Encapsulation for the backends of mode dsr-ipip: the client's packet inside an IP header from this
// node to the backend, of the backend's family (RFC 2003, 2473, 4213).

const dontFragment = 0x4000

// The flow label of an IPv4 packet in an IPv6 header is a multiplicative hash of the client's address
// alone, so that all fragments of a datagram have the same label.
const (
	labelShift  = 12
	labelFactor = 0x9e3779b1
)

// tunnelProto returns the protocol number of a packet of the family inside another.
func (f *family) tunnelProto() flow.Proto {
	if f == v6 {
		return 41
	}
	return 4
}

// isTooBigInside reports whether the packet exceeds the MTU inside an outer header of that length.
func (d *Dataplane) isTooBigInside(p *packet, overhead int) bool {
	return len(p.frame)+overhead > ethLen+d.host.MTU
}

// overhead returns the length of the outer header that a packet would get; it serves packets that are
// too big even without one.
func (d *Dataplane) overhead(l link, p *packet) int {
	s := d.serviceOf(p.tuple)
	if l.name != d.cfg.ClientLink || s == nil {
		return 0
	}
	return s.overhead(d.conns[p.tuple])
}

// overhead returns the length of the outer header of a packet of the service; 0 without encapsulation. c
// is the packet's entry, which may be of an earlier mode of the service; nil for a new flow.
func (s *service) overhead(c *conn) int {
	switch {
	case c == nil:
		return s.Overhead()
	case !s.Mode.Encapsulates() || !c.isDirect():
		return 0
	}
	return dataplane.Outer(c.reply.Src)
}

// inherited is what an outer header takes from the inner packet: DSCP and ECN field (RFC 6040 4.1), a
// flow label (RFC 6438), and DF, which an IPv6 packet has implicitly.
type inherited struct {
	length       int
	class        byte
	label        uint32
	dontFragment uint16
}

func (p *packet) inherited() inherited {
	inner := p.ip()
	if p.family() == v6 {
		first := binary.BigEndian.Uint32(inner)
		return inherited{be16(inner[4:]) + ipv6Len, byte(first >> 20), first & 0xfffff, dontFragment}
	}
	client := binary.BigEndian.Uint32(inner[v4.src:])
	return inherited{be16(inner[2:]), inner[1], client * labelFactor >> labelShift, uint16(be16(inner[6:]) & dontFragment)}
}

// encapsulate returns the packet inside an outer header. An outer header needs an id only without DF
// (RFC 6864 4.1).
func (d *Dataplane) encapsulate(p *packet, backend flow.Addr) []byte {
	f, i := v6, p.inherited()
	if backend.Is4() {
		f = v4
	}
	outer := f.header(p.family().tunnelProto(), d.host.TunnelSource(backend.Is4()), backend, i.length)
	if f == v6 {
		binary.BigEndian.PutUint32(outer, 6<<28|uint32(i.class)<<20|i.label)
	} else {
		outer[1] = i.class
		binary.BigEndian.PutUint16(outer[6:], i.dontFragment)
		if i.dontFragment == 0 {
			binary.BigEndian.PutUint16(outer[4:], uint16(d.newDatagramID(v4)))
		}
		outer[10], outer[11] = 0, 0
		binary.BigEndian.PutUint16(outer[10:], ^sum(outer))
	}
	frame := slices.Concat(p.frame[:ethLen], outer, p.ip())
	binary.BigEndian.PutUint16(frame[12:], f.etherType)
	return frame
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
		if s.Mode.Encapsulates() && len(s.Backends) > 0 && h.TunnelSource(s.Backends[0].Addr.Is4()) == (flow.Addr{}) {
			return fmt.Errorf("dataplane: service %q: %s needs an address of the backends' family on the backend link, and it has none", s.Name, s.Mode)
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
	if proto != v4.tunnelProto() && proto != v6.tunnelProto() || f.addr(quoted, f.src) != source || p.tuple.Dst != source {
		return false
	}
	for _, s := range d.configured {
		if s.Mode.Encapsulates() {
			return true
		}
	}
	return false
}
