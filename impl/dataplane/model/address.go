package model

import (
	"fmt"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// Meaning is what an address means to a node: a set of the bits below.
type Meaning uint32

const (
	AnswerClient  Meaning = 1 << iota // ARP or NDP for it is answered on the client link
	AnswerBackend                     // ARP or NDP for it is answered on the backend link
	Virtual                           // a VIP: its packets never reach the host's stack
	Own                               // the host's own: its packets always do
	Broadcast                         // the broadcast address of one of the host's networks
)

// Meanings returns the addresses that mean something to a node on a host. A service's addresses are virtual even if no link answers for
// them: they may be routed to the node. An address that is both virtual and the
// host's own is refused, since the host's stack would answer for it.
func Meanings(backendLink string, vips []dataplane.VIP, services []dataplane.Service, host Host) (map[flow.Addr]Meaning, error) {
	out := make(map[flow.Addr]Meaning)
	for _, v := range vips {
		meaning := Virtual | AnswerClient
		if v.Link == backendLink {
			meaning = Virtual | AnswerBackend
		}
		out[flow.AddrFrom(v.Addr)] |= meaning
	}
	for _, s := range services {
		out[s.VIP] |= Virtual
		if s.SNAT != (flow.Addr{}) {
			out[s.SNAT] |= Virtual
		}
	}
	for _, a := range host.Broadcast {
		out[a] |= Broadcast
	}
	for _, a := range host.Own {
		if out[a]&Virtual != 0 {
			return nil, fmt.Errorf("dataplane: VIP %s is an address of this host, whose stack would answer for it", a)
		}
		out[a] = Own
	}
	return out, nil
}
