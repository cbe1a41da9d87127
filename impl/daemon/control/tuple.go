package control

import (
	"fmt"
	"net/netip"
	"strings"

	"baton/impl/flow"
)

// ParseTuple is the inverse of flow.Tuple.String: "tcp 198.18.0.11:40000>198.18.0.100:80".
func ParseTuple(s string) (flow.Tuple, error) {
	bad := func(what string) (flow.Tuple, error) {
		return flow.Tuple{}, fmt.Errorf("control: parse tuple %q: %s; write it as tcp 198.18.0.11:40000>198.18.0.100:80", s, what)
	}
	name, ends, ok := strings.Cut(s, " ")
	if !ok {
		return bad("no protocol")
	}
	proto, ok := flow.ParseProto(name)
	if !ok {
		return bad("protocol is neither tcp, udp nor sctp")
	}
	t := flow.Tuple{Proto: proto}
	from, to, ok := strings.Cut(ends, ">")
	if !ok {
		return bad("no >")
	}
	src, err := netip.ParseAddrPort(from)
	if err != nil || src.Addr().Zone() != "" {
		return bad("source is not an IP address and port")
	}
	dst, err := netip.ParseAddrPort(to)
	if err != nil || dst.Addr().Is4() != src.Addr().Is4() {
		return bad("destination is not an address, of the same family, and port")
	}
	t.Src, t.SrcPort = flow.AddrFrom(src.Addr()), src.Port()
	t.Dst, t.DstPort = flow.AddrFrom(dst.Addr()), dst.Port()
	return t, nil
}
