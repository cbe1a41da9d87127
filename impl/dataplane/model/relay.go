package model

import (
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// isPeers reports whether the peer has relayed a frame.
func (l link) isPeers(frame []byte) bool {
	return l.peer != (MAC{}) && MAC(frame[6:12]) == l.peer
}

// isRelayed reports whether the peer has relayed a packet and this node has no lease.
func (d *Dataplane) isRelayed(l link, p *packet) bool {
	p.relayed = l.isPeers(p.frame)
	return p.relayed
}

// relay sends a packet to the peer, or drops it if the node does not relay.
func (d *Dataplane) relay(l link, p *packet) Outcome {
	if !d.now.Before(d.relayUntil) || l.peer == (MAC{}) || MAC(p.frame[0:6]) != l.mac {
		return d.drop(dataplane.DropNoLease)
	}
	copy(p.frame[0:6], l.peer[:])
	copy(p.frame[6:12], l.mac[:])
	d.counters.Relayed++
	return Outcome{Verdict: Relay, Link: l.name, Frame: p.frame}
}

// moves reports whether a packet would change the state of its flow.
func (c *conn) moves(p *packet, dir direction) bool {
	if p.tuple.Proto != flow.UDP {
		return p.chunk == chunkCookieAck || p.flags&(syn|fin|rst) != 0 || c.state == flow.SynSent
	}
	return (dir == reply || c.isDirect()) && c.state != flow.Assured
}
