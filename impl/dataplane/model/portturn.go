package model

import (
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// turnAttempts is the number of SNAT ports that a flow tries in turn before it draws them: ports
// in use may be neighbours.
const turnAttempts = 8

// turnPlaces is the number of places in which turns are kept.
const turnPlaces = 1024

// turnSkips is the number of skips that lead once through the ports of an address.
const turnSkips = 16

// portTurns are the positions in the SNAT ports at which the next flows try, by the hash of
// their backend's address and port. Each port rests for as long as possible before its next
// flow: the backend may still have the connection of the last one (RFC 6056 3.3.4). Backends
// may share a turn.
type portTurns [turnPlaces]uint64

// PortTurns returns where the turns begin.
func PortTurns(snatTurn uint64) (begin portTurns) {
	for place := range begin {
		begin[place] = mix(snatTurn + uint64(place))
	}
	return begin
}

// turnOf returns the turn of a claim's backend; nil if the flows of the service try the ports
// in an order of their own, by which the peer can resume them.
func (d *Dataplane) turnOf(s *service, claim *flow.Tuple) *uint64 {
	if d.cfg.SNATTurn == 0 || s.Balance == dataplane.Maglev {
		return nil
	}
	return d.turnAt(claim)
}

func (d *Dataplane) turnAt(claim *flow.Tuple) *uint64 {
	family, of := 1, flow.Tuple{Src: claim.Src, SrcPort: claim.SrcPort, Proto: claim.Proto}
	if of.Src.Is4() {
		family, of.Dst = 0, flow.IPv4(0, 0, 0, 0)
	}
	return &d.turns[family][Hash(of)%turnPlaces]
}

// skipTurn leaves out the next ports of the backend of a claim, which still has a connection from the
// claim's port. If no node knows that connection, both have lost their tables, and the backend has more
// of them from the next ports.
func (d *Dataplane) skipTurn(claim *flow.Tuple) {
	if d.cfg.SNATTurn != 0 {
		*d.turnAt(claim) += uint64(d.cfg.SNATPorts.Len()) / turnSkips
	}
}

// takeTurn returns the port and address whose turn it is: all ports of the first address, then
// those of the next one.
func takeTurn(turn *uint64, r dataplane.PortRange, addresses []flow.Addr) (uint16, flow.Addr) {
	n, size := *turn, uint64(r.Len())
	*turn++
	return r.First + uint16(n%size), addresses[n/size%uint64(len(addresses))]
}
