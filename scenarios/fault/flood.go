package fault

import (
	"slices"

	"baton/scenarios/lab"
)

// Flood makes a client send packets of one kind at a rate for a limited time.
const Flood = "flood"

// Kinds of a flood.
const (
	FloodBFD  = "bfd"
	FloodGARP = "garp"
	FloodRST  = "rst"
	FloodSYN  = "syn"
	FloodUDP  = "udp"
)

// MaxFlood is the largest number of packets of a flood.
const MaxFlood = 200_000

// FloodKind is the kind of a flood's packets.
type FloodKind struct {
	Name  string
	Proto string // the protocol of the target service, "" for any
	Node  bool   // the target is a node, not a service
	Doc   string
}

// FloodKinds is the table of the kinds.
var FloodKinds = []FloodKind{
	{FloodSYN, "tcp", false, "TCP SYN to a service, from addresses that no host has"},
	{FloodUDP, "udp", false, "datagrams to a service, from addresses that no host has"},
	{FloodRST, "tcp", false, "blind TCP RST to a service from the address of another client; ports and sequence numbers are guesses"},
	{FloodBFD, "", true, "BFD packets to a node from the address of its peer, without authentication; discriminators are guesses"},
	{FloodGARP, "", false, "gratuitous ARP, or unsolicited neighbour advertisements, by which the client claims a service's VIP"},
}

// FloodKindOf finds a kind by its name.
func FloodKindOf(name string) (FloodKind, bool) {
	i := slices.IndexFunc(FloodKinds, func(k FloodKind) bool { return k.Name == name })
	if i < 0 {
		return FloodKind{}, false
	}
	return FloodKinds[i], true
}

// FloodKindNames lists the names of the kinds.
func FloodKindNames() []string {
	var names []string
	for _, k := range FloodKinds {
		names = append(names, k.Name)
	}
	return names
}

var flood = Verb{
	Word: Flood, On: Senders, Kinds: []lab.Kind{lab.Client}, Doc: "CLIENT sends packets of that kind to a service or a node for DURATION",
	Receipt: "the first packet has left",
	Keys:    []Key{{Name: KeyRate, Of: LineRate, Doc: "packets a second (`1000/s`); at most 200,000 in all"}},
	Wants:   true, Bounded: true,
}
