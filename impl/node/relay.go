package node

import (
	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// relaying covers packets of a VIP that reach this node without a lease: while it hands the role
// over, and later from hosts that have not heard the MASTER's announcement. Its dataplane
// forwards them to the peer. This node either forwards a packet with its lease or relays it. So
// a peer that forwards relayed packets is not a second forwarder.
type relaying struct {
	peer  [serviceLinks]MAC // hardware addresses of the peer's service links, as the peer sent them
	until clock.Instant     // packets are relayed until then; 0 for never
}

// serviceLinks is how many links carry clients' packets.
const serviceLinks = 2

// MAC is an Ethernet address; zero if unknown.
type MAC = [6]byte

func (r *relaying) fingerprint(h *fingerprint.Hash) {
	for _, mac := range r.peer {
		h.Text(string(mac[:]))
	}
	h.Instant(r.until)
}

// relayLimit is how long packets are relayed from the start of a handover: the longest handover
// plus the validity of a grant. By then this node hears a MASTER, or has taken the role back.
const relayLimit = yieldLimit + grantLimit

// relayShare is the part of the peer's detection time for which a node relays after it has heard a
// MASTER. The lease that the MASTER renewed with that packet lasts longer, so it forwards what is
// relayed under its lease. Mult 3: the lease ends at least 1.7 intervals after the packet.
const relayShare = 0.5

// startRelay relays packets from the end of the lease.
func (n *Node) startRelay() { n.relayUntil(n.now.Add(relayLimit)) }

// stopRelay stops relaying when this node forwards again.
func (n *Node) stopRelay() {
	if n.relaying.until > n.now {
		n.relayUntil(0)
	}
	n.relaying.until = 0
}

// relayToMaster relays packets while a MASTER is heard.
func (n *Node) relayToMaster() {
	if n.role.Holds() || !n.live() || n.peer.state.Role != ha.Master {
		return
	}
	if until := n.paths.heardFor(relayShare); until > max(n.now, n.relaying.until) {
		n.relayUntil(until)
	}
}

func (n *Node) relayUntil(until clock.Instant) {
	n.relaying.until = until
	n.emitRelay(until)
}

// learnPeer takes the hardware addresses that the peer sent.
func (n *Node) learnPeer(macs [serviceLinks]MAC) {
	for i := range min(len(n.links), len(macs)) {
		if n.relaying.peer[i] != macs[i] {
			n.relaying.peer[i] = macs[i]
			n.emit(PeerMAC{Link: n.links[i].Name, MAC: macs[i]})
		}
	}
}
