package sim

import (
	"baton/impl/flow"
)

// Backends of a direct service own its VIP and have an interface on the clients' link, through
// which they answer clients directly.

// isDirect reports whether an address is the VIP of a direct service.
func (w *World) isDirect(a flow.Addr) bool {
	for i := range w.services {
		if s := &w.services[i]; s.id.VIP == a && s.Direct() {
			return true
		}
	}
	return false
}

// owns reports whether a client or backend accepts packets for an address.
func (w *World) owns(host uint8, a flow.Addr) bool {
	return w.hostOf(a) == host || host >= w.firstBack && w.isDirect(a)
}

// reply sends a backend's packet to a client: directly, or through the load balancer that holds
// the gateway address.
func (w *World) reply(p packet) {
	p.outer = 0
	if !w.isDirect(p.tuple.Src) {
		w.send(p, w.gateway(p.tuple.Dst))
		return
	}
	p.link, p.to = onClients, w.hostOf(p.tuple.Dst)
	if p.to != nobody {
		w.transmit(p)
	}
}
