package model

import (
	"bytes"

	"baton/impl/dataplane"
)

const arpLen = 28 // RFC 826 for Ethernet and IPv4

var (
	arpRequest = []byte{0, 1, 8, 0, 6, 4, 0, 1} // hardware, protocol, lengths, operation
	arpReply   = []byte{0, 1, 8, 0, 6, 4, 0, 2}
)

// isARPQuestion reports whether a packet is a request and not an announcement, in which
// sender and target are equal.
func isARPQuestion(arp []byte) bool {
	return len(arp) >= arpLen && bytes.Equal(arp[:8], arpRequest) && !bytes.Equal(arp[14:18], arp[24:28])
}

// arp answers for the VIPs of a link while the lease is valid.
func (d *Dataplane) arp(l link, frame []byte) Outcome {
	arp := frame[ethLen:]
	if !isARPQuestion(arp) {
		return pass
	}
	vip := ipv4At(arp[24:])
	if d.roles[vip]&l.answers == 0 {
		return pass
	}
	if !d.leaseHolds() {
		return d.drop(dataplane.DropNoLease)
	}
	copy(arp, arpReply)
	copy(arp[18:28], arp[8:18]) // the sender becomes the target
	copy(arp[8:14], l.mac[:])
	copy(arp[14:18], vip.Bytes())
	copy(frame[0:6], frame[6:12])
	copy(frame[6:12], l.mac[:])
	d.counters.ARPReplies++
	return Outcome{Verdict: Forward, Link: l.name, Frame: frame}
}
