package model

import (
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// turnAttempts is the number of SNAT ports that a flow tries in turn before it draws them by hash:
// ports in use may be consecutive.
const turnAttempts = 8

// turnPlaces is the number of positions kept.
const turnPlaces = 1024

// turnSkips is the number of skips that cover the ports of an address once.
const turnSkips = 16

// portTurns are the positions in the SNAT ports from which the next flows try, by the hash of
// their backend's address and port. So a port is reused as late as possible: the backend may
// still have its last connection (RFC 6056 3.3.4). Backends with the same hash share a position.
type portTurns [turnPlaces]uint64

// PortTurns returns where the turns begin.
func PortTurns(snatTurn uint64) (begin portTurns) {
	for place := range begin {
		begin[place] = mix(snatTurn + uint64(place))
	}
	return begin
}

// turnOf returns the turn of a claim's backend; nil if the service's flows try the ports in the
// order of their hash, by which the peer can resume them.
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

// skipTurn skips the next ports of a claim's backend, which still has a connection from the claim's
// port. If no node knows that connection, both have lost their tables, and the backend probably has
// connections from the next ports too.
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
