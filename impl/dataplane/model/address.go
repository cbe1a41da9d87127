package model

import (
	"fmt"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// AddressRole is a set of the roles of an address on a node.
type AddressRole uint32

const (
	AnswerClient  AddressRole = 1 << iota // ARP or NDP for it is answered on the client link
	AnswerBackend                         // ARP or NDP for it is answered on the backend link
	Virtual                               // a VIP: its packets never reach the host's stack
	Own                                   // the host's own: its packets always do
	Broadcast                             // the broadcast address of one of the host's networks
	Backend                               // a backend of a service, which may be a client too
)

// AddressRoles returns the roles of a node's addresses. A service's addresses are virtual
// even if no link answers for them: they may be routed to the node. An address that is both
// virtual and the host's own is an error, since the host's stack would answer for it.
func AddressRoles(backendLink string, vips []dataplane.VIP, services []dataplane.Service, host Host) (map[flow.Addr]AddressRole, error) {
	out := make(map[flow.Addr]AddressRole)
	for _, v := range vips {
		meaning := Virtual | AnswerClient
		if v.Link == backendLink {
			meaning = Virtual | AnswerBackend
		}
		out[flow.AddrFrom(v.Addr)] |= meaning
	}
	for _, s := range services {
		out[s.VIP] |= Virtual
		for _, a := range s.SNATs() {
			out[a] |= Virtual
		}
		for _, b := range s.Backends {
			out[b.Addr] |= Backend
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
