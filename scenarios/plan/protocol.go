package plan

import (
	"slices"

	"baton/impl/flow"
)

// Names of the protocols of services and traffic.
const (
	TCP  = "tcp"
	UDP  = "udp"
	SCTP = "sctp"
)

// protocol is a protocol of services.
type protocol struct {
	name   string
	number flow.Proto
	kinds  []string // of traffic that it carries
}

// allProtocols is the table of protocols. The first that carries a kind of traffic is the kind's default.
var allProtocols = []protocol{
	{TCP, flow.TCP, []string{Sessions, Connects, Flows, Bulk}},
	{UDP, flow.UDP, []string{Connects, Probe, Flows}},
	{SCTP, flow.SCTP, []string{Sessions, Connects}},
}

var protocols = protocolNames(func(protocol) bool { return true })

func protocolNames(of func(protocol) bool) (names []string) {
	for _, p := range allProtocols {
		if of(p) {
			names = append(names, p.name)
		}
	}
	return names
}

// Protocols lists the protocols of a kind of traffic, the default first.
func Protocols(kind string) []string {
	return protocolNames(func(p protocol) bool { return slices.Contains(p.kinds, kind) })
}

// protocolOf returns the IP protocol number of a name, 0 if it is unknown.
func protocolOf(name string) flow.Proto {
	for _, p := range allProtocols {
		if p.name == name {
			return p.number
		}
	}
	return 0
}
