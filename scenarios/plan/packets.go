package plan

import (
	"net/netip"
	"slices"

	"baton/impl/flow"
	"baton/scenarios/lab"
)

// Match returns the match for the packets of a kind, or of a service, on a link.
func (p *Plan) Match(only, link string) lab.Match {
	kind, known := lab.PacketKindOf(only)
	switch {
	case only == "":
		return lab.Match{}
	case known && only == lab.VIP:
		kind.Match.Addrs = p.vips()
		return kind.Match
	case known:
		return kind.Match
	}
	i := slices.IndexFunc(p.Services, func(s Service) bool { return s.Name == only })
	if i < 0 {
		return lab.Match{}
	}
	s := p.Services[i]
	m := lab.Match{Class: lab.IPOf(s.Family()), Proto: uint8(protocolOf(s.Proto)), Port: s.Port}
	if vip, err := netip.ParseAddr(s.VIP); err == nil && (link == lab.Clients || s.Direct()) {
		m.Addrs[0] = flow.AddrFrom(vip) // on the backends' link packets of other modes carry the backends' addresses
	}
	return m
}

// vips returns the VIPs on the clients' side and those on the backends' side.
func (p *Plan) vips() (addrs [lab.MaxAddrs]flow.Addr) {
	for i, vip := range p.distinctVIPs() {
		if i < len(addrs) {
			addrs[i] = flow.AddrFrom(vip)
		}
	}
	return addrs
}

func (p *Plan) distinctVIPs() []netip.Addr {
	var vips []netip.Addr
	for _, s := range p.Services {
		vip, err := netip.ParseAddr(s.VIP)
		if err != nil {
			continue
		}
		for _, addr := range append(s.Family().BackendVIPs(s.SNAT), vip) {
			if !slices.Contains(vips, addr) {
				vips = append(vips, addr)
			}
		}
	}
	return vips
}

// packets checks the kind of packets of a selector.
func (t *timeline) packets(s Step) {
	on := s.Fault.On
	_, known := lab.PacketKindOf(on.Only)
	service := slices.IndexFunc(t.Services, func(svc Service) bool { return svc.Name == on.Only })
	switch {
	case on.Only == "":
	case !known && service < 0:
		t.errorf(s.Pos, on.Only, Nearest(on.Only, lab.KindNames()), "unknown kind of packets %q", on.Only)
	case !known && !meet(t.Services[service].Guard, Guard(t.world)):
		t.errorf(s.Pos, on.Only, "", "service %q is guarded for the other world", on.Only)
	case !known && t.Services[service].Ranged():
		t.errorf(s.Pos, on.Only, "", "service %q has a range of ports, and packets are selected by one; name another service, or %s", on.Only, lab.VIP)
	case on.Only == lab.VIP && len(t.distinctVIPs()) > lab.MaxAddrs:
		t.errorf(s.Pos, on.Only, "", "%s can match at most %d addresses, with those on the backends' side; name a service", lab.VIP, lab.MaxAddrs)
	}
}
