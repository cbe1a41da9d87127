package neigh

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"

	"baton/impl/flow"
)

// observer is the part of a Keeper used by the daemon's loop: it passes on each client on
// the client link once per round.
type observer struct {
	networks atomic.Pointer[networks]

	// The fields below belong to the goroutine that calls Note.
	at   *networks
	seen map[flow.Addr]struct{}
}

// networks are the prefixes of the client link. Each round publishes a new value, after
// which every client counts as new.
type networks []network

type network struct{ addr, mask words }

// words is an address as two 64-bit numbers.
type words [2]uint64

func wordsOf(a *flow.Addr) words {
	return words{binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:])}
}

// maxSeen limits the memory of an observer between two rounds.
const maxSeen = 1 << 16

func (o *observer) publish(prefixes []netip.Prefix) {
	list := make(networks, len(prefixes))
	for i, p := range prefixes {
		addr, host := flow.AddrFrom(p.Addr()), p.Addr().BitLen()-p.Bits() // bits of the host part
		list[i] = network{wordsOf(&addr), words{^uint64(0) << max(host-64, 0), ^uint64(0) << host}}
	}
	o.networks.Store(&list)
}

// fresh reports whether an address is on the link and was not seen since the last
// publication.
func (o *observer) fresh(client flow.Addr) bool {
	if current := o.networks.Load(); o.at != current {
		o.at = current
		clear(o.seen)
	}
	if o.at == nil || !o.at.contain(client) {
		return false
	}
	_, seen := o.seen[client]
	return !seen && len(o.seen) < maxSeen
}

func (n networks) contain(client flow.Addr) bool {
	ip := wordsOf(&client)
	for _, network := range n {
		if ip[0]&network.mask[0] == network.addr[0] && ip[1]&network.mask[1] == network.addr[1] {
			return true
		}
	}
	return false
}

// Note reports that the table has a flow with this source address. It is called from one
// goroutine, does not block, and costs one map access for a known client.
func (k *Keeper) Note(client flow.Addr) {
	if !k.observer.fresh(client) {
		return
	}
	select {
	case k.noted <- client:
		k.observer.seen[client] = struct{}{}
	default: // the keeper is busy; the client's next flow reports it again
	}
}
