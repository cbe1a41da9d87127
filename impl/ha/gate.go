package ha

import (
	"iter"
	"math/bits"
	"strings"
)

// Gates is a set of open gates: conditions that a node must meet to claim the
// MASTER role.
type Gates uint16

const (
	// LinksUp: the service links have carrier, and BFD packets leave where the peer is
	// heard.
	LinksUp Gates = 1 << iota
	// DataplaneReady: programs attached, maps writable.
	DataplaneReady
	// Reachable: the targets that the configuration tracks answer.
	Reachable
	// Arbitrated: the peer hears this node, the arbiter lets it act alone, or no arbiter is
	// configured. Where the arbiter is a gateway: that answers.
	Arbitrated
	// NoMaster: every BFD path to the peer is silent, or the peer is heard, says
	// that it is not MASTER, and ranks below this node.
	NoMaster
	// HoldDown: the recovery delay since boot, fault or demotion has run, or would protect
	// nothing.
	HoldDown
	// InSync: this node's table is what the last MASTER's was.
	InSync
	// Degraded: the table is not complete and nobody is left who could complete it.
	Degraded
	// Granted: the MASTER has handed its role over to this node.
	Granted
	// PeerReady: the peer is able to serve and holds the whole table, so that the
	// role can be handed to it. The one gate that concerns a MASTER's leaving.
	PeerReady
	// PeerAble: the peer could serve, although the role cannot be handed to it in order.
	PeerAble

	gateEnd
)

// AllGates is the set of all gates, GateCount how many there are.
const (
	AllGates  = gateEnd - 1
	GateCount = len(gateNames)
)

var gateNames = [...]string{"LinksUp", "DataplaneReady", "Reachable", "Arbitrated", "NoMaster", "HoldDown",
	"InSync", "Degraded", "Granted", "PeerReady", "PeerAble"}

// Has reports whether all gates of h are open in g.
func (g Gates) Has(h Gates) bool { return g&h == h }

// With returns g with the gates of h open or closed.
func (g Gates) With(h Gates, open bool) Gates {
	if open {
		return g | h
	}
	return g &^ h
}

// Each yields the single gates of g in their order.
func (g Gates) Each() iter.Seq[Gates] {
	return func(yield func(Gates) bool) {
		for gate := Gates(1); gate < gateEnd; gate <<= 1 {
			if g.Has(gate) && !yield(gate) {
				return
			}
		}
	}
}

// Index returns the place of a single gate in the order of all.
func (g Gates) Index() int { return bits.TrailingZeros16(uint16(g)) }

// Names returns the names of the gates of g in their order.
func (g Gates) Names() []string {
	names := []string{}
	for i, name := range gateNames {
		if g.Has(1 << i) {
			names = append(names, name)
		}
	}
	return names
}

func (g Gates) String() string {
	if g == 0 {
		return "none"
	}
	return strings.Join(g.Names(), "+")
}
