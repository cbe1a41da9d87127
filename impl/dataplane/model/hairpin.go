package model

import (
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// isHairpin reports whether a packet that is no reply is one of a backend's to a VIP. Only fullnat brings
// the other backend's replies back to this node. The rest of a fragmented datagram would not be
// recognised.
func (d *Dataplane) isHairpin(p *packet) bool {
	if !p.hasPorts || p.more || p.relayed || !d.isBackend(p.tuple.Src) {
		return false
	}
	s := d.serviceOf(p.tuple)
	return s != nil && s.Mode == dataplane.FullNAT
}

func (d *Dataplane) isBackend(a flow.Addr) bool { return d.roles[a]&Backend != 0 }

// turnAround handles a backend's packet like a client's. The frame's destination is the one that the program
// of the client link sees. An answer goes to the neighbour that the kernel finds on the backend link.
func (d *Dataplane) turnAround(p *packet) Outcome {
	copy(p.frame, d.host.ClientMAC[:])
	return d.originalDirection(link{name: d.cfg.BackendLink, turned: true}, p)
}

// linkTo returns the link to an address that is not the backend of the packet's flow.
func (d *Dataplane) linkTo(a flow.Addr, dir direction) string {
	if dir == reply && !d.isBackend(a) {
		return d.cfg.ClientLink
	}
	return d.cfg.BackendLink
}
