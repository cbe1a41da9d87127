package node

import (
	"baton/impl/clock"
	"baton/impl/fingerprint"
)

// relaying is what this node does with clients' packets that reach it while it hands the
// role over: its dataplane sends them on to the peer, which forwards them by the entries
// that it has. The node decides on each packet by itself, with its lease or by sending the
// packet on, so that a peer which forwards what it was sent is no second forwarder.
type relaying struct {
	peer  [serviceLinks]MAC // of the peer's service links, as it has told them
	until clock.Instant     // packets are sent on until then, 0 for never
}

// serviceLinks is how many links carry clients' packets.
const serviceLinks = 2

// MAC is an Ethernet address, zero if it is unknown.
type MAC = [6]byte

func (r *relaying) fingerprint(h *fingerprint.Hash) {
	for _, mac := range r.peer {
		h.Text(string(mac[:]))
	}
	h.Instant(r.until)
}

// relayLimit is how long packets are sent on, from the beginning of a handover: for as long
// as it may take, and a grant stays good. By then hosts have heard the new MASTER announce
// itself, or the role was taken back.
const relayLimit = yieldLimit + grantLimit

// startRelay has packets sent on from the end of the lease.
func (n *Node) startRelay() {
	n.relaying.until = n.now.Add(relayLimit)
	n.emit(Relay{Until: n.relaying.until})
}

// stopRelay ends it where this node forwards again.
func (n *Node) stopRelay() {
	if n.relaying.until != 0 {
		n.relaying.until = 0
		n.emit(Relay{})
	}
}

// learnPeer takes the hardware addresses that the peer has told.
func (n *Node) learnPeer(macs [serviceLinks]MAC) {
	for i := range min(len(n.links), len(macs)) {
		if n.relaying.peer[i] != macs[i] {
			n.relaying.peer[i] = macs[i]
			n.emit(PeerMAC{Link: n.links[i].Name, MAC: macs[i]})
		}
	}
}
