package ctsync

import "fmt"

// capacities is what the nodes have told each other on the present stream of how many
// flows their tables can hold. 0 is unknown: of a peer that speaks version 1, or whose
// dataplane does not say.
type capacities struct {
	peer    uint32
	warning string
}

// learn takes what the peer said. A table that is smaller than the other cannot hold
// what the other may come to hold, whichever node is MASTER.
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

// Warning says what of the peer's configuration endangers the sync, "" where nothing does.
func (e *Engine) Warning() string {
	if e.withholds() {
		return fmt.Sprintf("the peer speaks version %d of the protocol and gets no %s flows: they are lost where it takes over", e.version, e.withheld())
	}
	return e.capacity.warning
}
