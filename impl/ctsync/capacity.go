package ctsync

import "fmt"

// capacities are the capacities of both nodes' tables in flows, as exchanged on the current
// stream. 0 means unknown: the peer speaks version 1, or its dataplane does not report it.
type capacities struct {
	peer    uint32
	warning string
}

// learn takes the peer's capacity. Whichever node is MASTER, the smaller table cannot hold
// all flows that the larger one may hold.
func (c *capacities) learn(own int, peer uint32) {
	*c = capacities{peer: peer}
	switch {
	case own == 0 || peer == 0 || own == int(peer):
	case own < int(peer):
		c.warning = fmt.Sprintf("this node's table holds %d flows, the peer's %d: it cannot take all of them", own, peer)
	default:
		c.warning = fmt.Sprintf("the peer's table holds %d flows, this node's %d: it cannot take all of them", peer, own)
	}
}

// Warning says which part of the peer's configuration endangers the sync; "" if none does.
func (e *Engine) Warning() string {
	if e.withholds() {
		return fmt.Sprintf("the peer speaks version %d of the protocol and gets no %s flows: they are lost where it takes over", e.version, e.withheld())
	}
	return e.capacity.warning
}
