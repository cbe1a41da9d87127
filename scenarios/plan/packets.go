package plan

import (
	"net/netip"
	"slices"

	"baton/scenarios/lab"
)

// Match says which packets on a link are of a kind that a selector names, or of a service.
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
	m := lab.Match{Ether: lab.EtherIPv4, Proto: protoNumber[s.Proto], Port: s.Port}
	if vip, err := netip.ParseAddr(s.VIP); err == nil && link == lab.Clients {
		m.Addrs[0] = vip.As4() // behind the node its packets have the backends' addresses
	}
	return m
}

var protoNumber = map[string]uint8{"tcp": lab.ProtoTCP, "udp": lab.ProtoUDP}

// vips are the addresses of the services on the clients' side, and that of the backends' side.
func (p *Plan) vips() (addrs [lab.MaxAddrs][4]byte) {
	for i, vip := range p.distinctVIPs() {
		if i < len(addrs) {
			addrs[i] = vip.As4()
		}
	}
	return addrs
}

func (p *Plan) distinctVIPs() []netip.Addr {
	vips := []netip.Addr{lab.BackendVIP()}
	for _, s := range p.Services {
		if vip, err := netip.ParseAddr(s.VIP); err == nil && !slices.Contains(vips, vip) {
			vips = append(vips, vip)
		}
	}
	return vips
}

// packets checks that a selector's kind of packets is one on the links that it names.
func (t *timeline) packets(s Step) {
	on := s.Fault.On
	_, known := lab.PacketKindOf(on.Only)
	service := slices.IndexFunc(t.Services, func(svc Service) bool { return svc.Name == on.Only })
	switch {
	case on.Only == "":
	case !known && service < 0:
		t.errorf(s.Pos, on.Only, Nearest(on.Only, lab.KindNames()), "unknown kind of packets %q", on.Only)
	case !known && !meet(t.Services[service].Guard, Guard(t.world)):
		t.errorf(s.Pos, on.Only, "", "service %q is not there", on.Only)
	case on.Only == lab.VIP && len(t.distinctVIPs()) > lab.MaxAddrs:
		t.errorf(s.Pos, on.Only, "", "%s is told by %d addresses at most: name a service", lab.VIP, lab.MaxAddrs-1)
	}
}
