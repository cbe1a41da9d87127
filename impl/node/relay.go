package node

import (
	"baton/impl/clock"
	"baton/impl/fingerprint"
)

// relaying covers clients' packets that reach this node while it hands the role over: its
// dataplane forwards them to the peer, which uses the entries that it has. This node either
// forwards a packet with its lease or relays it. So a peer that forwards relayed packets is
// not a second forwarder.
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

// relayLimit is how long packets are relayed, counted from the start of a handover: the
// longest handover plus the validity of a grant. By then hosts have heard the new MASTER's
// announcement, or this node has taken the role back.
const relayLimit = yieldLimit + grantLimit

// startRelay relays packets from the end of the lease.
func (n *Node) startRelay() {
	n.relaying.until = n.now.Add(relayLimit)
	n.emit(Relay{Until: n.relaying.until})
}

// stopRelay stops relaying when this node forwards again.
func (n *Node) stopRelay() {
	if n.relaying.until != 0 {
		n.relaying.until = 0
		n.emit(Relay{})
	}
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
